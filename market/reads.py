"""What pages and streams read of the market: depth, tape, prices. No locks, no names."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from market.matching import Book, BookOrder, match, opposite
from market.models import GPU_SECONDS_PER_LOT, Instrument, Order, Trade

Level = tuple[int, int, int]


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
    def best_ask(self) -> int | None:
        return self.asks[0][0] if self.asks else None


@dataclass(frozen=True)
class Preview:
    """What an order would do if it arrived now. Quantities in lots, credits in 1/10,000, compute in GPU-seconds."""

    side: str
    quantity: int
    filled_quantity: int
    filled_value: int
    worst_price: int | None
    rest_quantity: int
    held_amount: int
    meets_own: bool


def depth(instrument_id: int, *, levels: int = 500) -> Snapshot:
    """Number and levels in one statement, so that they belong together."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT i.last_event, l.side, l.limit_price, l.quantity, l.orders
            FROM market_instrument i LEFT JOIN LATERAL (
                (SELECT side, limit_price, sum(quantity - filled_quantity)::bigint AS quantity, count(*) AS orders
                 FROM market_order WHERE instrument_id = i.id AND status = 'OPEN' AND side = 'BUY'
                 GROUP BY side, limit_price ORDER BY limit_price DESC LIMIT %s)
                UNION ALL
                (SELECT side, limit_price, sum(quantity - filled_quantity)::bigint, count(*)
                 FROM market_order WHERE instrument_id = i.id AND status = 'OPEN' AND side = 'SELL'
                 GROUP BY side, limit_price ORDER BY limit_price LIMIT %s)
            ) l ON true WHERE i.id = %s
            """,
            [levels, levels, instrument_id],
        )
        rows = cursor.fetchall()
    bids = sorted(((price, size, n) for _, side, price, size, n in rows if side == Order.Side.BUY), reverse=True)
    asks = sorted((price, size, n) for _, side, price, size, n in rows if side == Order.Side.SELL)
    return Snapshot(rows[0][0], bids, asks)


def recent_trades(instrument_id: int, *, limit: int = 50) -> QuerySet[Trade]:
    """The tape, newest first."""
    return Trade.objects.filter(instrument_id=instrument_id).order_by("-number")[:limit]


def price_history(instrument_id: int, *, limit: int = 2000) -> list[Trade]:
    """The last trades, oldest first."""
    return list(recent_trades(instrument_id, limit=limit))[::-1]


@dataclass(frozen=True)
class DayFigures:
    """The last 24 hours of one instrument: prices in ticks, volume in lots."""

    volume: int
    first_price: int | None
    high: int | None
    low: int | None


def day_figures(instrument_ids: Sequence[int], *, now: datetime) -> dict[int, DayFigures]:
    """Volume, first, highest and lowest price of the last 24 hours, of all instruments in one statement."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT instrument_id, sum(quantity)::bigint, (array_agg(price ORDER BY number))[1], max(price), min(price)"
            " FROM market_trade WHERE instrument_id = ANY(%s) AND traded_at > %s GROUP BY instrument_id",
            [list(instrument_ids), now - timedelta(days=1)],
        )
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return {row[0]: DayFigures(*row[1:]) for row in rows}


def preview_order(
    *, instrument: Instrument, wallet_id: int, side: str, limit_price: int, quantity: int, time_in_force: str
) -> Preview:
    """Match the order against the book as it stands, by the same pure function that clears; nothing is written."""
    book = Book(_crossing(instrument.id, side, limit_price, quantity))
    taker = BookOrder(0, wallet_id, side, limit_price, quantity)
    found = match(book, taker)
    filled = sum(fill.quantity for fill in found.fills)
    value = sum(fill.quantity * fill.price for fill in found.fills)
    rests = time_in_force == Order.TimeInForce.GTC and not found.met_own
    rest = quantity - filled if rests else 0
    held = rest * (limit_price if side == Order.Side.BUY else GPU_SECONDS_PER_LOT)
    worst = found.fills[-1].price if found.fills else None
    return Preview(side, quantity, filled, value, worst, rest, held, found.met_own)


def _crossing(instrument_id: int, side: str, limit_price: int, quantity: int) -> Iterator[BookOrder]:
    """The orders that this one could meet, best first, up to its quantity."""
    orders = Order.objects.filter(instrument_id=instrument_id, status=Order.Status.OPEN, side=opposite(side))
    if side == Order.Side.BUY:
        orders = orders.filter(limit_price__lte=limit_price).order_by("limit_price", "priority")
    else:
        orders = orders.filter(limit_price__gte=limit_price).order_by("-limit_price", "priority")
    left = quantity
    for order in orders.iterator(chunk_size=200):
        yield BookOrder(
            order.id, order.wallet_id, order.side, order.limit_price, order.open_quantity, order.priority or 0
        )
        left -= order.open_quantity
        if left <= 0:
            return
