"""What ledger tests need to stand on: wallets, a series, an amount in a wallet."""

import itertools
from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.utils import timezone

from ledger.assets import credits as credit_asset
from ledger.assets import define_pool_series
from ledger.governance.approvals import approve, ask_approval
from ledger.governance.governing import change_asset_policy, change_wallet_policy
from ledger.models import Account, Approval, Asset, Capacity, Wallet
from ledger.transfers import issue
from ledger.wallets import open_wallet
from portal.people.models import User

_numbers = itertools.count(1)
FAR = datetime(2099, 1, 1, tzinfo=UTC)
LONG_AGO, END = datetime(2020, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC)


def some_wallet(name: str = "Ada", **fields: object) -> Wallet:
    with transaction.atomic():
        return open_wallet(**({"kind": Wallet.Kind.PERSON, "name": name, "now": timezone.now()} | fields))


def some_series(code: str = "H100-2026Q4", *, expires_at: datetime = FAR, capacity: bool = True) -> Asset:
    """A series of H100s, with capacity to issue as much of it as a test likes."""
    if capacity:
        attested_once("h100-sxm-80gb")
    return define_pool_series(
        code=code,
        resource_class="h100-sxm-80gb",
        gpu_type="h100",
        gpu_memory_gb=80,
        network_gbps=400,
        priority="normal",
        dense_bf16_tflops=989,
        starts_at=datetime(2026, 1, 1, tzinfo=UTC),
        expires_at=expires_at,
        now=timezone.now(),
    )


def two_persons() -> tuple[int, int]:
    """Ids of somebody who asks and somebody else who approves."""
    asks, _ = User.objects.get_or_create(email="asks@two-persons.example", defaults={"name": "Asks"})
    approves, _ = User.objects.get_or_create(email="approves@two-persons.example", defaults={"name": "Approves"})
    return asks.id, approves.id


def approved(kind: str, content: dict[str, Any], reason: str = "for a test") -> Approval:
    """Asked for by one person and approved by another."""
    asks, approves = two_persons()
    asked = ask_approval(kind=kind, content=content, reason=reason, requester_id=asks, now=timezone.now())
    return approve(approval_id=asked.id, approver_id=approves, now=timezone.now())


def attested(
    resource_class: str = "h100-sxm-80gb", *, gpus: int = 1_000_000, starts_at: datetime = LONG_AGO,
    ends_at: datetime = END, attestation: str | None = None,
) -> Approval:  # fmt: skip
    """Capacity of a class, more than any test issues unless it says otherwise."""
    content = {
        "resource_class": resource_class, "gpus": gpus, "starts_at": starts_at.isoformat(),
        "ends_at": ends_at.isoformat(), "attestation": attestation,
    }  # fmt: skip
    return approved(Approval.Kind.CAPACITY, content)


def attested_once(resource_class: str) -> None:
    if not Capacity.objects.filter(resource_class=resource_class).exists():
        attested(resource_class)


def the_credits() -> Asset:
    return credit_asset(now=timezone.now())


def given(wallet: Wallet, asset: Asset, amount: int) -> Account:
    """Issue `amount` units to the wallet."""
    issue(
        asset_id=asset.id, wallet_id=wallet.id, amount=amount, now=timezone.now(),
        scope="test", key=f"given-{next(_numbers)}-{wallet.public_id}",
    )  # fmt: skip
    return Account.objects.get(wallet=wallet, asset=asset)


def ruled(what: Wallet | Asset, **changes: Any) -> None:
    """Change rules of a wallet or an asset, and read it again."""
    with transaction.atomic():
        if isinstance(what, Wallet):
            change_wallet_policy(wallet_id=what.id, changes=changes, now=timezone.now())
        else:
            change_asset_policy(asset_id=what.id, changes=changes, now=timezone.now())
    what.refresh_from_db()
