"""The reference price: what auctions and bands measure by.

Method 1. The volume-weighted average of the trades of the last 60 whole minutes, flagged ones left out, where there
are at least 3 of them with 1 GPU-hour in sum; else of the last 24 hours, by the same minimum; else the last reference
price that was valid in this sense; else the price that the series was issued at; else there is none. A minute counts
once it has been over for 10 seconds. The average is rounded to the nearest tick, halves up.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction

from market.models import Instrument
from market.prices.candles import LARGEST_TAIL, nearest
from market.prices.flags import excluded_at
from market.prices.models import ReferencePrice
from market.prices.progress import instant_after_lock, locked_progress

METHOD = 1
MINIMUM_TRADES = 3
MINIMUM_LOTS = 100
WINDOWS = (timedelta(minutes=60), timedelta(hours=24))
SETTLED = timedelta(seconds=10)
Basis = ReferencePrice.Basis


@dataclass(frozen=True)
class Sums:
    """The trades of one window: how many, how many of them flagged, lots and value of the others."""

    since: datetime
    until: datetime
    trades: int
    excluded: int
    volume: int
    value: int
    last_trade: int

    @property
    def is_enough(self) -> bool:
        return self.trades - self.excluded >= MINIMUM_TRADES and self.volume >= MINIMUM_LOTS


@dataclass(frozen=True)
class Reference:
    """A reference price in ticks, and what it rests on."""

    price: int
    basis: str
    window: Sums


_CANDLES = """
    WITH progress AS (
        SELECT coalesce(max(folded_trade), 0) AS folded FROM market_priceprogress WHERE instrument_id = %(id)s
    ),
    part AS (
        SELECT trades, excluded, clean_volume, clean_value, last_trade FROM market_candle
        WHERE instrument_id = %(id)s AND seconds = 60 AND starts_at >= %(since)s AND starts_at < %(until)s
        UNION ALL
        SELECT 1, 0, t.quantity, t.price::numeric * t.quantity, t.number FROM progress
        CROSS JOIN LATERAL (
            SELECT number, price, quantity, traded_at FROM market_trade
            WHERE instrument_id = %(id)s AND number > progress.folded ORDER BY number LIMIT %(tail)s
        ) t
        WHERE t.traded_at >= %(since)s AND t.traded_at < %(until)s
    )
    SELECT coalesce(sum(trades), 0)::bigint, coalesce(sum(excluded), 0)::bigint,
        coalesce(sum(clean_volume), 0)::bigint, coalesce(sum(clean_value), 0), coalesce(max(last_trade), 0)
    FROM part
"""
_TRADES = """
    SELECT count(*), count(*) FILTER (WHERE t.number = ANY(%(out)s::bigint[])),
        coalesce(sum(t.quantity) FILTER (WHERE t.number <> ALL(%(out)s::bigint[])), 0)::bigint,
        coalesce(sum(t.price::numeric * t.quantity) FILTER (WHERE t.number <> ALL(%(out)s::bigint[])), 0),
        coalesce(max(t.number), 0)
    FROM market_trade t
    WHERE t.instrument_id = %(id)s AND t.number <= %(last)s AND t.traded_at >= %(since)s AND t.traded_at < %(until)s
"""


def reference_price(instrument: Instrument, at: datetime) -> int | None:
    """The reference price at an instant in ticks; None where nothing was ever traded or issued at a price.

    Costs two statements or three, whatever was traded. `at` is now, or an instant after which nothing was flagged or
    cleared: what was published before is in the table, and `reproduced` computes it again.
    """
    found = reference(instrument, at)
    return found.price if found else None


def reference(instrument: Instrument, at: datetime) -> Reference | None:
    """The same with what it rests on."""
    windows = [_sums(_CANDLES, instrument.id, since, until) for since, until in _windows(at)]
    return _chosen(instrument.id, at, windows, issue_price(instrument))


def newest_reference(instrument_id: int) -> ReferencePrice | None:
    """The newest that is stored."""
    return ReferencePrice.objects.filter(instrument_id=instrument_id).order_by("-at", "-id").first()


def newest_references() -> dict[int, ReferencePrice]:
    """The newest stored one of each instrument that has any, by the instrument's id."""
    newest = ReferencePrice.objects.order_by("instrument", "-at", "-id").distinct("instrument")
    return {each.instrument_id: each for each in newest}


