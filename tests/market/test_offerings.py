"""Primary issue: one price, what is set aside goes to small holders first, and nothing below the reserve."""

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, settings
from hypothesis import given as drawn
from hypothesis import strategies as st

from market import uncrossing
from market.errors import BadOffering, OfferingRefused
from market.instruments import close_instrument, halt_instrument, resume_instrument, set_mode
from market.models import GPU_SECONDS_PER_LOT, Allocation, Instrument, Offering, Order, Trade
from market.offerings.reads import allocations, bids_of, totals
from market.orders import cancel_order
from tests.ledger.builders import ruled
from tests.market.builders import (
    account,
    assert_value_is_conserved,
    auction_over,
    available,
    make_due,
    offered,
    placed,
    some_instrument,
    some_trader,
    total_held,
)

Phase = Instrument.Phase
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def market():
    """A department with 1,000 lots of a series that nobody else has."""
    instrument = some_instrument()
    return instrument, some_trader(instrument, "Physics", credits=0, lots=1000)


def bidder(instrument, name, lots=0):
    return some_trader(instrument, name, lots=lots)


def over(instrument, offering) -> Offering:
    auction_over(instrument)
    offering.refresh_from_db()
    return offering


def given_to(answer) -> tuple[int, int]:
    row = Allocation.objects.get(order_id=answer.order_id)
    return row.set_aside_quantity, row.rest_quantity


def test_it_holds_what_it_offers_and_sells_it_at_one_price(market):
    instrument, department = market
    offering = offered(instrument, department)
    assert account(department, instrument.asset_id).held == 100 * GPU_SECONDS_PER_LOT
    bids = [placed(instrument, bidder(instrument, name), "BUY", 60, price) for name, price in (("A", 900), ("B", 700))]

    over(instrument, offering)

    assert (offering.status, offering.price, offering.sold_quantity) == ("DONE", 700, 100)
    assert [given_to(bid) for bid in bids] == [(0, 60), (0, 40)]
    assert available(department, instrument.price_asset_id) == 100 * 700
    assert [line.why for line in allocations(offering)] == ["WHOLE", "MARGIN"]
    assert_value_is_conserved()


def test_below_the_reserve_nothing_is_sold_and_nothing_stays_held(market):
    instrument, department = market
    offering = offered(instrument, department)
    low = bidder(instrument, "Low")
    placed(instrument, low, "BUY", 60, 499)

    over(instrument, offering)

    assert (offering.status, offering.price, offering.sold_quantity) == ("DONE", None, 0)
    order = Order.objects.get(id=offering.order_id)
    assert (order.status, order.reason) == ("CANCELLED", "offering_over")
    assert available(department, instrument.asset_id) == 1000 * GPU_SECONDS_PER_LOT
    assert [line.why for line in bids_of(offering, [low.id])] == ["NOTHING_SOLD"]
    assert Trade.objects.count() == 0
    assert_value_is_conserved()


def test_who_bids_below_the_price_gets_nothing_of_what_is_set_aside(market):
    instrument, department = market
    offering = offered(instrument, department, set_aside_percent=40, small_below=10)
    big = placed(instrument, bidder(instrument, "Big", lots=10), "BUY", 100, 900)
    small = placed(instrument, bidder(instrument, "Small", lots=9), "BUY", 15, 600)
    later = placed(instrument, bidder(instrument, "Later"), "BUY", 15, 600)

    over(instrument, offering)

    # From 601 to 900 all of it is sold and nobody is left over: the middle, and small holders bid less.
    assert offering.price == 751
    assert given_to(big) == (0, 100)
    assert not Allocation.objects.filter(order_id__in=[small.order_id, later.order_id]).exists()
    assert_value_is_conserved()


