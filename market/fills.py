"""What holders traded: fills, and the positions they come to. One statement for any number of accounts, no locks.

An account's postings are only added to, in the order of their transfers, so what was summed up once can be gone on
from: a Life says up to which transfer it counts. The balance is read in the same statement and proves it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db import connection

from market.positions import Movement, Position, moved

FILLS_KEPT = 20
# Whoever buys is the taker where the taker buys; an account's posting says which it did.
_MINE = "(p.amount > 0) = (t.taker_side = 'BUY')"
_LIVES = f"""
    SELECT a.id, a.balance, p.amount, p.transfer_id, t.number, t.traded_at, p.amount > 0, t.price, t.quantity,
        CASE WHEN {_MINE} THEN t.taker_fee ELSE t.maker_fee END,
        CASE WHEN {_MINE} THEN t.taker_id ELSE t.maker_id END, {_MINE}
    FROM unnest(%s::bigint[], %s::bigint[]) AS k (account, upto)
    JOIN ledger_account a ON a.id = k.account
    LEFT JOIN ledger_posting p ON p.account_id = a.id AND p.transfer_id > k.upto
    LEFT JOIN market_trade t ON t.transfer_id = p.transfer_id
    ORDER BY p.transfer_id
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Fill:
    """One trade from its holder's side; `entry` is the transfer that settled it."""

    entry: int
    number: int
    traded_at: datetime
    is_buy: bool
    price: int
    quantity: int
    fee: int
    order_id: int
    is_taker: bool

    @property
    def value(self) -> int:
        return self.price * self.quantity

    @property
    def paid(self) -> int:
        """With the fee: what a buyer paid, or a seller received."""
        return self.value + self.fee if self.is_buy else self.value - self.fee


@dataclass(frozen=True, slots=True)
class Life:
    """What an account of tokens went through up to a transfer: its position, and its newest fills, newest first."""

    upto: int = 0
    movements: int = 0
    position: Position = field(default_factory=Position)
    fills: tuple[Fill, ...] = ()


def lives_of(known: Mapping[int, Life]) -> dict[int, Life]:
    """The lives of these accounts until now, each gone on from what is known of it (Life() for nothing).

    What is known and does not lead to the balance is wrong, as after a restored backup: that account is read anew.
    """
    found = dict(known)
    balances: dict[int, int] = {}
    with connection.cursor() as cursor:
        cursor.execute(_LIVES, [list(known), [life.upto for life in known.values()]])
        for account_id, balance, amount, transfer, *row in cursor:
            balances[account_id] = balance
            if amount is not None:
                fill = Fill(transfer, *row) if row[0] is not None else None
                found[account_id] = _went_on(found[account_id], amount, fill, transfer)
    wrong = [id_ for id_, life in found.items() if known[id_].upto and life.position.quantity != balances.get(id_)]
    return found | lives_of(dict.fromkeys(wrong, Life())) if wrong else found


def _went_on(life: Life, amount: int, fill: Fill | None, transfer: int) -> Life:
    position = moved(life.position, Movement(amount, fill.paid if fill else None))
    fills = (fill, *life.fills[: FILLS_KEPT - 1]) if fill else life.fills
    return Life(transfer, life.movements + 1, position, fills)
