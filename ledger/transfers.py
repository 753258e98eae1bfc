"""Moving value: the actions and steps that others call. Each is one row at the ledger's door (ledger.door.posting)."""

# ruff: noqa: ARG001 - `now` is taken and not asked: the instant is the database's, once everything is locked

from collections.abc import Sequence
from datetime import datetime

from ledger.clock import assert_in_transaction
from ledger.door.book import MAX_AMOUNT
from ledger.door.posting import post_single, post_step
from ledger.door.requests import ISSUER, Answer, Move, NewPostings, NewTransfer, Request
from ledger.door.sentences import refusal_of
from ledger.models import Account, Asset, Entry, Transfer, Wallet

__all__ = [
    "MAX_AMOUNT",
    "Move",
    "grant",
    "grant_step",
    "issue",
    "lock_accounts",
    "move_between",
    "post_transfer",
    "send",
]


def lock_accounts(account_ids: Sequence[int]) -> dict[int, Account]:
    """Lock the accounts in id order, the same for everybody, and read them with wallet and asset."""
    assert_in_transaction()
    ids = sorted(set(account_ids))
    locked = Account.objects.raw("SELECT * FROM ledger_lock_accounts(%s::bigint[])", [ids])
    accounts = {account.id: account for account in locked}
    missing = set(ids) - accounts.keys()
    assert not missing, f"no such account: {missing}"
    wallets = Wallet.objects.in_bulk([account.wallet_id for account in accounts.values()])
    assets = Asset.objects.in_bulk([account.asset_id for account in accounts.values()])
    for account in accounts.values():
        account.wallet, account.asset = wallets[account.wallet_id], assets[account.asset_id]
    return accounts


def post_transfer(
    *,
    kind: str,
    moves: Sequence[Move],
    now: datetime | None = None,
    reference: str = "",
) -> Transfer:
    """Move value between accounts, in one entry. Sums must be zero in every asset: Postgres checks.

    Raises a policy's Refusal, or NotEnough where an account's available amount does not cover what it gives. The
    entry's instant is the database's, once everything is locked.
    """
    return step(NewPostings(kind=kind, moves=moves, reference=reference))


def move_between(
    *,
    kind: str,
    asset_id: int,
    from_wallet_id: int,
    to_wallet_id: int,
    amount: int,
    now: datetime | None = None,
    reference: str = "",
) -> Transfer:
    """One asset from one wallet to another."""
    return step(
        NewTransfer(
            kind=kind,
            asset_id=asset_id,
            from_wallet_id=from_wallet_id,
            to_wallet_id=to_wallet_id,
            amount=amount,
            reference=reference,
        )
    )


def issue(
    *,
    asset_id: int,
    wallet_id: int,
    amount: int,
    scope: str,
    key: str,
    reference: str = "",
    now: datetime | None = None,
) -> Transfer:
    """Make new tokens (or credits) in a wallet. The same key and content answer the same transfer."""
    return single(
        NewTransfer(
            kind=Entry.TransferKind.ISSUE,
            asset_id=asset_id,
            from_wallet_id=ISSUER,
            to_wallet_id=wallet_id,
            amount=amount,
            scope=scope,
            key=key,
            reference=reference,
        )
    )


def grant_step(
    *,
    asset_id: int,
    from_wallet_id: int,
    to_wallet_id: int,
    amount: int,
    scope: str,
    key: str,
    reference: str = "",
    now: datetime | None = None,
) -> Transfer:
    """Give tokens from an organisation's wallet to another, inside another action such as an enrolment."""
    return step(_grant(asset_id, from_wallet_id, to_wallet_id, amount, scope, key, reference))


def grant(
    *,
    asset_id: int,
    from_wallet_id: int,
    to_wallet_id: int,
    amount: int,
    scope: str,
    key: str,
    reference: str = "",
    now: datetime | None = None,
) -> Transfer:
    """The same as an action of its own."""
    return single(_grant(asset_id, from_wallet_id, to_wallet_id, amount, scope, key, reference))


def send(
    *,
    asset_id: int,
    from_wallet_id: int,
    to_wallet_id: int,
    amount: int,
    scope: str,
    key: str,
    now: datetime | None = None,
) -> Transfer:
    """Give what one holds to another holder."""
    return single(
        NewTransfer(
            kind=Entry.TransferKind.SEND,
            asset_id=asset_id,
            from_wallet_id=from_wallet_id,
            to_wallet_id=to_wallet_id,
            amount=amount,
            scope=scope,
            key=key,
        )
    )


def single(row: Request) -> Transfer:
    """A row as an action of its own; raises its refusal."""
    return transfer_of(post_single(row))


def step(row: Request) -> Transfer:
    """A row inside another action; raises its refusal."""
    return transfer_of(post_step([row])[0])


def transfer_of(answer: Answer) -> Transfer:
    """The transfer that was made, now or when the key was first used."""
    refusal = refusal_of(answer)
    if refusal is not None:
        raise refusal
    made = answer.entry
    if made is None:
        assert answer.known_entry_id is not None
        return Transfer.objects.get(id=answer.known_entry_id)
    transfer = Transfer(
        id=made.id,
        kind=made.kind,
        transfer_kind=made.transfer_kind,
        reference=made.reference,
        body=made.body,
        leaf_hash=made.leaf,
        recorded_at=made.recorded_at,
    )
    transfer._state.adding, transfer._state.db = False, "default"
    return transfer


def _grant(
    asset_id: int, from_wallet_id: int, to_wallet_id: int, amount: int, scope: str, key: str, reference: str
) -> NewTransfer:
    return NewTransfer(
        kind=Entry.TransferKind.GRANT,
        asset_id=asset_id,
        from_wallet_id=from_wallet_id,
        to_wallet_id=to_wallet_id,
        amount=amount,
        scope=scope,
        key=key,
        reference=reference,
    )
