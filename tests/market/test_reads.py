"""What pages read of the market, and a preview that says what then happens."""

import pytest
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.models import Account
from ledger.wallets import freeze_wallet
from market.instruments import halt_instrument
from market.models import Instrument
from market.preview import preview_order
from market.reads import day_figures, depth, price_history, recent_trades
from tests.market.builders import available, new_order, placed, some_instrument, some_trader

pytestmark = pytest.mark.django_db


def test_depth_sums_the_open_quantity_of_each_price_and_says_its_event_number():
    instrument = some_instrument()
    ada, bob = some_trader(instrument), some_trader(instrument, "Bob")
    for side, quantity, price in [
        ("SELL", 5, 103),
        ("SELL", 2, 103),
        ("SELL", 9, 105),
        ("BUY", 4, 100),
        ("BUY", 1, 99),
    ]:
        placed(instrument, ada, side, quantity, price)
    placed(instrument, bob, "BUY", 3, 103)

    snapshot = depth(instrument.id)

    assert snapshot.asks == [(103, 4, 2), (105, 9, 1)]
    assert snapshot.bids == [(100, 4, 1), (99, 1, 1)]
    assert snapshot.number == Instrument.objects.get(id=instrument.id).last_event == 6


def test_levels_of_events_add_up_to_the_depth():
    instrument = some_instrument()
    ada, bob = some_trader(instrument), some_trader(instrument, "Bob")
    for n in range(30):
        side = ("BUY", "SELL")[n % 2]
        placed(instrument, (ada, bob)[n % 3 == 0], side, 1 + n % 4, 95 + (n * 7) % 11)
    levels: dict[tuple[str, int], list[int]] = {}
    for event in instrument.events.order_by("number"):
        for side, price, quantity, orders in event.payload["levels"]:
            level = levels.setdefault((side, price), [0, 0])
            level[0] += quantity
            level[1] += orders

    snapshot = depth(instrument.id)

    stated = {("BUY", p): [q, n] for p, q, n in snapshot.bids} | {("SELL", p): [q, n] for p, q, n in snapshot.asks}
    assert {key: level for key, level in levels.items() if level != [0, 0]} == stated


def test_an_empty_book_has_a_number_and_no_levels():
    snapshot = depth(some_instrument().id)

    assert (snapshot.number, snapshot.bids, snapshot.asks, snapshot.best_bid) == (0, [], [], None)


def test_tape_history_and_day_tell_the_trades():
    instrument = some_instrument()
    ada, bob = some_trader(instrument), some_trader(instrument, "Bob")
    for price in (100, 103, 101):
        placed(instrument, ada, "SELL", 2, price)
        placed(instrument, bob, "BUY", 2, price)

    assert [trade.price for trade in recent_trades(instrument.id, limit=2)] == [101, 103]
    assert [trade.price for trade in price_history(instrument.id)] == [100, 103, 101]
    day = day_figures([instrument.id], now=timezone.now())[instrument.id]
    assert (day.volume, day.first_price, day.high, day.low) == (6, 100, 103, 100)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    side=st.sampled_from(["BUY", "SELL"]), price=st.integers(97, 106), quantity=st.integers(1, 30),
    tif=st.sampled_from(["GTC", "IOC"]),
)  # fmt: skip
def test_the_preview_says_what_then_happens(side, price, quantity, tif):
    instrument = some_instrument(f"PRE-{side}-{price}-{quantity}-{tif}")
    ada, bob, me = (some_trader(instrument, name, credits=2_000, lots=20) for name in ("Ada", "Bob", "Me"))
    for wallet, a_side, size, at in [(ada, "SELL", 4, 103), (bob, "SELL", 9, 104), (me, "SELL", 1, 105)]:
        placed(instrument, wallet, a_side, size, at)
    for wallet, size, at in [(bob, 6, 100), (ada, 5, 99)]:
        placed(instrument, wallet, "BUY", size, at)

    said = preview_order(instrument=instrument, order=new_order(instrument, me, side, quantity, price, tif))
    before = Account.objects.get(wallet=me, asset_id=instrument.price_asset_id).held
    done = placed(instrument, me, side, quantity, price, time_in_force=tif)

    assert said.reason == (done.reason if done.status == "REJECTED" else "")
    if not said.reason:
        assert (said.filled_quantity, said.filled_value) == (done.filled_quantity, done.filled_value)
        assert bool(said.rest_quantity) == (done.status == "OPEN")
        assert said.meets_own == (done.reason == "self_trade")
        if side == "BUY":
            held = Account.objects.get(wallet=me, asset_id=instrument.price_asset_id).held
            assert said.held_amount == held - before


def test_a_preview_says_why_the_order_would_be_rejected_and_what_it_would_cost():
    instrument = some_instrument()
    ada, poor = some_trader(instrument), some_trader(instrument, "Poor", credits=10, lots=0)
    placed(instrument, ada, "SELL", 5, 100)
    poors, adas = (new_order(instrument, wallet, "BUY", 5, 100) for wallet in (poor, ada))

    short = preview_order(instrument=instrument, order=poors)
    freeze_wallet(wallet_id=poor.id, reason="Asked for.", now=timezone.now())
    frozen = preview_order(instrument=instrument, order=poors)
    as_halted = halt_instrument(instrument_id=instrument.id, reason="", now=timezone.now())
    halted = preview_order(instrument=as_halted, order=adas)

    assert (short.reason, short.filled_value, short.worst_price) == ("not_enough", 500, 100)
    assert frozen.reason == "wallet_frozen"
    assert halted.reason == "instrument_halted"
    assert available(poor, instrument.price_asset_id) == 10
