"""100,000 random orders of every kind, mixed with cancels, amendments and auctions, under fees and bands: the market
against the naive one, without a difference."""

import random

import pytest
from django.utils import timezone

from ledger.errors import Refusal
from ledger.models import Account
from market import settling, uncrossing
from market.amending import amend_order
from market.answers import NewOrder, PlacedOrder
from market.auctions.reads import indication_of
from market.models import GPU_SECONDS_PER_LOT, Instrument, Order, Trade
from market.orders import cancel_order, place_orders
from market.uncrossing import end_auction
from tests.full import count
from tests.market.builders import (
    assert_value_is_conserved,
    fees_received,
    in_auction,
    make_due,
    some_instrument,
    some_trader,
    with_rules,
)
from tests.market.naive import NaiveMarket, NaiveOrder

pytestmark = pytest.mark.django_db(transaction=True)
OWNERS, CREDITS, LOTS, IN_A_FLOW = 5, 200_000, 400, 250
TERMS = ["GTC", "GTC", "GTC", "GTC", "IOC", "FOK", "POST", "MARKET"]
SELF_TRADES = ["CANCEL_NEWEST", "CANCEL_OLDEST", "CANCEL_BOTH", "DECREMENT"]
RULES = [
    {},
    {"maker_fee_bp": 15, "taker_fee_bp": 40, "dynamic_band_bp": 300, "reference_price": 1000},
    {"static_band_bp": 400, "reference_price": 1000},
    {"maker_fee_bp": 333, "taker_fee_bp": 999, "static_band_bp": 600, "dynamic_band_bp": 200, "reference_price": 995},
]


