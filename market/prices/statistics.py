"""Figures of a stretch of time, summed from candles and from what is not folded yet: cheap however many trades."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from django.db import connection

from market.prices.candles import LARGEST_TAIL, nearest

# A day is told to five minutes: what began earlier is not of it any more.
DAY, STEP = timedelta(days=1), 300


@dataclass(frozen=True)
class DayFigures:
    """The last 24 hours of one instrument, to five minutes: prices in ticks, volume in lots."""

    volume: int
    first_price: int | None
    high: int | None
    low: int | None
    trades: int = 0
    excluded: int = 0
    # Volume-weighted, flagged trades left out.
    average: int | None = None


_DAY = """
    WITH part AS (
        SELECT instrument_id, first_trade AS place, open, high, low, volume, trades, excluded, clean_volume, clean_value
        FROM market_candle WHERE instrument_id = ANY(%(ids)s) AND seconds = %(step)s AND starts_at > %(since)s
        UNION ALL
        SELECT i.id, t.number, t.price, t.price, t.price, t.quantity, 1, 0, t.quantity, t.price::numeric * t.quantity
        FROM market_instrument i LEFT JOIN market_priceprogress p ON p.instrument_id = i.id
        -- By the index of numbers, whatever is thought of how many there are.
        CROSS JOIN LATERAL (
            SELECT number, price, quantity, traded_at FROM market_trade
            WHERE instrument_id = i.id AND number > coalesce(p.folded_trade, 0) ORDER BY number LIMIT %(tail)s
        ) t
        WHERE i.id = ANY(%(ids)s)
            AND date_bin(make_interval(secs => %(step)s), t.traded_at, 'epoch'::timestamptz) > %(since)s
    )
    SELECT instrument_id, sum(volume)::bigint, (array_agg(open ORDER BY place))[1], max(high), min(low),
        sum(trades)::bigint, sum(excluded)::bigint, sum(clean_volume)::bigint, sum(clean_value)
    FROM part GROUP BY instrument_id
"""


def day_figures(instrument_ids: Sequence[int], *, now: datetime) -> dict[int, DayFigures]:
    """The last 24 hours of each instrument that traded, in one statement."""
    with connection.cursor() as cursor:
        cursor.execute(_DAY, {"ids": list(instrument_ids), "step": STEP, "since": now - DAY, "tail": LARGEST_TAIL})
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return {row[0]: _figures(*row[1:]) for row in rows}


def _figures(
    volume: int, first: int, high: int, low: int, trades: int, excluded: int, clean: int, value: Decimal
) -> DayFigures:
    return DayFigures(volume, first, high, low, trades, excluded, nearest(int(value), clean))
