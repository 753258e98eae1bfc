"""A thousand wallets with credits and tokens, an instrument, and a flow of orders from both sides."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime

from django.db import transaction
from django.utils import timezone

from ledger.assets import credits, define_pool_series
from ledger.governance.approvals import approve, ask_approval
from ledger.models import Approval, Wallet
from ledger.transfers import Move, post_transfer
from ledger.wallets import account_of, open_wallet, system_wallet
from market.answers import NewOrder
from market.instruments import open_instrument
from market.models import Instrument
from market.orders import place_orders
from portal.people.models import User

RESTING = 10_000
# Of credits and of compute, for each wallet.
PLENTY = 10**11


@dataclass
class World:
    wallets: list[int]
    instrument: Instrument

    def flow(self, seed: int) -> "Flow":
        return Flow(self, random.Random(seed), f"flow{seed}")


@dataclass
class Flow:
    """Both sides, prices normal around 10,000 ticks with deviation 20, one to ten lots, no cancels."""

    world: World
    random: random.Random
    name: str
    count: int = 0

    def order(self) -> NewOrder:
        self.count += 1
        return NewOrder(
            self.world.instrument.id,
            self.random.choice(self.world.wallets),
            self.random.choice(("BUY", "SELL")),
            round(self.random.gauss(10_000, 20)),
            self.random.randint(1, 10),
            f"{self.name}-{self.count}",
        )


def some_wallets(count: int = 1000) -> list[int]:
    now = timezone.now()
    with transaction.atomic():
        return [open_wallet(kind=Wallet.Kind.PERSON, name=f"Trader {n}", now=now).id for n in range(count)]


def some_world(code: str, wallets: list[int]) -> World:
    now = timezone.now()
    _attest("h100-sxm-80gb", now)
    asset = define_pool_series(
        code=code, resource_class="h100-sxm-80gb", gpu_type="h100", gpu_memory_gb=80, network_gbps=400,
        priority="normal", dense_bf16_tflops=989, starts_at=datetime(2026, 1, 1, tzinfo=UTC),
        expires_at=datetime(2099, 1, 1, tzinfo=UTC), now=now,
    )  # fmt: skip
    instrument = open_instrument(asset_id=asset.id, now=now)
    endow(instrument, wallets)
    world = World(wallets, instrument)
    chooser = random.Random(1)
    resting = []
    for number in range(RESTING):
        side, away = ("BUY", -1) if number % 2 else ("SELL", 1)
        price = 10_000 + away * (1 + round(abs(chooser.gauss(0, 40))))
        resting.append(
            NewOrder(instrument.id, chooser.choice(wallets), side, price, chooser.randint(1, 10), f"{code}-{number}")
        )
    place_orders(resting)
    return world


def endow(instrument: Instrument, wallets: list[int]) -> None:
    """Plenty of the series and of credits for each."""
    now = timezone.now()
    with transaction.atomic():
        for asset_id in (instrument.asset_id, credits(now=now).id):
            accounts = [account_of(wallet_id=wallet, asset_id=asset_id).id for wallet in wallets]
            issuer = account_of(wallet_id=system_wallet(Wallet.Role.ISSUER, now=now).id, asset_id=asset_id)
            moves = [Move(issuer.id, -PLENTY * len(accounts)), *(Move(id_, PLENTY) for id_ in accounts)]
            post_transfer(kind="ISSUE", moves=moves, now=now)


def _attest(resource_class: str, now: datetime) -> None:
    """Capacity for whatever is issued here, asked for by one person and approved by another."""
    asks, approves = (User.objects.get_or_create(email=f"{name}@example.org")[0].id for name in ("asks", "approves"))
    content = {
        "resource_class": resource_class, "gpus": 1_000_000, "starts_at": "2026-01-01T00:00:00+00:00",
        "ends_at": "2099-01-01T00:00:00+00:00", "attestation": None,
    }  # fmt: skip
    asked = ask_approval(
        kind=Approval.Kind.CAPACITY, content=content, reason="for the bench", requester_id=asks, now=now
    )
    approve(approval_id=asked.id, approver_id=approves, now=now)
