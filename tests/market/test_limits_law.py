"""The law of position limits: whatever is placed, amended, traded, auctioned or given, nobody has and bids for more."""

import random

import pytest
from django.db import connection
from django.utils import timezone

from ledger.errors import Refusal
from ledger.transfers import grant
from market.amending import amend_order
from market.models import GPU_SECONDS_PER_LOT, Order
from market.orders import cancel_order, place_orders
from tests.full import count
from tests.ledger.builders import ruled
from tests.market.builders import (
    assert_value_is_conserved,
    auction_over,
    in_auction,
    new_order,
    some_instrument,
    some_trader,
)

pytestmark = pytest.mark.django_db(transaction=True)
LIMIT = 60


class Room:
    """Three owners with two wallets each, and a department that no limit of the series binds."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        self.instrument = some_instrument()
        ruled(self.instrument.asset, position_limit=LIMIT * GPU_SECONDS_PER_LOT)
        self.wallets = []
        for owner in range(3):
            first, second = (some_trader(self.instrument, f"Owner {owner} {n}", lots=15) for n in range(2))
            ruled(second, owner=str(first.public_id))
            self.wallets += [first, second]
        self.stock = some_trader(self.instrument, "Physics", kind="DEPARTMENT", lots=10**6)
        self.orders: list[int] = []
        self.done = dict.fromkeys(["placed", "refused", "amended", "not amended", "given", "not given", "auctions"], 0)

    def place(self) -> None:
        choose = self.random
        batch = [
            new_order(
                self.instrument, choose.choice([*self.wallets, self.stock]), choose.choice(["BUY", "BUY", "SELL"]),
                choose.randint(1, 25), choose.randint(95, 105), choose.choice(["GTC", "GTC", "GTC", "IOC", "FOK"]),
            )
            for _ in range(choose.randint(1, 5))
        ]  # fmt: skip
        for answer in place_orders(batch):
            self.orders.append(answer.order_id)
            self.done["refused" if answer.reason == "position_limit" else "placed"] += 1

    def change(self) -> None:
        order = self.random.choice(self.orders[-12:])
        try:
            if self.random.random() < 0.3:
                cancel_order(order_id=order, now=timezone.now())
            else:
                quantity, price = self.random.randint(1, 40), self.random.randint(95, 105)
                amend_order(order_id=order, quantity=quantity, limit_price=price)
                self.done["amended"] += 1
        except Refusal as refusal:
            self.done["not amended"] += getattr(refusal, "reason", "") == "position_limit"

    def give(self) -> None:
        """Tokens from elsewhere count, too."""
        try:
            grant(
                asset_id=self.instrument.asset_id, from_wallet_id=self.stock.id,
                to_wallet_id=self.random.choice(self.wallets).id, now=timezone.now(), scope="law",
                amount=self.random.randint(1, 10) * GPU_SECONDS_PER_LOT, key=str(self.random.random()),
            )  # fmt: skip
            self.done["given"] += 1
        except Refusal:
            self.done["not given"] += 1

    def auction(self) -> None:
        in_auction(self.instrument)
        for _ in range(4):
            self.place()
            self.change()
            self.keeps_the_law()
        auction_over(self.instrument)
        self.done["auctions"] += 1

    def keeps_the_law(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                """
                SELECT coalesce(w.beneficial_owner_id, w.id), sum(x.seconds) FROM (
                    SELECT wallet_id, balance AS seconds FROM ledger_account WHERE asset_id = %s
                    UNION ALL
                    SELECT wallet_id, (quantity - filled_quantity) * 36 FROM market_order
                    WHERE status = 'OPEN' AND side = 'BUY'
                ) x JOIN ledger_wallet w ON w.id = x.wallet_id WHERE w.kind = 'PERSON' GROUP BY 1
                """,
                [self.instrument.asset_id],
            )
            for owner, seconds in cursor.fetchall():
                assert seconds <= LIMIT * GPU_SECONDS_PER_LOT, f"{owner} has and bids for {seconds / 36} lots"


def test_nobody_ever_has_and_bids_for_more_than_the_limit():
    room, steps = Room(20261123), count(3000)
    for step in range(steps):
        drawn = room.random.random()
        if step % 60 == 59:
            room.auction()
        elif drawn < 0.55 or not room.orders:
            room.place()
        elif drawn < 0.9:
            room.change()
        else:
            room.give()
        room.keeps_the_law()
    print(f"{steps} steps: {room.done}")
    assert min(room.done.values()) > 0
    assert Order.objects.filter(reason="position_limit").exists()
    assert_value_is_conserved()
