"""Holders and their accounts. Wallets and accounts are opened here and nowhere else."""

import json
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from ledger.clock import assert_in_transaction
from ledger.entries import policy_body
from ledger.errors import WalletFrozen
from ledger.log import write_entry
from ledger.models import Account, Entry, Wallet

SYSTEM_NAMES = {
    Wallet.Role.ISSUER: "Issuer",
    Wallet.Role.REDEEMED: "Redeemed",
    Wallet.Role.EXPIRED: "Expired",
    Wallet.Role.FEES: "Fees",
}


def open_wallet(*, kind: str, name: str, now: datetime, may_sell: bool = True) -> Wallet:
    """A new holder. One that may not sell is said so in the log too."""
    assert_in_transaction()
    wallet = Wallet.objects.create(kind=kind, name=name, may_sell=may_sell, created_at=now)
    if not may_sell:
        write_policy(wallet, now=now)
    return wallet


def system_wallet(role: str, *, now: datetime) -> Wallet:
    """The issuer, and where redeemed, expired and fee amounts go; made when first asked for."""
    wallet, _made = Wallet.objects.get_or_create(
        role=role,
        defaults={"kind": Wallet.Kind.SYSTEM, "name": SYSTEM_NAMES[Wallet.Role(role)], "created_at": now},
    )
    return wallet


def account_of(*, wallet_id: int, asset_id: int) -> Account:
    """The wallet's balance of the asset; opened, empty, when first asked for."""
    account, _made = Account.objects.get_or_create(wallet_id=wallet_id, asset_id=asset_id)
    return account


@transaction.atomic(durable=True)
def freeze_wallet(*, wallet_id: int, reason: str, now: datetime) -> Wallet:
    """Stop everything that leaves or enters the wallet; running jobs are still settled."""
    wallet = _lock(wallet_id)
    if wallet.kind == Wallet.Kind.SYSTEM:
        raise WalletFrozen(_("A system wallet cannot be frozen."))
    if wallet.frozen_at is None:
        wallet.frozen_at, wallet.frozen_reason = now, reason
        wallet.save(update_fields=["frozen_at", "frozen_reason"])
        write_policy(wallet, now=now)
    return wallet


@transaction.atomic(durable=True)
def unfreeze_wallet(*, wallet_id: int, now: datetime) -> Wallet:
    """Let the wallet act again."""
    wallet = _lock(wallet_id)
    if wallet.frozen_at is not None:
        wallet.frozen_at, wallet.frozen_reason = None, ""
        wallet.save(update_fields=["frozen_at", "frozen_reason"])
        write_policy(wallet, now=now)
    return wallet


def forbid_selling(*, wallet_id: int, now: datetime) -> Wallet:
    """From now on the wallet's tokens may be redeemed, not sold or sent on, as a student's allowance."""
    assert_in_transaction()
    wallet = _lock(wallet_id)
    if wallet.may_sell:
        wallet.may_sell = False
        wallet.save(update_fields=["may_sell"])
        write_policy(wallet, now=now)
    return wallet


def write_policy(wallet: Wallet, *, now: datetime) -> Entry:
    """Log what the wallet may do from now on. The reason stays out: it may name a person."""
    policy = {"frozen": wallet.frozen_at is not None, "may_sell": wallet.may_sell}
    subject = f"wallet:{wallet.public_id}"
    body = policy_body(subject=subject, policy=canonical_json(policy), recorded_at=now)
    return write_entry(kind=Entry.Kind.POLICY, body=body, now=now, reference=subject)


def canonical_json(value: object) -> bytes:
    """RFC 8785 for the values we use: text, integers, booleans and objects of them. No floats."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _lock(wallet_id: int) -> Wallet:
    return Wallet.objects.select_for_update().get(id=wallet_id)
