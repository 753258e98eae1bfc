"""The modes between open and closed, and what leads from one to another."""

from datetime import timedelta

import pytest
from django.utils import timezone

from market.errors import BookCrossed, InstrumentClosed
from market.instruments import close_instrument, halt_instrument, open_instrument, resume_instrument, set_mode
from market.models import InstrumentChange, Trade
from market.orders import cancel_order
from market.uncrossing import end_auction
from tests.ledger.builders import some_series
from tests.market.builders import (
    assert_value_is_conserved,
    in_auction,
    placed,
    some_instrument,
    some_trader,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def market():
    instrument = some_instrument()
    return instrument, some_trader(instrument), some_trader(instrument, "Bob")


def trades() -> list[tuple[int, int]]:
    return list(Trade.objects.order_by("number").values_list("price", "quantity"))


def test_a_new_series_may_open_by_auction():
    series = some_series("H100-2027Q2")
    instrument = open_instrument(asset_id=series.id, now=timezone.now(), by_auction=True, reason="New.")
    change = InstrumentChange.objects.get(instrument=instrument)

    assert (instrument.phase, change.cause, change.reason) == ("AUCTION", "OPENED", "New.")
    assert instrument.uncross_at - instrument.no_cancel_at == timedelta(seconds=60)


def test_the_modes_between(market):
    instrument, ada, bob = market
    ask = placed(instrument, ada, "SELL", 5, 100)

    set_mode(instrument_id=instrument.id, phase="POST_ONLY", reason="x", now=timezone.now())
    assert placed(instrument, bob, "BUY", 5, 99).reason == "post_only_phase"
    assert placed(instrument, bob, "BUY", 5, 100, post_only=True).reason == "would_trade"
    assert placed(instrument, bob, "BUY", 5, 99, post_only=True).status == "OPEN"

    set_mode(instrument_id=instrument.id, phase="CANCEL_ONLY", reason="x", now=timezone.now())
    assert placed(instrument, bob, "BUY", 5, 99).reason == "cancel_only"
    cancel_order(order_id=ask.order_id, now=timezone.now())

    set_mode(instrument_id=instrument.id, phase="CONTINUOUS", reason="x", now=timezone.now())
    assert placed(instrument, ada, "SELL", 5, 99).status == "FILLED"
    assert_value_is_conserved()


def test_a_crossed_book_opens_only_by_an_auction(market):
    instrument, ada, bob = market
    in_auction(instrument)
    placed(instrument, ada, "SELL", 5, 100)
    placed(instrument, bob, "BUY", 5, 100)
    halt_instrument(instrument_id=instrument.id, reason="x", now=timezone.now())

    for phase in ("CONTINUOUS", "POST_ONLY"):
        with pytest.raises(BookCrossed):
            set_mode(instrument_id=instrument.id, phase=phase, reason="x", now=timezone.now())
    resume_instrument(instrument_id=instrument.id, now=timezone.now(), collect_seconds=0, no_cancel_seconds=0)
    assert end_auction(instrument.id)

    assert trades() == [(100, 5)]


def test_a_closed_instrument_is_not_moved_on(market):
    instrument, _, _ = market
    close_instrument(instrument_id=instrument.id, now=timezone.now())

    with pytest.raises(InstrumentClosed):
        set_mode(instrument_id=instrument.id, phase="CONTINUOUS", reason="x", now=timezone.now())
    assert not end_auction(instrument.id)
