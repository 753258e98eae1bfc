"""Candles: trades summed up by intervals of UTC time, folded in by their contiguous number.

Folding is one statement for a run of trades, so a million trades cost seconds and once. What a worker has not folded
yet is read from the trades and added, so that what is shown never waits for a worker.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.db.models import F, OuterRef, Subquery
from django.db.models.functions import Coalesce

from ledger.clock import assert_in_transaction
from market.models import Instrument
from market.prices.models import PriceProgress
from market.prices.progress import locked_progress

INTERVALS = {"1m": 60, "5m": 300, "1h": 3600, "1d": 86400}
_SECONDS = list(INTERVALS.values())
# So many trades are folded in one transaction, and so many that are not folded yet are read for a page.
LARGEST_FOLD = 20_000
LARGEST_TAIL = 20_000


@dataclass(frozen=True)
class Bar:
    """A candle as it is shown: prices in ticks, quantities in lots, the value in 1/10,000 credit."""

    starts_at: datetime
    open: int
    high: int
    low: int
    close: int
    volume: int
    trades: int
    excluded: int
    clean_volume: int
    clean_value: int
    first_trade: int
    last_trade: int

    @property
    def average(self) -> int | None:
        """The volume-weighted average price in ticks, flagged trades left out; None where none is left."""
        return nearest(self.clean_value, self.clean_volume)


def nearest(dividend: int, divisor: int) -> int | None:
    """The quotient as a whole number, halves up; None where there is nothing to divide by. Neither is negative."""
    return (2 * dividend + divisor) // (2 * divisor) if divisor else None


_SUMS = """
    (array_agg(t.price ORDER BY t.number))[1], max(t.price), min(t.price),
    (array_agg(t.price ORDER BY t.number DESC))[1],
    sum(t.quantity)::bigint, count(*), 0, sum(t.quantity)::bigint, sum(t.price::numeric * t.quantity),
    min(t.number), max(t.number)
"""
_BIN = "date_bin(make_interval(secs => {seconds}), t.traded_at, 'epoch'::timestamptz)"
_FOLD = f"""
    INSERT INTO market_candle AS c (
        instrument_id, seconds, starts_at, open, high, low, close, volume, trades, excluded, clean_volume, clean_value,
        first_trade, last_trade
    )
    SELECT t.instrument_id, s.seconds, {_BIN.format(seconds="s.seconds")} AS starts_at, {_SUMS}
    FROM market_trade t, unnest(%s::integer[]) AS s (seconds)
    WHERE t.instrument_id = %s AND t.number > %s AND t.number <= %s
    GROUP BY t.instrument_id, s.seconds, starts_at
    ORDER BY s.seconds, starts_at
    ON CONFLICT (instrument_id, seconds, starts_at) DO UPDATE SET
        high = greatest(c.high, excluded.high), low = least(c.low, excluded.low), close = excluded.close,
        volume = c.volume + excluded.volume, trades = c.trades + excluded.trades,
        clean_volume = c.clean_volume + excluded.clean_volume, clean_value = c.clean_value + excluded.clean_value,
        last_trade = excluded.last_trade
"""  # noqa: S608
_COLUMNS = (
    "starts_at, open, high, low, close, volume, trades, excluded, clean_volume, clean_value, first_trade, last_trade"
)
_STORED = f"""
    SELECT {_COLUMNS} FROM market_candle
    WHERE instrument_id = %s AND seconds = %s AND starts_at < %s AND starts_at >= %s
    ORDER BY starts_at DESC LIMIT %s
"""  # noqa: S608
_TAIL = f"""
    SELECT {_BIN.format(seconds="%s")} AS starts_at, {_SUMS}
    FROM market_trade t
    WHERE t.instrument_id = %s AND t.number > %s AND t.number <= %s
    GROUP BY 1 ORDER BY 1
"""  # noqa: S608
_EXCLUDE = f"""
    UPDATE market_candle c SET excluded = c.excluded + %s * n.trades,
        clean_volume = c.clean_volume - %s * n.volume, clean_value = c.clean_value - %s * n.value
    FROM (
        SELECT s.seconds, {_BIN.format(seconds="s.seconds")} AS starts_at, count(*) AS trades,
            sum(t.quantity)::bigint AS volume, sum(t.price::numeric * t.quantity) AS value
        FROM market_trade t, unnest(%s::integer[]) AS s (seconds)
        WHERE t.instrument_id = %s AND t.number = ANY(%s) GROUP BY 1, 2
    ) n
    WHERE c.instrument_id = %s AND c.seconds = n.seconds AND c.starts_at = n.starts_at
