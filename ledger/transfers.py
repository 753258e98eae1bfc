"""The ledger's one door: every movement of value is a transfer posted here, or in bulk by clearing's same rules."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from ledger.clock import assert_in_transaction
from ledger.entries import transfer_body
from ledger.errors import BadAmount, NotEnough
from ledger.idempotency import Content, once
from ledger.log import write_entry
from ledger.models import Account, Asset, Entry, Posting, Transfer, Wallet
from ledger.policies import refusal_for
from ledger.wallets import account_of, system_wallet

MAX_AMOUNT = 2**62


@dataclass(frozen=True)
class Move:
    """What a transfer does to one account: positive adds, negative takes away."""

    account_id: int
    amount: int


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


def post_transfer(*, kind: str, moves: Sequence[Move], now: datetime, reference: str = "") -> Transfer:
    """Move value between accounts, in one entry. Sums must be zero in every asset: Postgres checks.

    Raises a policy's Refusal, or NotEnough where an account's available amount does not cover what it gives.
    """
    accounts = lock_accounts([move.account_id for move in moves])
    for move in moves:
        account = accounts[move.account_id]
        refusal = refusal_for(kind=kind, asset=account.asset, wallet=account.wallet, gives=move.amount < 0, now=now)
        if refusal is not None:
            raise refusal
        if move.amount < 0 and not account.may_go_negative and account.available + move.amount < 0:
            raise NotEnough(_("The wallet has less available than this would take."), field="amount")
    sides = [_side(accounts[move.account_id], move.amount) for move in moves]
    body = transfer_body(kind=kind, reference=reference, recorded_at=now, postings=sides)
    entry = write_entry(kind=Entry.Kind.TRANSFER, transfer_kind=kind, body=body, now=now, reference=reference)
    Posting.objects.bulk_create(
        Posting(transfer_id=entry.id, account_id=move.account_id, amount=move.amount) for move in moves
    )
    return Transfer.objects.get(id=entry.id)


def move_between(
    *, kind: str, asset_id: int, from_wallet_id: int, to_wallet_id: int, amount: int, now: datetime, reference: str = ""
) -> Transfer:
    """One asset from one wallet to another."""
    if isinstance(amount, bool) or not isinstance(amount, int) or not 0 < amount <= MAX_AMOUNT:
        raise BadAmount(_("The amount must be a whole number of units above zero."), field="amount")
    if from_wallet_id == to_wallet_id:
        raise BadAmount(_("A transfer needs two different wallets."), field="to_wallet")
    giver = account_of(wallet_id=from_wallet_id, asset_id=asset_id)
    receiver = account_of(wallet_id=to_wallet_id, asset_id=asset_id)
    moves = [Move(giver.id, -amount), Move(receiver.id, amount)]
    return post_transfer(kind=kind, moves=moves, now=now, reference=reference)


@transaction.atomic(durable=True)
def issue(
    *, asset_id: int, wallet_id: int, amount: int, now: datetime, scope: str, key: str, reference: str = ""
) -> Transfer:
    """Make new tokens (or credits) in a wallet. The same key and content answer the same transfer."""
    issuer = system_wallet(Wallet.Role.ISSUER, now=now)
    return _once(
        Entry.TransferKind.ISSUE,
        asset_id,
        issuer.id,
        wallet_id,
        amount,
        now=now,
        scope=scope,
        key=key,
        reference=reference,
    )


def grant_step(
    *,
    asset_id: int,
    from_wallet_id: int,
    to_wallet_id: int,
    amount: int,
    now: datetime,
    scope: str,
    key: str,
    reference: str = "",
) -> Transfer:
    """Give tokens from an organisation's wallet to another, inside another action such as an enrolment."""
    return _once(
        Entry.TransferKind.GRANT, asset_id, from_wallet_id, to_wallet_id, amount,
        now=now, scope=scope, key=key, reference=reference,
    )  # fmt: skip


# The same as an action of its own.
grant = transaction.atomic(durable=True)(grant_step)


@transaction.atomic(durable=True)
def send(
    *, asset_id: int, from_wallet_id: int, to_wallet_id: int, amount: int, now: datetime, scope: str, key: str
) -> Transfer:
    """Give what one holds to another holder."""
    return _once(Entry.TransferKind.SEND, asset_id, from_wallet_id, to_wallet_id, amount, now=now, scope=scope, key=key)


def _once(
    kind: str, asset_id: int, from_wallet_id: int, to_wallet_id: int, amount: int,
    *, now: datetime, scope: str, key: str, reference: str = "",
) -> Transfer:  # fmt: skip
    content: Content = {
        "kind": str(kind),
        "asset": asset_id,
        "from": from_wallet_id,
        "to": to_wallet_id,
        "amount": amount,
    }

    def make() -> Transfer:
        return move_between(
            kind=kind, asset_id=asset_id, from_wallet_id=from_wallet_id, to_wallet_id=to_wallet_id, amount=amount,
            now=now, reference=reference,
        )  # fmt: skip

    return once(scope=scope, key=key, content=content, now=now, make=make)


def _side(account: Account, amount: int) -> tuple[bytes, bytes, int]:
    return account.wallet.public_id.bytes, bytes(account.asset.definition_hash), amount
