"""Plain functions that make what a redemption needs, with defaults for what does not matter."""

import uuid
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from django.utils import timezone

from ledger.assets import define_pool_series
from ledger.models import Account, Asset, Wallet
from ledger.transfers import issue
from ledger.wallets import account_of, open_wallet
from portal.people.models import User
from scheduler.models import Redemption, ResourceClass
from scheduler.redemptions import JobPlace, Wish, redeem_tokens
from tests.ledger.builders import attested_once

PYTHON = "/usr/bin/python3"


def drawn_class(code: str = "h100-sxm-80gb", gpu: str = "h100", **values: Any) -> ResourceClass:
    defaults: dict[str, Any] = {
        "name": code.upper(), "partition": gpu, "gres_type": gpu,
        "qos_by_priority": {"normal": "normal", "high": "high"},
        "gpus_per_node": 8, "total_gpus": 16, "cpus_per_gpu": 1, "memory_gb_per_gpu": 1, "gpu_name": gpu.upper(),
        "gpu_memory_gb": 80, "network_gbps": 400, "dense_bf16_tflops": 989,
    }  # fmt: skip
    made, _ = ResourceClass.objects.get_or_create(code=code, defaults=defaults | values)
    return made


def drawn_series(
    code: str = "H100-TEST", *, resource_class: ResourceClass | None = None, priority: str = "normal",
    starts_at: datetime | None = None, days: float = 30,
) -> Asset:  # fmt: skip
    now = timezone.now()
    found = Asset.objects.filter(code=code).first()
    if found is not None:
        return found
    machines = resource_class or drawn_class()
    attested_once(machines.code)
    return define_pool_series(
        code=code, resource_class=machines.code, gpu_type=machines.gpu_name, gpu_memory_gb=machines.gpu_memory_gb,
        network_gbps=machines.network_gbps, priority=priority, dense_bf16_tflops=machines.dense_bf16_tflops,
        starts_at=starts_at or now - timedelta(days=1), expires_at=now + timedelta(days=days), now=now,
    )  # fmt: skip


def drawn_wallet(asset: Asset, *, gpu_hours: int = 100, name: str = "Ada") -> Wallet:
    from django.db import transaction

    with transaction.atomic():
        wallet = open_wallet(kind=Wallet.Kind.PERSON, name=name, now=timezone.now())
    granted(wallet, asset, gpu_hours=gpu_hours)
    return wallet


def granted(wallet: Wallet, asset: Asset, *, gpu_hours: int) -> None:
    if gpu_hours:
        issue(
            asset_id=asset.id, wallet_id=wallet.id, amount=gpu_hours * 3600, now=timezone.now(), scope="test",
            key=str(uuid.uuid4()),
        )  # fmt: skip


def drawn_user(wallet: Wallet | None = None, email: str = "") -> User:
    return User.objects.create_user(email or f"{uuid.uuid4().hex[:8]}@example.org", "long-enough-word", wallet=wallet)


def drawn_wish(wallet: Wallet, asset: Asset, **values: Any) -> Wish:
    defaults: dict[str, Any] = {
        "public_id": uuid.uuid4(), "wallet_id": wallet.id, "asset_id": asset.id, "kind": Redemption.Kind.SCRIPT,
        "gpus": 2, "walltime_minutes": 10, "job_name": "first-job", "script": "echo hello\n",
        "slurm_account": "hourglass",
    }  # fmt: skip
    return Wish(**(defaults | values))


def place(home: Path = Path("/tmp/hg-jobs"), python: str = PYTHON) -> JobPlace:
    return JobPlace(home=home, python=python)


def redeemed(
    home: Path, *, gpu: str = "h100", priority: str = "normal", python: str = PYTHON, **values: Any
) -> Redemption:
    """A redemption that waits to be submitted, by a wallet of its own with 100 GPU-hours."""
    machines = drawn_class(f"{gpu}-class", gpu)
    asset = drawn_series(f"{gpu}-{priority}".upper(), resource_class=machines, priority=priority)
    wallet = drawn_wallet(asset)
    user = drawn_user(wallet)
    return redeem_tokens(drawn_wish(wallet, asset, **values), user_id=user.id, place=place(home, python))


def account(redemption: Redemption) -> Account:
    return Account.objects.get(wallet=redemption.wallet, asset=redemption.asset)


def redeemed_in_all(asset: Asset) -> int:
    """What has gone to the redeemed wallet of this series."""
    from ledger.wallets import system_wallet

    return account_of(wallet_id=system_wallet(Wallet.Role.REDEEMED, now=timezone.now()).id, asset_id=asset.id).balance
