"""Rows for the ledger's door, and what became of them in a word each."""

from ledger.door.requests import Answer, NewHold, NewTransfer
from ledger.models import Account
from tests.ledger.builders import given, some_series, some_wallet


def send(giver: Account, receiver: Account, amount: int, key: str = "", **fields: object) -> NewTransfer:
    return NewTransfer(
        **{
            "kind": "SEND", "asset_id": giver.asset_id, "from_wallet_id": giver.wallet_id,
            "to_wallet_id": receiver.wallet_id, "amount": amount, "scope": "test" if key else "", "key": key,
        } | fields
    )  # fmt: skip


def hold(account: Account, amount: int, key: str = "", **fields: object) -> NewHold:
    scope = "test" if key else ""
    shared = {
        "asset_id": account.asset_id,
        "wallet_id": account.wallet_id,
        "amount": amount,
        "scope": scope,
        "key": key,
    }
    return NewHold(**shared | fields)


def outcomes(answers: list[Answer]) -> list[str]:
    return [answer.code or answer.status for answer in answers]


def two(amount: int = 100) -> tuple[Account, Account]:
    series = some_series()
    return given(some_wallet(), series, amount), given(some_wallet("Bob"), series, 1)