def test_small_holders_at_the_price_are_served_before_better_bids_of_large_ones(market):
    instrument, department = market
    offering = offered(instrument, department, set_aside_percent=40, small_below=10)
    big = placed(instrument, bidder(instrument, "Big", lots=10), "BUY", 95, 900)
    edge = bidder(instrument, "Edge", lots=9)
    small = [placed(instrument, wallet, "BUY", 25, 600) for wallet in (edge, bidder(instrument, "None"))]

    over(instrument, offering)

    assert offering.price == 600
    assert [given_to(bid) for bid in (*small, big)] == [(25, 0), (15, 0), (0, 60)]
    assert offering.sold_quantity == 100
    assert [line.why for line in allocations(offering)] == ["MARGIN", "SMALL", "SMALL"]
    assert [line.set_aside_quantity for line in bids_of(offering, [edge.id])] == [25]
    assert totals(offering).set_aside_sold == 40
    assert_value_is_conserved()


def test_what_small_holders_leave_is_sold_to_all(market):
    instrument, department = market
    offering = offered(instrument, department, set_aside_percent=50, small_below=10)
    big = placed(instrument, bidder(instrument, "Big", lots=10), "BUY", 95, 600)
    small = placed(instrument, bidder(instrument, "Small"), "BUY", 20, 600)

    over(instrument, offering)

    assert [given_to(bid) for bid in (small, big)] == [(20, 0), (0, 80)]
    assert_value_is_conserved()


def test_all_wallets_of_one_owner_count_as_one_holder(market):
    instrument, department = market
    offering = offered(instrument, department, set_aside_percent=50, small_below=10)
    rich = bidder(instrument, "Rich", lots=10)
    puppet = bidder(instrument, "Puppet")
    ruled(puppet, owner=str(rich.public_id))
    bid = placed(instrument, puppet, "BUY", 100, 600)

    over(instrument, offering)

    assert Allocation.objects.get(order_id=bid.order_id).is_small is False
    assert given_to(bid) == (0, 100)


def test_the_department_cannot_be_its_own_small_holder(market):
    instrument, department = market
    offering = offered(instrument, department, set_aside_percent=50, small_below=100_000)
    puppet = bidder(instrument, "Puppet")
    ruled(puppet, owner=str(department.public_id))
    placed(instrument, puppet, "BUY", 50, 900)
    bid = placed(instrument, bidder(instrument, "Other"), "BUY", 100, 600)

    over(instrument, offering)

    assert given_to(bid) == (50, 50)
    assert_value_is_conserved()


def test_halted_in_the_middle_and_resumed_the_share_is_not_given_twice(market, monkeypatch):
    instrument, department = market
    monkeypatch.setattr(uncrossing, "CHUNK", 1)
    offering = offered(instrument, department, quantity=100, set_aside_percent=20, small_below=10)
    small = [placed(instrument, bidder(instrument, f"S{n}"), "BUY", 15, 700) for n in range(3)]
    big = placed(instrument, bidder(instrument, "Big", lots=10), "BUY", 90, 700)
    make_due(instrument)
    assert [uncrossing._move_on(instrument.id) for _ in range(2)] == [True, True]
    ruled(instrument.asset, paused=True)
    halt_instrument(instrument_id=instrument.id, reason="x", now=timezone.now())
    ruled(instrument.asset, paused=False)

    resume_instrument(instrument_id=instrument.id, now=timezone.now(), collect_seconds=3600, no_cancel_seconds=0)
    over(instrument, offering)

    assert sum(row.set_aside_quantity for row in Allocation.objects.all()) == 20
    assert [given_to(bid) for bid in (*small, big)] == [(15, 0), (5, 10), (0, 15), (0, 55)]
    assert offering.sold_quantity == 100
    assert_value_is_conserved()


def test_a_department_may_withdraw_it_while_it_collects(market):
    instrument, department = market
    offering = offered(instrument, department, set_aside_percent=50, small_below=10)
    placed(instrument, bidder(instrument, "A"), "BUY", 10, 600)

    cancel_order(order_id=offering.order_id, now=timezone.now())
    over(instrument, offering)

    assert (offering.status, offering.sold_quantity) == ("DONE", 0)
    assert Trade.objects.count() == 0