class Flow:
    """One instrument and its naive twin; every step is taken in both."""

    def __init__(self, number: int, chooser: random.Random) -> None:
        self.number, self.chooser = number, chooser
        rules = RULES[number % len(RULES)]
        self.instrument = with_rules(some_instrument(f"WHOLE-{number}"), **rules)
        self.wallets = [some_trader(self.instrument, f"Owner {n}", credits=CREDITS, lots=LOTS) for n in range(OWNERS)]
        self.naive = NaiveMarket(
            dict.fromkeys(range(OWNERS), CREDITS), dict.fromkeys(range(OWNERS), LOTS),
            maker_bp=rules.get("maker_fee_bp", 0), taker_bp=rules.get("taker_fee_bp", 0),
            static_bp=rules.get("static_band_bp"), dynamic_bp=rules.get("dynamic_band_bp"),
            reference=rules.get("reference_price"),
        )  # fmt: skip
        self.fees_before = fees_received()
        self.orders: list[NaiveOrder] = []
        self.ids: list[int] = []
        self.batch: list[NewOrder] = []
        self.seen = dict.fromkeys(["cancels", "cancelled", "amendments", "amended", "auctions"], 0)

    def place(self) -> None:
        choose = self.chooser
        term, owner = choose.choice(TERMS), choose.randrange(OWNERS)
        side, price, quantity = choose.choice(["BUY", "SELL"]), round(choose.gauss(1000, 18)), choose.randint(1, 12)
        tif = {"POST": "GTC", "MARKET": "IOC"}.get(term, term)
        order = NaiveOrder(
            len(self.orders), owner, side, price, quantity, tif, term == "POST", choose.choice(SELF_TRADES),
            term == "MARKET",
        )  # fmt: skip
        self.orders.append(order)
        self.naive.place(order)
        self.batch.append(
            NewOrder(
                self.instrument.id, self.wallets[owner].id, side, price, quantity,
                f"whole-{self.number}-{order.id}", tif, "MARKET" if order.at_market else "LIMIT", order.post_only,
                order.self_trade,
            )
        )  # fmt: skip
        if len(self.batch) >= choose.choice([1, 3, 8, 25]):
            self.flush()

    def flush(self) -> None:
        for answer in place_orders(self.batch):
            assert isinstance(answer, PlacedOrder)
            self.ids.append(answer.order_id)
        self.batch.clear()

    def step(self) -> None:
        drawn = self.chooser.random()
        if drawn < 0.8:
            self.place()
            return
        self.flush()
        if drawn < 0.9 and self.ids:
            # One of the newest: many of them are still open.
            self.change(self.chooser.randrange(max(0, len(self.ids) - 30), len(self.ids)), amends=drawn < 0.85)
        elif drawn > 0.94:
            self.auction()

    def change(self, place: int, *, amends: bool) -> None:
        if amends:
            self.seen["amendments"] += 1
            self.amend(place, self.chooser.randint(0, 14), round(self.chooser.gauss(1000, 18)))
        else:
            self.seen["cancels"] += 1
            self.cancel(place)

    def amend(self, place: int, quantity: int, price: int) -> bool:
        done = _done(amend_order, order_id=self.ids[place], quantity=quantity, limit_price=price)
        self.seen["amended"] += done
        assert self.naive.amend(self.orders[place], quantity, price) == done
        return done

    def cancel(self, place: int) -> bool:
        done = _done(cancel_order, order_id=self.ids[place], now=timezone.now())
        self.seen["cancelled"] += done
        assert self.naive.cancel(self.orders[place]) == done
        return done

    def auction(self) -> None:
        """End the one that is on, or let one begin now and then."""
        if self.naive.in_auction:
            self.seen["auctions"] += 1
            said = indication_of(Instrument.objects.get(id=self.instrument.id))
            assert (said.price, said.volume, said.surplus) == self.naive.indication()
            self.naive.uncross()
            make_due(self.instrument)
            assert end_auction(self.instrument.id)
        elif self.chooser.random() < 0.3:
            self.begin_auction()

    def begin_auction(self) -> None:
        in_auction(self.instrument)
        self.naive.in_auction = True

    def compare(self) -> None:
        self.flush()
        phase = Instrument.objects.get(id=self.instrument.id).phase
        assert phase == ("AUCTION" if self.naive.in_auction else "CONTINUOUS")
        places = {order_id: place for place, order_id in enumerate(self.ids)}
        made = Trade.objects.filter(instrument=self.instrument).order_by("number")
        assert [(places[t.maker_id], places[t.taker_id], t.price, t.quantity) for t in made] == self.naive.trades
        rows = Order.objects.in_bulk(self.ids)
        assert [rows[id_].status for id_ in self.ids] == [order.status for order in self.orders]
        for owner, wallet in enumerate(self.wallets):
            assert _available(wallet, self.instrument.price_asset_id) == self.naive.credits[owner]
            assert _available(wallet, self.instrument.asset_id) == self.naive.lots[owner] * GPU_SECONDS_PER_LOT
        assert fees_received() - self.fees_before == self.naive.fees


def test_a_hundred_thousand_random_orders_without_a_difference(monkeypatch):
    chooser = random.Random(20261122)
    wanted, placed, traded = count(100_000), 0, 0
    seen: dict[str, int] = {}
    number = 0
    while placed < wanted:
        number += 1
        monkeypatch.setattr(settling, "COPY_FROM", chooser.choice([1, 5, 50]))
        monkeypatch.setattr(uncrossing, "CHUNK", chooser.choice([2, 7, 1000]))
        flow = Flow(number, chooser)
        while len(flow.orders) < IN_A_FLOW:
            flow.step()
        flow.compare()
        placed += len(flow.orders)
        traded += len(flow.naive.trades)
        seen = {name: seen.get(name, 0) + times for name, times in flow.seen.items()}
    print(f"{placed} orders, {traded} trades, {seen} in {number} markets: no difference")
    assert_value_is_conserved()
    assert min(seen.values()) > wanted // 1000


def _done(action, **arguments) -> bool:
    try:
        action(**arguments)
    except Refusal:
        return False
    return True


def _available(wallet, asset_id: int) -> int:
    return Account.objects.get(wallet=wallet, asset_id=asset_id).available
