"""A static band without a reference price takes that of the trades, without the suspicious ones."""

import pytest
from django.utils import timezone

from ledger.clock import database_now
from market.auctions.reads import indication_of
from market.models import Instrument, InstrumentChange, ReferencePrice
from market.prices.candles import fold_all
from market.prices.flags import scan_all
from market.prices.lending import lend_references
from market.prices.reference import record_all
from market.rules import change_rules
from tests.market.builders import auction_over, in_auction, placed, some_instrument, some_trader
from tests.market.prices.aging import made_older
from tests.market.prices.drawn import traded

pytestmark = pytest.mark.django_db(transaction=True)


def banded(**changes: int) -> Instrument:
    instrument = some_instrument()
    change_rules(
        instrument_id=instrument.id, changes={"static_band_bp": 1000} | changes, reason="x", by_id=None,
        now=timezone.now(),
    )  # fmt: skip
    return instrument


def lent() -> int:
    made_older("market_trade", "traded_at", seconds=120)
    fold_all()
    scan_all()
    record_all()
    return lend_references(now=database_now())


def test_the_band_is_round_the_average_of_honest_trades_and_stops_what_leaves_it():
    instrument = banded()
    ada, ben, cleo = (some_trader(instrument, name) for name in ("Ada", "Ben", "Cleo"))
    for price in (199, 200, 201):
        traded(instrument, ada, cleo, 100, price)
    traded(instrument, ada, ben, 400, 900)
    traded(instrument, ben, ada, 400, 900)

    assert lent() == 1

    instrument.refresh_from_db()
    assert instrument.reference_price == 200
    change = InstrumentChange.objects.latest("id")
    assert (change.cause, change.content["after"]) == ("RULES", {"reference_price": 200})
    placed(instrument, ada, "SELL", 10, 230)
    placed(instrument, ben, "BUY", 10, 230)
    instrument.refresh_from_db()
    assert instrument.phase == "AUCTION"


def test_what_an_operator_or_an_auction_set_is_left_alone_and_nothing_is_lent_twice():
    instrument = banded(reference_price=300)
    ada, ben = some_trader(instrument, "Ada"), some_trader(instrument, "Ben")
    for _ in range(3):
        traded(instrument, ada, ben, 100, 290)

    assert lent() == 0

    instrument.refresh_from_db()
    assert instrument.reference_price == 300


def test_without_enough_trades_there_is_nothing_to_lend():
    instrument = banded()
    ada, ben = some_trader(instrument, "Ada"), some_trader(instrument, "Ben")
    traded(instrument, ada, ben, 100, 200)

    assert lent() == 0
    assert lend_references(now=database_now()) == 0


def published(instrument: Instrument) -> None:
    """Three honest trades at about 200, and one there and back at 900 that nobody has cleared."""
    ada, ben, cleo = (some_trader(instrument, name) for name in ("Ada", "Ben", "Cleo"))
    for price in (199, 200, 201):
        traded(instrument, ada, cleo, 100, price)
    traded(instrument, ada, ben, 400, 900)
    traded(instrument, ben, ada, 400, 900)
    made_older("market_trade", "traded_at", seconds=120)
    fold_all()
    scan_all()
    record_all()


def test_an_auction_measures_by_the_published_reference_price_and_not_by_a_suspicious_last_trade():
    instrument = some_instrument()
    published(instrument)
    in_auction(instrument)
    placed(instrument, some_trader(instrument, "Dora"), "BUY", 10, 1000)
    placed(instrument, some_trader(instrument, "Eli"), "SELL", 10, 100)
    instrument.refresh_from_db()
    assert indication_of(instrument).price == 200

    # What is published while it is on changes nothing, so that a replay of its own record finds the same.
    ReferencePrice.objects.create(
        instrument=instrument, at=database_now(), method=1, basis="TRADES", price=300, window_from=database_now(),
        window_to=database_now(), trades=3, excluded=0, volume=300, last_trade=5,
    )  # fmt: skip
    began = InstrumentChange.objects.latest("id")
    auction_over(instrument)

    assert (began.phase, began.content["reference"]) == ("AUCTION", 200)
    assert (instrument.last_price, instrument.auction_reference) == (200, None)
    # And the next one by what is published then.
    in_auction(instrument)
    assert Instrument.objects.get().auction_reference == 300


def test_without_enough_trades_an_auction_measures_by_the_last_trade_and_before_it_by_what_was_set():
    instrument = change_rules(
        instrument_id=some_instrument().id, changes={"reference_price": 150}, reason="x", by_id=None, now=timezone.now()
    )
    ada, ben = some_trader(instrument, "Ada"), some_trader(instrument, "Ben")
    record_all()  # the price it was issued at, which no trade stands behind
    in_auction(instrument)
    placed(instrument, ada, "BUY", 10, 300)
    placed(instrument, ben, "SELL", 10, 100)
    auction_over(instrument)
    assert instrument.last_price == 150

    traded(instrument, ada, ben, 10, 170)
    record_all()
    in_auction(instrument)
    placed(instrument, ada, "BUY", 10, 300)
    placed(instrument, ben, "SELL", 10, 100)
    auction_over(instrument)
    assert instrument.last_price == 170