"""  # noqa: S608
_EARLIEST, _LATEST = "-infinity", "infinity"


@transaction.atomic(durable=True)
def fold_trades(instrument_id: int, *, most: int = LARGEST_FOLD) -> int:
    """Add the instrument's next trades to its candles; answers how many. Killed anywhere, none counts twice."""
    progress = locked_progress(instrument_id)
    known = Instrument.objects.values_list("last_trade", flat=True).get(id=instrument_id)
    upto = min(known, progress.folded_trade + most)
    count = upto - progress.folded_trade
    if count > 0:
        with connection.cursor() as cursor:
            cursor.execute(_FOLD, [_SECONDS, instrument_id, progress.folded_trade, upto])
        progress.folded_trade = upto
        progress.save(update_fields=["folded_trade"])
    return max(count, 0)


def unfolded_instruments() -> list[int]:
    """Those with trades that no candle has yet."""
    folded = PriceProgress.objects.filter(instrument=OuterRef("id")).values("folded_trade")
    waiting = Instrument.objects.annotate(folded=Coalesce(Subquery(folded), 0)).filter(last_trade__gt=F("folded"))
    return list(waiting.order_by("id").values_list("id", flat=True))


def fold_all() -> int:
    """Fold everything that waits; answers how many trades."""
    count = 0
    for instrument_id in unfolded_instruments():
        while folded := fold_trades(instrument_id):
            count += folded
    return count


def leave_out(instrument_id: int, numbers: Iterable[int]) -> None:
    """These folded trades count in no average from now on (a step, under the lock of the progress)."""
    _change_excluded(instrument_id, list(numbers), 1)


def take_in_again(instrument_id: int, numbers: Iterable[int]) -> None:
    """These trades count again."""
    _change_excluded(instrument_id, list(numbers), -1)


def _change_excluded(instrument_id: int, numbers: list[int], sign: int) -> None:
    assert_in_transaction()
    if numbers:
        with connection.cursor() as cursor:
            cursor.execute(_EXCLUDE, [sign, sign, sign, _SECONDS, instrument_id, numbers, instrument_id])


def bars(
    instrument_id: int, seconds: int, *, since: datetime | None = None, before: datetime | None = None, limit: int = 500
) -> list[Bar]:
    """The newest candles that start before an instant, oldest first; an interval without a trade has none."""
    assert seconds in _SECONDS
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT coalesce(p.folded_trade, 0), i.last_trade FROM market_instrument i"
            " LEFT JOIN market_priceprogress p ON p.instrument_id = i.id WHERE i.id = %s",
            [instrument_id],
        )
        row = cursor.fetchone()
        assert row is not None
        folded, last = row
        cursor.execute(_STORED, [instrument_id, seconds, before or _LATEST, since or _EARLIEST, limit])
        found = {row[0]: _bar(row) for row in cursor.fetchall()}
        if last > folded:
            cursor.execute(_TAIL, [seconds, instrument_id, folded, min(last, folded + LARGEST_TAIL)])
            for row in cursor.fetchall():
                if (since is None or row[0] >= since) and (before is None or row[0] < before):
                    found[row[0]] = together(found.get(row[0]), _bar(row))
    return [found[starts_at] for starts_at in sorted(found)][-limit:]


def _bar(row: tuple[Any, ...]) -> Bar:
    *figures, clean_value, first_trade, last_trade = row
    return Bar(*figures, int(clean_value), first_trade, last_trade)  # type: ignore[call-arg]


def together(earlier: Bar | None, later: Bar) -> Bar:
    """One interval's trades, of which `later` has those with the higher numbers."""
    if earlier is None:
        return later
    return Bar(
        earlier.starts_at, earlier.open, max(earlier.high, later.high), min(earlier.low, later.low), later.close,
        earlier.volume + later.volume, earlier.trades + later.trades, earlier.excluded + later.excluded,
        earlier.clean_volume + later.clean_volume, earlier.clean_value + later.clean_value,
        earlier.first_trade, later.last_trade,
    )  # fmt: skip