@transaction.atomic(durable=True)
def record_reference(instrument_id: int) -> ReferencePrice | None:
    """Store the reference price of now; the newest stored one is answered where nothing has changed since."""
    locked_progress(instrument_id)
    at = instant_after_lock()
    instrument = Instrument.objects.get(id=instrument_id)
    found, newest = reference(instrument, at), newest_reference(instrument_id)
    if found is None or (newest is not None and _says(newest) == (found.price, found.basis, found.window.last_trade)):
        return newest
    return ReferencePrice.objects.create(
        instrument=instrument, at=at, method=METHOD, basis=found.basis, price=found.price,
        window_from=found.window.since, window_to=found.window.until, trades=found.window.trades,
        excluded=found.window.excluded, volume=found.window.volume, last_trade=found.window.last_trade,
    )  # fmt: skip


def record_all() -> int:
    """Store the reference price of every instrument that can still trade; answers how many have one."""
    ids = Instrument.objects.exclude(phase=Instrument.Phase.CLOSED).order_by("id").values_list("id", flat=True)
    return sum(record_reference(instrument_id) is not None for instrument_id in list(ids))


def reproduced(stored: ReferencePrice) -> Reference | None:
    """A stored price computed again from the trades themselves and the flags as they stood then."""
    numbers = list(excluded_at(stored.instrument_id, stored.at).values_list("number", flat=True).distinct())
    # The window was over before the price was computed, so no trade of it can have come later.
    windows = [
        _sums(_TRADES, stored.instrument_id, since, until, last=stored.last_trade, out=numbers)
        for since, until in _windows(stored.at)
    ]
    # What it was issued at is no outcome of trades: it is taken as it was found then.
    issued = stored.price if stored.basis == Basis.ISSUE else None
    return _chosen(stored.instrument_id, stored.at, windows, issued)


def _windows(at: datetime) -> list[tuple[datetime, datetime]]:
    until = (at - SETTLED).replace(second=0, microsecond=0)
    return [(until - length, until) for length in WINDOWS]


def _chosen(instrument_id: int, at: datetime, windows: list[Sums], issued: int | None) -> Reference | None:
    for window in windows:
        if window.is_enough:
            price = nearest(window.value, window.volume)
            assert price is not None
            return Reference(price, Basis.TRADES, window)
    earlier = ReferencePrice.objects.filter(instrument_id=instrument_id, at__lt=at, basis=Basis.TRADES)
    last = earlier.order_by("-at", "-id").values_list("price", flat=True).first()
    if last is not None:
        return Reference(last, Basis.LAST, windows[-1])
    return Reference(issued, Basis.ISSUE, windows[-1]) if issued is not None else None


def issue_price(instrument: Instrument) -> int | None:
    """What the series was issued at: the price of its first auction, or what an operator has set."""
    return instrument.reference_price


def _sums(statement: str, instrument_id: int, since: datetime, until: datetime, **more: Any) -> Sums:
    with connection.cursor() as cursor:
        figures: dict[str, Any] = {"id": instrument_id, "since": since, "until": until, "tail": LARGEST_TAIL} | more
        cursor.execute(statement, figures)
        row = cursor.fetchone()
    assert row is not None
    trades, excluded, volume, value, last = row
    return Sums(since, until, trades, excluded, volume, int(value), last)


def _says(stored: ReferencePrice) -> tuple[int, str, int]:
    return stored.price, stored.basis, stored.last_trade
