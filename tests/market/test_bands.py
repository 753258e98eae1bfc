"""Bands: up to the edge an order trades, the rest of it waits in the auction that follows."""

import pytest

from market.amending import amend_order
from market.auctions.reads import auction_state, indication_of
from market.bands import band
from market.models import Instrument, InstrumentChange, Order, Trade
from market.orders import place_orders
from market.phases import clock
from market.preview import preview_order
from tests.market.builders import (
    assert_value_is_conserved,
    auction_over,
    book,
    in_auction,
    new_order,
    placed,
    some_instrument,
    some_trader,
    with_rules,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def market():
    """5 % either way of the last trade, and 10 % of a reference of 1000; offers at 1000, 1040, 1060 and 1200."""
    instrument = with_rules(some_instrument(), static_band_bp=1000, dynamic_band_bp=500, reference_price=1000)
    ada, bob = some_trader(instrument), some_trader(instrument, "Bob")
    for price in (1000, 1040, 1060, 1200):
        placed(instrument, ada, "SELL", 5, price)
    placed(instrument, bob, "BUY", 1, 1000)
    return instrument, ada, bob


def trades() -> list[tuple[int, int]]:
    return list(Trade.objects.order_by("number").values_list("price", "quantity"))[1:]


def test_the_edges_are_inside_and_rounded_inwards():
    assert band(1000, 500) == (950, 1050)
    assert band(33, 1000) == (30, 36)  # 29.7 and 36.3
    assert band(None, 500)[0] == 0 == band(1000, None)[0]


def test_an_order_trades_up_to_the_edge_and_the_rest_waits_in_the_auction(market):
    instrument, _, bob = market

    swept = placed(instrument, bob, "BUY", 20, 1060)

    assert (swept.status, swept.filled_quantity) == ("OPEN", 9)
    assert trades() == [(1000, 4), (1040, 5)]
    instrument.refresh_from_db()
    assert instrument.phase == "AUCTION"
    change = InstrumentChange.objects.order_by("-id").first()
    assert (change.cause, change.phase, change.changed_by) == ("BAND", "AUCTION", None)
    assert instrument.events.order_by("-number").first().payload["phase"] == "AUCTION"
    state = auction_state(instrument, now=clock())
    assert (state.stage, state.price, state.volume, state.surplus) == ("COLLECT", 1060, 5, 6)

    auction_over(instrument)
    assert trades()[2:] == [(1060, 5)]
    assert (instrument.phase, instrument.reference_price) == ("CONTINUOUS", 1060)
    assert book(instrument) == {"bids": [(1060, 6)], "asks": [(1200, 5)]}
    assert_value_is_conserved()


def test_the_static_band_holds_where_the_last_trade_has_wandered(market):
    instrument, ada, bob = market
    for price in (1040, 1080):
        placed(instrument, ada, "SELL", 5, price)
        placed(instrument, bob, "BUY", 30, price)
        if Instrument.objects.get().phase == "AUCTION":
            auction_over(instrument)
            with_rules(instrument, reference_price=1000)
    last = Instrument.objects.get().last_price
    placed(instrument, ada, "SELL", 1, 1110)

    stopped = placed(instrument, bob, "BUY", 1, 1110)

    assert last * 1.05 > 1110  # by the dynamic band alone it would have traded
    assert stopped.filled_quantity == 0
    assert Instrument.objects.get().phase == "AUCTION"


@pytest.mark.parametrize(
    ("terms", "status", "reason", "phase"),
    [
        ({"time_in_force": "IOC"}, "CANCELLED", "outside_band", "CONTINUOUS"),
        ({"time_in_force": "FOK"}, "CANCELLED", "fill_or_kill", "CONTINUOUS"),
        ({"kind": "MARKET", "time_in_force": "IOC"}, "OPEN", "", "AUCTION"),
        ({"post_only": True}, "REJECTED", "would_trade", "CONTINUOUS"),
    ],
)
def test_only_what_can_wait_leads_to_an_auction(market, terms, status, reason, phase):
    instrument, _, bob = market

    answer = placed(instrument, bob, "BUY", 14, 1100, **terms)

    assert (answer.status, answer.reason) == (status, reason)
    assert Instrument.objects.get().phase == phase
    assert_value_is_conserved()


def test_what_comes_after_it_in_the_same_batch_waits_too(market):
    instrument, ada, bob = market

    answers = place_orders(
        [
            new_order(instrument, bob, "BUY", 20, 1100),
            new_order(instrument, ada, "SELL", 3, 1010),
            new_order(instrument, ada, "SELL", 3, 1010, "IOC"),
        ]
    )

    assert [answer.status for answer in answers] == ["OPEN", "OPEN", "REJECTED"]
    assert answers[2].reason == "not_in_auction"
    assert trades() == [(1000, 4), (1040, 5)]


def test_the_preview_trades_no_further_than_the_band(market):
    instrument, _, bob = market
    instrument.refresh_from_db()

    said = preview_order(instrument=instrument, order=new_order(instrument, bob, "BUY", 14, 1100))

    assert (said.filled_quantity, said.rest_quantity) == (9, 5)


def test_a_sellers_order_stops_at_the_lower_edge(market):
    instrument, ada, bob = market
    placed(instrument, bob, "BUY", 5, 960)
    placed(instrument, bob, "BUY", 5, 940)

    sold = placed(instrument, ada, "SELL", 10, 900)

    assert (sold.filled_quantity, sold.status) == (5, "OPEN")
    assert Order.objects.get(id=sold.order_id).open_quantity == 5
    assert Instrument.objects.get().phase == "AUCTION"


def test_the_indication_is_what_the_auction_then_does(market):
    instrument, ada, bob = market
    in_auction(instrument)
    for number in range(12):
        placed(instrument, bob, "BUY", 1 + number % 4, 1000 + 11 * number)
        placed(instrument, ada, "SELL", 1 + number % 3, 990 + 12 * number)
    placed(instrument, bob, "BUY", 3, 1300, kind="MARKET", time_in_force="IOC")
    instrument.refresh_from_db()
    said = indication_of(instrument)

    auction_over(instrument)

    assert said.volume > 0
    assert said.price == instrument.last_price
    assert said.volume == sum(quantity for _, quantity in trades())
    assert_value_is_conserved()


@pytest.mark.parametrize(
    ("choice", "mine", "arrived"),
    [
        ("CANCEL_NEWEST", ("OPEN", 5), ("CANCELLED", 7)),
        ("CANCEL_OLDEST", ("CANCELLED", 0), ("OPEN", 7)),
        ("CANCEL_BOTH", ("CANCELLED", 0), ("CANCELLED", 7)),
        ("DECREMENT", ("CANCELLED", 0), ("OPEN", 2)),
    ],
)
def test_nobody_begins_an_auction_by_meeting_themself_outside_the_band(choice, mine, arrived):
    instrument = with_rules(some_instrument(), static_band_bp=1000, reference_price=1000)
    ada = some_trader(instrument)
    own = placed(instrument, ada, "SELL", 5, 1200)

    answer = placed(instrument, ada, "BUY", 7, 1200, self_trade=choice)

    first, second = Order.objects.get(id=own.order_id), Order.objects.get(id=answer.order_id)
    assert Instrument.objects.get().phase == "CONTINUOUS"
    assert (first.status, first.open_quantity if first.status == "OPEN" else 0) == mine
    assert (second.status, second.open_quantity) == arrived
    assert_value_is_conserved()


def test_behind_ones_own_order_another_outside_the_band_leads_to_the_auction():
    instrument = with_rules(some_instrument(), static_band_bp=1000, reference_price=1000)
    ada, bob = some_trader(instrument), some_trader(instrument, "Bob")
    own = placed(instrument, ada, "SELL", 5, 1150)
    placed(instrument, bob, "SELL", 5, 1200)

    immediate = placed(instrument, ada, "BUY", 7, 1200, self_trade="CANCEL_OLDEST", time_in_force="IOC")
    assert (immediate.status, immediate.reason) == ("CANCELLED", "outside_band")
    assert Order.objects.get(id=own.order_id).status == "OPEN"
    waiting = placed(instrument, ada, "BUY", 7, 1200, self_trade="CANCEL_OLDEST")

    assert Order.objects.get(id=own.order_id).status == "CANCELLED"
    assert waiting.status == "OPEN"
    assert Instrument.objects.get().phase == "AUCTION"
    auction_over(instrument)
    assert trades_of(instrument) == [(1200, 5)]


def test_trading_goes_up_to_the_very_edge_and_no_tick_further():
    instrument = with_rules(some_instrument(), static_band_bp=1000, dynamic_band_bp=500, reference_price=1000)
    ada, bob = some_trader(instrument), some_trader(instrument, "Bob")
    placed(instrument, ada, "SELL", 1, 1000)
    placed(instrument, bob, "BUY", 1, 1000)
    for price in (1050, 1051):
        placed(instrument, ada, "SELL", 5, price)

    immediate = placed(instrument, bob, "BUY", 9, 1051, time_in_force="IOC")
    killed = placed(instrument, bob, "BUY", 5, 1051, time_in_force="FOK", kind="MARKET")

    assert (immediate.filled_quantity, immediate.filled_value, immediate.reason) == (5, 5 * 1050, "outside_band")
    # The last trade has moved, and the dynamic band with it: 1051 is inside now.
    assert (killed.status, killed.filled_value) == ("FILLED", 5 * 1051)
    placed(instrument, ada, "SELL", 5, 1101)
    killed = placed(instrument, bob, "BUY", 5, 1101, time_in_force="FOK")
    assert (killed.status, killed.reason) == ("CANCELLED", "fill_or_kill")  # the static band ends at 1100
    assert Instrument.objects.get().phase == "CONTINUOUS"


def test_an_order_that_rests_outside_the_band_leads_nowhere_until_somebody_would_trade_with_it():
    instrument = with_rules(some_instrument(), static_band_bp=1000, reference_price=1000)
    ada, bob = some_trader(instrument), some_trader(instrument, "Bob")

    assert placed(instrument, ada, "SELL", 5, 1101).status == "OPEN"
    assert placed(instrument, bob, "BUY", 5, 899).status == "OPEN"
    assert Instrument.objects.get().phase == "CONTINUOUS"
    assert placed(instrument, ada, "SELL", 2, 899).status == "OPEN"
    assert Instrument.objects.get().phase == "AUCTION"
    auction_over(instrument)
    assert trades_of(instrument) == [(899, 2)]


def test_what_is_amended_out_of_the_band_leads_to_an_auction_too():
    instrument = with_rules(some_instrument(), static_band_bp=1000, reference_price=1000)
    ada, bob = some_trader(instrument), some_trader(instrument, "Bob")
    placed(instrument, ada, "SELL", 3, 1100)
    placed(instrument, ada, "SELL", 3, 1101)
    bid = placed(instrument, bob, "BUY", 5, 1000)

    answer = amend_order(order_id=bid.order_id, limit_price=1101)

    assert (answer.status, answer.filled_quantity, answer.filled_value) == ("OPEN", 3, 3300)
    assert Instrument.objects.get().phase == "AUCTION"
    assert_value_is_conserved()


def trades_of(instrument: Instrument) -> list[tuple[int, int]]:
    return list(Trade.objects.filter(instrument=instrument).order_by("number").values_list("price", "quantity"))
