"""What ledger tests need to stand on: wallets, a series, an amount in a wallet."""

import itertools
from datetime import UTC, datetime

from django.db import transaction
from django.utils import timezone

from ledger.assets import credits as credit_asset
from ledger.assets import define_pool_series
from ledger.models import Account, Asset, Wallet
from ledger.transfers import issue
from ledger.wallets import open_wallet

_numbers = itertools.count(1)
FAR = datetime(2099, 1, 1, tzinfo=UTC)


def some_wallet(name: str = "Ada", **fields: object) -> Wallet:
    with transaction.atomic():
        return open_wallet(**({"kind": Wallet.Kind.PERSON, "name": name, "now": timezone.now()} | fields))


def some_series(code: str = "H100-2026Q4", *, expires_at: datetime = FAR) -> Asset:
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


def the_credits() -> Asset:
    return credit_asset(now=timezone.now())


def given(wallet: Wallet, asset: Asset, amount: int) -> Account:
    """Issue `amount` units to the wallet."""
    issue(
        asset_id=asset.id, wallet_id=wallet.id, amount=amount, now=timezone.now(),
        scope="test", key=f"given-{next(_numbers)}-{wallet.public_id}",
    )  # fmt: skip
    return Account.objects.get(wallet=wallet, asset=asset)
