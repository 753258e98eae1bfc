"""The laws of matching, over thousands of random flows, against a naive market: pure, and on the real database."""

import itertools

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.errors import Refusal
from ledger.models import Account
from market import settling
from market.amending import amend_order
from market.answers import NewOrder, PlacedOrder
from market.batch import GPU_SECONDS_PER_LOT, Working, clear_batch
from market.models import Order, Trade
from market.orders import cancel_order, place_orders
from tests.market.builders import (
    assert_value_is_conserved,
    fees_received,
    some_instrument,
    some_trader,
    total_held,
    with_rules,
)
from tests.market.naive import NaiveMarket, NaiveOrder

OWNERS = 4
_numbers = itertools.count(1)
CREDITS, LOTS = 1500, 40

SELF_TRADES = ["CANCEL_NEWEST", "CANCEL_OLDEST", "CANCEL_BOTH", "DECREMENT"]
TERMS = [("GTC", False), ("GTC", False), ("IOC", False), ("FOK", False), ("GTC", True)]
placements = st.builds(
    lambda owner, side, price, quantity, terms, self_trade: (
        "place", owner, side, price, quantity, *terms, self_trade,
    ),
    st.integers(0, OWNERS - 1), st.sampled_from(["BUY", "SELL"]), st.integers(8, 16), st.integers(1, 12),
    st.sampled_from(TERMS), st.sampled_from(SELF_TRADES),
)  # fmt: skip
cancels = st.tuples(st.just("cancel"), st.integers(0, 60))
amendments = st.tuples(st.just("amend"), st.integers(0, 60), st.integers(0, 14), st.integers(8, 16))
flows = st.lists(st.one_of(placements, placements, placements, cancels), max_size=45)
flows_with_amendments = st.lists(st.one_of(placements, placements, cancels, amendments), max_size=45)

# Rates so high that they show at these prices; the database allows a tenth of a percent a step up to 10 %.
fee_rates = st.sampled_from([(0, 0), (0, 700), (300, 300), (333, 999)]).map(
    lambda rates: {"maker_bp": rates[0], "taker_bp": rates[1]}
)


class PureMarket:
    """The pure function behind clearing, kept in memory as the database keeps it between batches."""

    def __init__(self, credits: dict[int, int], lots: dict[int, int], *, maker_bp: int = 0, taker_bp: int = 0) -> None:
        self.rates = {"maker_bp": maker_bp, "taker_bp": taker_bp}
        self.fees = 0
        self.available = dict(credits)
        self.available |= {100 + owner: amount * GPU_SECONDS_PER_LOT for owner, amount in lots.items()}
        self.resting: list[Working] = []
        self.orders: dict[int, Working] = {}
        self.trades: list[tuple[int, int, int, int]] = []
        self.priority = 0

    def place(self, orders: list[NaiveOrder]) -> None:
        waiting = [
            Working(
                order.id, order.owner, order.side, order.price, order.quantity,
                account=order.owner if order.side == "BUY" else 100 + order.owner,
                receiving_account=100 + order.owner if order.side == "BUY" else order.owner,
                stays=order.tif == "GTC", fill_or_kill=order.tif == "FOK", post_only=order.post_only,
                self_trade=order.self_trade, **self.rates,
            )
            for order in orders
        ]  # fmt: skip
        self.orders |= {order.id: order for order in waiting}
        outcome = clear_batch(
            waiting=waiting, resting=self.resting, available=self.available, last_priority=self.priority
        )
        self.priority = outcome.last_priority
        for account, change in outcome.held.items():
            self.available[account] -= change
        for trade in outcome.trades:
            cost, seconds = trade.price * trade.quantity, GPU_SECONDS_PER_LOT * trade.quantity
            buyers_fee, sellers_fee = trade.fees_of_both
            self.fees += buyers_fee + sellers_fee
            self.available[trade.buyer.account] -= cost + buyers_fee
            self.available[trade.seller.receiving_account] += cost - sellers_fee
            self.available[trade.seller.account] -= seconds
            self.available[trade.buyer.receiving_account] += seconds
            self.trades.append((trade.maker.id, trade.taker.id, trade.price, trade.quantity))
        self.resting = [order for order in self.orders.values() if order.status == "OPEN"]

    def cancel(self, order_id: int) -> bool:
        order = self.orders[order_id]
        if order.status != "OPEN":
            return False
        self.available[order.account] += order.held
        order.status = "CANCELLED"
        self.resting.remove(order)
        return True


