"""The modes between open and closed, and what leads from one to another."""

from datetime import timedelta

import pytest
from django.utils import timezone

from market import uncrossing
from market.errors import BookCrossed, InstrumentClosed
from market.instruments import (
    close_instrument,
    halt_all,
    halt_instrument,
    open_instrument,
    resume_all,
    resume_instrument,
    set_mode,
)
from market.models import Instrument, InstrumentChange, Trade
from market.offerings.offering import offer_series
from market.orders import cancel_order
from market.uncrossing import end_auction
from tests.ledger.builders import some_series
from tests.market.builders import (
    assert_value_is_conserved,
    auction_over,
    in_auction,
    make_due,
    placed,
    some_instrument,
)
from tests.people.builders import some_person

pytestmark = pytest.mark.django_db(transaction=True)


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


def test_a_mode_waits_for_an_auction_that_is_being_settled(market, monkeypatch):
    instrument, ada, bob = market
    monkeypatch.setattr(uncrossing, "CHUNK", 1)
    in_auction(instrument)
    for _ in range(3):
        placed(instrument, bob, "BUY", 1, 100)
        placed(instrument, ada, "SELL", 1, 100)
    make_due(instrument)
    assert [uncrossing._move_on(instrument.id) for _ in range(2)] == [True, True]

    set_mode(instrument_id=instrument.id, phase="CANCEL_ONLY", reason="x", now=timezone.now())

    instrument.refresh_from_db()
    assert (instrument.phase, instrument.uncross_price) == ("CANCEL_ONLY", None)
    assert trades() == [(100, 1)] * 3
    assert_value_is_conserved()


@pytest.mark.parametrize("first", ["HALTED", "CANCEL_ONLY", "AUCTION"])
def test_what_is_offered_is_never_left_to_whoever_comes_first(market, first):
    instrument, ada, _ = market
    offering = offer_series(
        instrument_id=instrument.id, wallet_id=ada.id, quantity=10, reserve_price=100, set_aside_percent=100,
        small_below=1, collect_seconds=3600, no_cancel_seconds=0, now=timezone.now(),
    )  # fmt: skip
    if first == "HALTED":
        halt_instrument(instrument_id=instrument.id, reason="x", now=timezone.now())
    elif first == "CANCEL_ONLY":
        set_mode(instrument_id=instrument.id, phase="CANCEL_ONLY", reason="x", now=timezone.now())

    for phase in ("CONTINUOUS", "POST_ONLY"):
        with pytest.raises(BookCrossed):
            set_mode(instrument_id=instrument.id, phase=phase, reason="x", now=timezone.now())
    assert Instrument.objects.get().phase == first
    resume_instrument(instrument_id=instrument.id, now=timezone.now(), collect_seconds=3600, no_cancel_seconds=0)
    auction_over(instrument)

    offering.refresh_from_db()
    assert offering.status == "DONE"
    set_mode(instrument_id=instrument.id, phase="POST_ONLY", reason="x", now=timezone.now())
    assert_value_is_conserved()


def test_one_action_halts_all_and_says_who_and_why_once_for_all_and_for_each(market):
    first, second = market[0], some_instrument("H100-2027Q1")
    closed = some_instrument("H100-2027Q2")
    close_instrument(instrument_id=closed.id, now=timezone.now())
    in_auction(second)
    user = some_person("Olga")
    before = InstrumentChange.objects.latest("id").id

    assert halt_all(reason="A fault.", by_id=user.id, now=timezone.now()) == 2
    assert halt_all(reason="Again.", by_id=user.id, now=timezone.now()) == 0

    rows = InstrumentChange.objects.filter(id__gt=before, reason="A fault.").order_by("id")
    assert [(row.instrument_id, row.cause, row.changed_by_id) for row in rows] == [
        (None, "HALTED", user.id), (first.id, "HALTED", user.id), (second.id, "HALTED", user.id),
    ]  # fmt: skip
    for each in (first, second):
        assert each.events.latest("number").payload["phase"] == "HALTED"
    assert Instrument.objects.get(id=closed.id).phase == "CLOSED"
    assert resume_all(reason="Mended.", by_id=user.id, now=timezone.now()) == 2
    assert set(Instrument.objects.exclude(id=closed.id).values_list("phase", flat=True)) == {"AUCTION"}