def test_what_cannot_be_offered_is_refused_and_nothing_happens(market):
    instrument, department = market
    with pytest.raises(OfferingRefused) as refused:
        offered(instrument, department, quantity=1001)
    assert refused.value.reason == "not_enough"
    for wrong in ({"quantity": 0}, {"reserve": 0}, {"set_aside_percent": 101}, {"small_below": -1}):
        with pytest.raises(BadOffering):
            offered(instrument, department, **wrong)
    assert Instrument.objects.get().phase == "CONTINUOUS"
    assert (Offering.objects.count(), Order.objects.count(), total_held()) == (0, 0, 0)

    offered(instrument, department)
    with pytest.raises(BadOffering):
        offered(instrument, department)


@pytest.mark.parametrize("stopped", [Phase.HALTED, Phase.CANCEL_ONLY, Phase.POST_ONLY])
def test_what_an_operator_has_stopped_no_department_lets_go_on(market, stopped):
    instrument, department = market
    if stopped == Phase.HALTED:
        halt_instrument(instrument_id=instrument.id, reason="x", now=timezone.now())
    else:
        set_mode(instrument_id=instrument.id, phase=stopped, reason="x", now=timezone.now())

    with pytest.raises(BadOffering):
        offered(instrument, department)

    assert Instrument.objects.get().phase == stopped
    assert (Offering.objects.count(), Order.objects.count(), total_held()) == (0, 0, 0)


def test_a_series_that_expires_ends_its_offering(market):
    instrument, department = market
    offering = offered(instrument, department)

    close_instrument(instrument_id=instrument.id, now=timezone.now())

    offering.refresh_from_db()
    assert (offering.status, total_held()) == ("DONE", 0)


def test_who_asks_for_less_than_the_reserve_sells_first_whatever_is_set_aside(market):
    instrument, department = market
    other = bidder(instrument, "Other", lots=50)
    offering = offered(instrument, department, set_aside_percent=100, small_below=10)
    ask = placed(instrument, other, "SELL", 50, 400)
    small = placed(instrument, bidder(instrument, "Small"), "BUY", 60, 600)

    over(instrument, offering)

    assert Order.objects.get(id=ask.order_id).status == "FILLED"
    assert (offering.sold_quantity, given_to(small)) == (10, (10, 0))
    assert Order.objects.get(id=small.order_id).status == "FILLED"
    assert_value_is_conserved()


def test_an_offering_that_others_undersell_altogether_sells_nothing_and_sets_nothing_aside(market):
    instrument, department = market
    other = bidder(instrument, "Other", lots=80)
    offering = offered(instrument, department, set_aside_percent=50, small_below=10)
    placed(instrument, other, "SELL", 80, 450)
    small = placed(instrument, bidder(instrument, "Small"), "BUY", 60, 600)

    over(instrument, offering)

    assert (offering.status, offering.price, offering.sold_quantity) == ("DONE", None, 0)
    assert given_to(small) == (0, 0)
    assert Order.objects.get(id=small.order_id).status == "FILLED"
    assert available(department, instrument.asset_id) == 1000 * GPU_SECONDS_PER_LOT
    assert_value_is_conserved()


def test_who_small_holders_went_before_trades_on_with_others_at_a_price_anew(market):
    instrument, department = market
    offering = offered(instrument, department, set_aside_percent=100, small_below=10)
    big = placed(instrument, bidder(instrument, "Big", lots=10), "BUY", 60, 600)
    small = placed(instrument, bidder(instrument, "Small"), "BUY", 60, 510)
    other = placed(instrument, bidder(instrument, "Other", lots=30), "SELL", 30, 550)

    over(instrument, offering)

    # At 510 there are 120 for a hundred: the small one is given its 60, the large one 40 of its 60, and 20 of Other's.
    assert (offering.price, offering.sold_quantity) == (510, 100)
    assert [given_to(bid) for bid in (small, big)] == [(60, 0), (0, 40)]
    assert [(t.price, t.quantity) for t in Trade.objects.filter(maker=other.order_id)] == []
    assert [(t.price, t.quantity) for t in Trade.objects.filter(taker=other.order_id)] == [(550, 20)]
    assert Order.objects.get(id=big.order_id).status == "FILLED"
    assert instrument.phase == "CONTINUOUS"
    assert_value_is_conserved()


