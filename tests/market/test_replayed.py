"""Clearing again from the commands alone: the same bytes, whatever the order of Python's sets and dicts may be."""

import json
import os
import random
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from market.models import GPU_SECONDS_PER_LOT, Order, Trade
from tests.full import count
from tests.market import test_naive_whole as whole

pytestmark = pytest.mark.django_db(transaction=True)
ROOT = Path(__file__).resolve().parents[2]


def test_the_same_commands_give_the_same_bytes_under_any_hash_seed():
    flow = Recorded(3, random.Random(4711))
    while len(flow.orders) < count(5_000):
        flow.step()
    flow.compare()
    asked = json.dumps(flow.asked())

    said = {
        subprocess.run(
            [sys.executable, "-m", "tests.market.replaying"], input=asked, capture_output=True, text=True, check=True,
            cwd=ROOT, env=os.environ | {"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("0", "1", "42", "4294967295", "random")
    }  # fmt: skip

    assert len(said) == 1
    replayed = json.loads(said.pop())
    names = {order_id: place for place, order_id in enumerate(flow.ids)}
    made = [
        [names[t.maker_id], names[t.taker_id], t.price, t.quantity]
        + ([t.taker_fee, t.maker_fee] if t.taker_side == "BUY" else [t.maker_fee, t.taker_fee])
        for t in Trade.objects.filter(instrument=flow.instrument).order_by("number")
    ]
    kinds = Counter(kind for kind, _ in flow.commands)
    print(f"{len(flow.orders)} orders, {len(made)} trades, {dict(kinds)}: {replayed['entries']}")
    assert replayed["trades"] == made
    ends = [[place, order.status, order.filled_quantity] for place, order in ended(flow)]
    assert replayed["orders"] == ends
    assert min(kinds[kind] for kind in ("amend", "cancel", "begin", "auction")) > 0
    assert len(made) > 100


def ended(flow):
    rows = Order.objects.in_bulk(flow.ids)
    return [(place, rows[order_id]) for place, order_id in enumerate(flow.ids)]


class Recorded(whole.Flow):
    """A flow of orders, amendments, cancels and auctions that keeps its commands."""

    def __init__(self, number, chooser):
        super().__init__(number, chooser)
        self.commands: list[tuple[str, object]] = []
        self.instrument.refresh_from_db()

    def flush(self):
        first = len(self.ids)
        content = []
        for place, new in enumerate(self.batch, first):
            owner = self.orders[place].owner
            buys = new.side == "BUY"
            content.append(
                {
                    "id": place, "owner": owner, "side": new.side, "limit_price": new.limit_price,
                    "open_quantity": new.quantity, "account": 10 + owner if buys else 100 + owner,
                    "receiving_account": 100 + owner if buys else 10 + owner, "wallet_tag": f"{owner:032x}",
                    "stays": new.time_in_force == "GTC", "fill_or_kill": new.time_in_force == "FOK",
                    "post_only": new.post_only, "self_trade": new.self_trade, "at_market": new.kind == "MARKET",
                    "maker_bp": self.instrument.maker_fee_bp, "taker_bp": self.instrument.taker_fee_bp,
                }
            )  # fmt: skip
        if content:
            self.commands.append(("batch", content))
        super().flush()

    def amend(self, place, quantity, price):
        done = super().amend(place, quantity, price)
        if done:
            self.commands.append(("amend", {"id": place, "quantity": quantity, "limit_price": price}))
        return done

    def cancel(self, place):
        done = super().cancel(place)
        if done:
            self.commands.append(("cancel", place))
        return done

    def begin_auction(self):
        self.commands.append(("begin", None))
        super().begin_auction()

    def auction(self):
        if self.naive.in_auction:
            self.commands.append(("auction", None))
        super().auction()

    def asked(self):
        available = {10 + owner: whole.CREDITS for owner in range(whole.OWNERS)}
        available |= {100 + owner: whole.LOTS * GPU_SECONDS_PER_LOT for owner in range(whole.OWNERS)}
        rules = whole.RULES[self.number % len(whole.RULES)]
        return {
            "available": available,
            "static_bp": rules.get("static_band_bp"),
            "dynamic_bp": rules.get("dynamic_band_bp"),
            "reference": rules.get("reference_price"),
            "commands": self.commands,
        }
