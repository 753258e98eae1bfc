"""Holders and their accounts. Wallets and accounts are opened here and nowhere else."""

from datetime import datetime

from django.db import transaction

from ledger.clock import assert_in_transaction
from ledger.governance.governing import change_wallet_policy, policy_of_wallet, subject_of, write_policy
from ledger.models import Account, Wallet

SYSTEM_NAMES = {
    Wallet.Role.ISSUER: "Issuer",
    Wallet.Role.REDEEMED: "Redeemed",
    Wallet.Role.EXPIRED: "Expired",
    Wallet.Role.FEES: "Fees",
}


def open_wallet(*, kind: str, name: str, now: datetime, may_sell: bool = True) -> Wallet:
    """A new holder. What makes it differ from a person's plain wallet is said in the log too."""
    assert_in_transaction()
    wallet = Wallet.objects.create(
        kind=kind, name=name, may_sell=may_sell, unlimited=kind != Wallet.Kind.PERSON, created_at=now
    )
    _write_first_policy(wallet, now)
    return wallet


def system_wallet(role: str, *, now: datetime) -> Wallet:
    """The issuer, and where redeemed, expired and fee amounts go; made when first asked for."""
    with transaction.atomic():
        wallet, made = Wallet.objects.get_or_create(
            role=role,
            defaults={
                "kind": Wallet.Kind.SYSTEM,
                "name": SYSTEM_NAMES[Wallet.Role(role)],
                "unlimited": True,
                "created_at": now,
            },
        )
        if made:
            _write_first_policy(wallet, now)
    return wallet


def account_of(*, wallet_id: int, asset_id: int) -> Account:
    """The wallet's balance of the asset; opened, empty, when first asked for."""
    account, _made = Account.objects.get_or_create(wallet_id=wallet_id, asset_id=asset_id)
    return account


@transaction.atomic(durable=True)
def freeze_wallet(*, wallet_id: int, reason: str, now: datetime) -> Wallet:
    """Stop everything that leaves or enters the wallet, at once and by one person; running jobs are still settled."""
    changes = {"frozen": True, "frozen_reason": reason}
    return change_wallet_policy(wallet_id=wallet_id, changes=changes, now=now)


@transaction.atomic(durable=True)
def unfreeze_wallet(*, wallet_id: int, now: datetime) -> Wallet:
    """Let the wallet act again."""
    return change_wallet_policy(wallet_id=wallet_id, changes={"frozen": False}, now=now)


def forbid_selling(*, wallet_id: int, now: datetime) -> Wallet:
    """From now on the wallet's tokens may be redeemed, not sold or sent on, as a student's allowance."""
    return change_wallet_policy(wallet_id=wallet_id, changes={"may_sell": False}, now=now)


def _write_first_policy(wallet: Wallet, now: datetime) -> None:
    policy = policy_of_wallet(wallet)
    if policy:
        write_policy(subject_of(wallet), policy, now=now)