bids = st.lists(st.tuples(st.integers(0, 5), st.integers(1, 40), st.integers(480, 520)), min_size=1, max_size=14)
asks = st.lists(st.tuples(st.integers(1, 40), st.integers(480, 515)), max_size=4)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@drawn(flow=bids, others=asks, percent=st.sampled_from([0, 25, 50, 100]), chunk=st.sampled_from([1, 3, 1000]))
def test_any_offering_is_shared_out_as_the_rules_say(flow, others, percent, chunk):
    """Against the plainest definition: small holders in line up to the share, then everybody in line, with other
    sellers in line before and behind."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(uncrossing, "CHUNK", chunk)
        number = Offering.objects.count()
        instrument = some_instrument(f"OFFER-{number}")
        department = some_trader(instrument, "Physics", credits=0, lots=100)
        wallets = [bidder(instrument, f"W{n}", lots=20 if n >= 3 else 0) for n in range(6)]
        sellers = [bidder(instrument, f"S{n}", lots=quantity) for n, (quantity, _) in enumerate(others)]
        offering = offered(instrument, department, reserve=490, set_aside_percent=percent, small_below=20)
        placed_bids = [(place, *bid, placed(instrument, wallets[bid[0]], "BUY", bid[1], bid[2]).order_id)
                       for place, bid in enumerate(flow)]  # fmt: skip
        for seller, (quantity, price) in zip(sellers, others, strict=True):
            placed(instrument, seller, "SELL", quantity, price)

        over(instrument, offering)

    made = list(Trade.objects.filter(instrument=instrument).order_by("number").values_list("price", flat=True))
    price = made[0] if made else 10**9
    line = sorted((bid for bid in placed_bids if bid[3] >= price), key=lambda bid: (-bid[3], bid[0]))
    left = {bid[4]: bid[2] for bid in line}
    supply = sorted([(490, -1, 100), *((at, place, quantity) for place, (quantity, at) in enumerate(others))])
    stock = [[place == -1, quantity] for at, place, quantity in supply if at <= price]
    before = sum(quantity for at, _, quantity in supply if at < 490)
    ours = next((each for each in stock if each[0]), [True, 0])
    set_aside = min(percent, max(0, min(100, sum(left.values()) - before)))  # of a hundred lots
    expected = {bid[4]: [0, 0] for bid in line}
    for owner, order_id in ((bid[1], bid[4]) for bid in line):
        taken = min(left[order_id], set_aside, ours[1]) if owner < 3 else 0
        set_aside, ours[1], left[order_id] = set_aside - taken, ours[1] - taken, left[order_id] - taken
        expected[order_id][0] = taken
    for order_id in (bid[4] for bid in line):
        for each in stock:
            taken = min(left[order_id], each[1])
            each[1] -= taken
            left[order_id] -= taken
            expected[order_id][1] += taken if each[0] else 0
    rows = Allocation.objects.filter(offering=offering)
    assert {row.order_id: [row.set_aside_quantity, row.rest_quantity] for row in rows} == expected
    assert offering.sold_quantity == sum(map(sum, expected.values()))
    assert offering.price == (price if offering.sold_quantity else None)
    # Bids that small holders went before may meet other sellers above the price: that is a price of its own.
    assert all(other > price for other in set(made) - {price})
    assert len(set(made)) <= (2 if percent and others else 1)
    assert_value_is_conserved()
