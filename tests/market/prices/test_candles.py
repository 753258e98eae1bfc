"""What is stored is what the trades say, flagged ones left out of averages; nothing is counted twice."""

import random
from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from ledger.clock import database_now
from market.models import Instrument, Trade
from market.prices.candles import INTERVALS, LARGEST_FOLD, bars, fold_all, fold_trades, nearest
from market.prices.flags import decide_flag, flag, scan_all
from market.prices.models import Candle, PriceProgress, TradeFlag
from market.prices.progress import locked_progress
from market.prices.wash import Finding
from market.reads import day_figures
from tests.full import count
from tests.ledger.builders import two_persons
from tests.market.builders import some_instrument, some_trader
from tests.market.prices.drawn import recomputed, stored, traded

pytestmark = pytest.mark.django_db(transaction=True)


def copied_trades(instrument: Instrument, rows: int, *, seed: int = 1, minutes: int = 3 * 24 * 60) -> None:
    """Trades straight into the table, spread over days: candles look at nothing else."""
    chance = random.Random(seed)
    start = database_now() - timedelta(minutes=minutes)
    first, base = instrument.last_trade, 10_000_000 + instrument.last_trade
    moments = sorted(chance.uniform(0, minutes * 60) for _ in range(rows))
    Trade.objects.bulk_create(
        Trade(
            transfer_id=base + place, instrument=instrument, number=first + place, maker_id=1, taker_id=2,
            taker_side=chance.choice(["BUY", "SELL"]), price=chance.randint(240, 260),
            quantity=chance.randint(1, 900), traded_at=start + timedelta(seconds=moment),
        )
        for place, moment in enumerate(moments, start=1)
    )  # fmt: skip
    Instrument.objects.filter(id=instrument.id).update(last_trade=first + rows)
    instrument.refresh_from_db()


def flagged(instrument: Instrument, *numbers: int) -> None:
    with transaction.atomic():
        locked_progress(instrument.id)
        flag(instrument.id, [Finding("SAME_OWNER", (number,), {}) for number in numbers])


def test_what_is_stored_is_what_the_trades_say():
    instrument = some_instrument()
    rows = count(20_000)
    copied_trades(instrument, rows)

    while fold_trades(instrument.id, most=333):
        pass

    for name, seconds in INTERVALS.items():
        assert stored(instrument, seconds) == recomputed(instrument, seconds), name
        assert sum(bar.trades for bar in stored(instrument, seconds)) == rows
    print(f"{rows} trades folded by 333 agree in {Candle.objects.count()} candles")


def test_folding_again_adds_nothing():
    instrument = some_instrument()
    copied_trades(instrument, 50)
    fold_all()
    before = stored(instrument, 60)

    assert fold_all() == 0
    assert stored(instrument, 60) == before
    assert PriceProgress.objects.get(instrument=instrument).folded_trade == 50


def test_what_no_worker_has_folded_yet_is_shown_all_the_same():
    instrument = some_instrument()
    copied_trades(instrument, 300)
    fold_trades(instrument.id, most=150)

    for seconds in INTERVALS.values():
        assert bars(instrument.id, seconds, limit=10_000) == recomputed(instrument, seconds)


def test_candles_come_by_pages_without_a_gap_or_a_double():
    instrument = some_instrument()
    copied_trades(instrument, 300)
    fold_trades(instrument.id, most=200)
    whole, found, before = recomputed(instrument, 3600), [], None

    while part := bars(instrument.id, 3600, before=before, limit=7):
        found[:0] = part
        before = part[0].starts_at

    assert found == whole
    middle = whole[len(whole) // 2].starts_at
    assert bars(instrument.id, 3600, since=middle, limit=1000) == whole[len(whole) // 2 :]


def test_flagged_trades_stay_on_the_tape_and_out_of_the_average():
    instrument = some_instrument()
    copied_trades(instrument, 200)
    fold_all()
    volume = sum(bar.volume for bar in stored(instrument, 86400))

    flagged(instrument, 3, 77, 78, 200)

    for seconds in INTERVALS.values():
        assert stored(instrument, seconds) == recomputed(instrument, seconds)
    assert sum(bar.excluded for bar in stored(instrument, 60)) == 4
    assert sum(bar.volume for bar in stored(instrument, 86400)) == volume
    flagged(instrument, 3, 77)
    assert sum(bar.excluded for bar in stored(instrument, 60)) == 4


def test_cleared_trades_count_again():
    instrument = some_instrument()
    copied_trades(instrument, 100)
    fold_all()
    before = stored(instrument, 300)
    flagged(instrument, 10, 20)
    person = two_persons()[0]

    for one in TradeFlag.objects.order_by("number"):
        decide_flag(flag_id=one.id, confirm=False, reason="a known market maker", user_id=person)

    assert stored(instrument, 300) == before


def test_averages_are_whole_ticks_with_halves_up():
    assert [nearest(5, 2), nearest(7, 3), nearest(8, 3), nearest(0, 5), nearest(5, 0)] == [3, 2, 3, 0, None]


def test_the_days_figures_are_those_of_the_trades():
    instrument = some_instrument()
    copied_trades(instrument, 400)
    now = timezone.now()
    fold_trades(instrument.id, most=380)

    day = day_figures([instrument.id], now=now)[instrument.id]

    # To five minutes: what began before that is not of the day any more.
    since = (now - timedelta(days=1)).timestamp()
    trades = [
        trade
        for trade in Trade.objects.filter(instrument=instrument).order_by("number")
        if trade.traded_at.timestamp() // 300 * 300 > since
    ]
    assert (day.volume, day.first_price) == (sum(trade.quantity for trade in trades), trades[0].price)
    assert (day.high, day.low) == (max(trade.price for trade in trades), min(trade.price for trade in trades))


def test_reading_takes_as_many_statements_with_many_trades_as_with_few(django_assert_num_queries):
    instrument = some_instrument()
    copied_trades(instrument, 100)
    fold_all()
    with django_assert_num_queries(2):
        bars(instrument.id, 60)
    copied_trades(instrument, count(20_000))
    fold_all()
    with django_assert_num_queries(2):
        bars(instrument.id, 60)
    with django_assert_num_queries(1):
        day_figures([instrument.id], now=timezone.now())


def test_trades_of_the_market_itself_are_folded_and_looked_through():
    instrument = some_instrument()
    ada, ben = some_trader(instrument, "Ada"), some_trader(instrument, "Ben")
    for quantity, price in [(10, 250), (500, 251), (20, 249)]:
        traded(instrument, ada, ben, quantity, price)

    assert fold_all() == 3
    assert scan_all() == 3

    for seconds in INTERVALS.values():
        assert stored(instrument, seconds) == recomputed(instrument, seconds)
    assert TradeFlag.objects.count() == 0


def test_one_fold_is_bounded():
    assert LARGEST_FOLD <= 50_000
