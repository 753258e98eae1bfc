"""Prices cost the same at a million trades as at ten thousand, and folding them is a matter of seconds."""

import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection

from ledger.clock import database_now
from market.models import Instrument
from market.prices.candles import bars, fold_all
from market.prices.reference import reference_price
from market.prices.statistics import day_figures
from tests.full import count
from tests.market.builders import some_instrument

pytestmark = pytest.mark.django_db(transaction=True)
FEW, MANY = 10_000, count(1_000_000)


def traded(instrument: Instrument, rows: int) -> None:
    """So many trades spread over the last two days, made by the database itself."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO market_trade (transfer_id, instrument_id, number, maker_id, taker_id, taker_side, price,"
            " quantity, traded_at) SELECT %(first)s + n, %(id)s, n, 1, 2, 'BUY', 250 + n %% 20,"
            " 100 + n %% 7, now() - interval '2 days' + n * interval '2 days' / %(rows)s"
            " FROM generate_series(1, %(rows)s) n",
            {"id": instrument.id, "first": instrument.id * 10_000_000, "rows": rows},
        )
        cursor.execute(
            "UPDATE market_instrument SET last_trade = %s WHERE id = %s",
            [rows, instrument.id],
        )


def best_of(act: Callable[[], object], rounds: int = 15) -> float:
    times = []
    for _ in range(rounds):
        start = time.perf_counter()
        act()
        times.append(time.perf_counter() - start)
    return min(times) * 1000


def test_reading_prices_takes_as_long_at_a_million_trades_as_at_ten_thousand():
    small, large = some_instrument("H100-SMALL"), some_instrument("H100-LARGE")
    for instrument, rows in ((small, FEW), (large, MANY)):
        traded(instrument, rows)
    start = time.perf_counter()
    fold_all()
    folding = time.perf_counter() - start
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE market_candle")
    now = database_now()

    reads: dict[str, Callable[[Instrument], object]] = {
        "candles": lambda one: bars(one.id, 60, limit=500),
        "day": lambda one: day_figures([one.id], now=now),
        "reference": lambda one: reference_price(one, now - timedelta(minutes=1)),
    }
    for name, read in reads.items():
        few, many = best_of(lambda: read(small)), best_of(lambda: read(large))  # noqa: B023
        print(f"{name}: {few:.2f} ms at {FEW} trades, {many:.2f} ms at {MANY}")
        assert many < 2 * few + 2, name
    print(f"{FEW + MANY} trades folded in {folding:.1f} s")
    assert folding < 60
