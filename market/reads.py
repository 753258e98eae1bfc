"""What pages and streams read of the market: depth, tape, prices. No locks, no names."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from market.feed import Level as Level
from market.feed import checksum
from market.models import Order, Trade
from market.prices.statistics import DayFigures as DayFigures
from market.prices.statistics import day_figures as day_figures

DEPTH_LEVELS = 500


@dataclass(frozen=True)
class Snapshot:
    """The book at one event number. A level is (price in ticks, quantity in lots, number of orders), best first."""

    number: int
    bids: list[Level]
    asks: list[Level]

    @property
    def best_bid(self) -> int | None:
        return self.bids[0][0] if self.bids else None

    @property
    def spread(self) -> int | None:
        return self.asks[0][0] - self.bids[0][0] if self.asks and self.bids else None

    @property
    def checksum(self) -> int:
        return checksum(self.asks, self.bids)

    @property
    def best_ask(self) -> int | None:
        return self.asks[0][0] if self.asks else None


# Number and levels in one statement, so that they belong together. The events process asks it, too.
DEPTH = """
    SELECT i.last_event, l.side, l.limit_price, l.quantity, l.orders
    FROM market_instrument i LEFT JOIN LATERAL (
        (SELECT side, limit_price, sum(quantity - filled_quantity)::bigint AS quantity, count(*) AS orders
         FROM market_order WHERE instrument_id = i.id AND status = 'OPEN' AND side = 'BUY'
         GROUP BY side, limit_price ORDER BY limit_price DESC LIMIT %(levels)s)
        UNION ALL
        (SELECT side, limit_price, sum(quantity - filled_quantity)::bigint, count(*)
         FROM market_order WHERE instrument_id = i.id AND status = 'OPEN' AND side = 'SELL'
         GROUP BY side, limit_price ORDER BY limit_price LIMIT %(levels)s)
    ) l ON true WHERE i.id = %(instrument)s
"""


def depth(instrument_id: int, *, levels: int = DEPTH_LEVELS) -> Snapshot:
    """The book's best levels with their event number."""
    with connection.cursor() as cursor:
        cursor.execute(DEPTH, {"levels": levels, "instrument": instrument_id})
        return snapshot_of(cursor.fetchall())


def snapshot_of(rows: Sequence[tuple[Any, ...]]) -> Snapshot:
    """What the rows of DEPTH say."""
    bids = sorted(((price, size, n) for _, side, price, size, n in rows if side == Order.Side.BUY), reverse=True)
    asks = sorted((price, size, n) for _, side, price, size, n in rows if side == Order.Side.SELL)
    return Snapshot(rows[0][0], bids, asks)


def recent_trades(instrument_id: int, *, limit: int = 50) -> QuerySet[Trade]:
    """The tape, newest first."""
    return Trade.objects.filter(instrument_id=instrument_id).order_by("-number")[:limit]


def price_history(instrument_id: int, *, limit: int = 2000) -> list[Trade]:
    """The last trades, oldest first."""
    return list(recent_trades(instrument_id, limit=limit))[::-1]
