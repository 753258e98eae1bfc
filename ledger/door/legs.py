"""The sides of a transfer that is being decided, and what a row is refused by. Pure."""

from collections.abc import Sequence

from ledger.door.book import MAX_AMOUNT, AccountState
from ledger.door.requests import REFUSED, Answer

Legs = Sequence[tuple[AccountState, int]]


class Refused(Exception):
    """A row's refusal on its way to its answer."""

    def __init__(self, code: str, field: str | None = None, about: str = "") -> None:
        super().__init__(code)
        self.answer = Answer(REFUSED, code, field, about=about)


def net(legs: Legs) -> Legs:
    """An account that stands twice in one transfer has one posting, of the sum."""
    net: dict[int, int] = {}
    for account, amount in legs:
        net[account.id] = net.get(account.id, 0) + amount
    accounts = {account.id: account for account, _ in legs}
    left = [(accounts[id_], amount) for id_, amount in net.items() if amount]
    if not left:
        raise Refused("bad_amount", "amount")
    return left


def checked(amount: object) -> int:
    if type(amount) is not int or not 0 < amount <= MAX_AMOUNT:
        raise Refused("bad_amount", "amount")
    return amount