@settings(max_examples=2000, deadline=None)
@given(flow=flows, sizes=st.lists(st.integers(1, 9), min_size=1, max_size=8), rates=fee_rates)
def test_the_pure_batches_agree_with_a_naive_market(flow, sizes, rates):
    funds = dict.fromkeys(range(OWNERS), CREDITS), dict.fromkeys(range(OWNERS), LOTS)
    naive, pure = NaiveMarket(*funds, **rates), PureMarket(*funds, **rates)
    batch_sizes = itertools.cycle(sizes)
    batch: list[NaiveOrder] = []
    size = next(batch_sizes)

    def flush() -> None:
        pure.place(batch)
        batch.clear()

    for step in flow:
        if step[0] == "place":
            batch.append(NaiveOrder(len(naive.orders), *step[1:]))
            naive.place(NaiveOrder(len(naive.orders), *step[1:]))
            if len(batch) >= size:
                flush()
                size = next(batch_sizes)
        else:
            flush()
            if step[1] < len(naive.orders):
                assert naive.cancel(naive.orders[step[1]]) == pure.cancel(step[1])
    flush()

    assert pure.trades == naive.trades
    assert pure.fees == naive.fees
    assert [pure.orders[o.id].status for o in naive.orders] == [o.status for o in naive.orders]
    assert {o: pure.available[o] for o in range(OWNERS)} == naive.credits
    assert {o: pure.available[100 + o] for o in range(OWNERS)} == {
        o: lots * GPU_SECONDS_PER_LOT for o, lots in naive.lots.items()
    }
    for maker, taker, price, _ in pure.trades:
        for order in (naive.orders[maker], naive.orders[taker]):
            assert price <= order.price if order.side == "BUY" else price >= order.price


@pytest.mark.django_db
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flow=flows_with_amendments, size=st.integers(1, 7), copy_from=st.sampled_from([1, 3, 50]), rates=fee_rates)
def test_the_clearing_on_postgres_agrees_with_a_naive_market(flow, size, copy_from, rates):
    """By arrays and by COPY alike: from how many rows on must make no difference."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(settling, "COPY_FROM", copy_from)
        walk_on_postgres(flow, size, rates)


def walk_on_postgres(flow, size, rates):
    number = next(_numbers)
    instrument = some_instrument(f"LAW-{number}")
    with_rules(instrument, maker_fee_bp=rates["maker_bp"], taker_fee_bp=rates["taker_bp"])
    fees_before = fees_received()
    wallets = [some_trader(instrument, f"Owner {n}", credits=CREDITS, lots=LOTS) for n in range(OWNERS)]
    naive = NaiveMarket(dict.fromkeys(range(OWNERS), CREDITS), dict.fromkeys(range(OWNERS), LOTS), **rates)
    placed: list[PlacedOrder] = []
    by_id: list[NaiveOrder] = []
    batch: list[NewOrder] = []

    def flush() -> None:
        for answer in place_orders(batch):
            assert isinstance(answer, PlacedOrder)
            placed.append(answer)
        batch.clear()

    for step in flow:
        if step[0] == "place":
            _, owner, side, price, quantity, tif, post_only, self_trade = step
            by_id.append(NaiveOrder(len(by_id), *step[1:]))
            naive.place(by_id[-1])
            key = f"law-{number}-{len(by_id)}"
            wallet = wallets[owner].id
            batch.append(
                NewOrder(instrument.id, wallet, side, price, quantity, key, tif, "LIMIT", post_only, self_trade)
            )
            if len(batch) >= size:
                flush()
            continue
        flush()
        if step[1] >= len(placed):
            continue
        order, order_id = by_id[step[1]], placed[step[1]].order_id
        if step[0] == "amend":
            assert naive.amend(order, step[2], step[3]) == amended(order_id, step[2], step[3])
        elif naive.cancel(order):
            cancel_order(order_id=order_id, now=timezone.now())
    flush()

    names = {answer.order_id: place for place, answer in enumerate(placed)}
    trades = Trade.objects.filter(instrument=instrument).order_by("number")
    assert [(names[t.maker_id], names[t.taker_id], t.price, t.quantity) for t in trades] == naive.trades
    assert fees_received() - fees_before == naive.fees
    statuses = dict(Order.objects.filter(instrument=instrument).values_list("id", "status"))
    assert [statuses[answer.order_id] for answer in placed] == [order.status for order in by_id]
    for owner, wallet in enumerate(wallets):
        assert _available(wallet, instrument.price_asset_id) == naive.credits[owner]
        assert _available(wallet, instrument.asset_id) == naive.lots[owner] * GPU_SECONDS_PER_LOT
    for answer in placed:
        if statuses[answer.order_id] == "OPEN":
            cancel_order(order_id=answer.order_id, now=timezone.now())
    assert total_held() == 0
    assert_value_is_conserved()


def amended(order_id: int, quantity: int, price: int) -> bool:
    try:
        amend_order(order_id=order_id, quantity=quantity, limit_price=price)
    except Refusal:
        return False
    return True


def _available(wallet, asset_id):
    return Account.objects.get(wallet=wallet, asset_id=asset_id).available
