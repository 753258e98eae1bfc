"""How many orders an owner may place for what trades of them.

In a running minute of the database's time a beneficial owner may place MARKET_FREE_ORDERS orders over all their
wallets; beyond that, no more than MARKET_ORDERS_PER_TRADE for each of them that traded. An amendment that loses its
order its place, for another price or more of it, counts as an order does: the book has the same work with it.

The rows of orders and amendments are what is counted, by the index of their wallets. A process asks the database only
about owners of whom it has itself seen many in the minute, and then every few seconds: an order of anybody else costs
nothing. So an owner may get past the limit by what all processes together let through without asking, which is as much
again at most with PROCESSES of them. A call with too many orders is refused as a whole, before it is written.
"""

import os
import threading
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from math import ceil

from django.conf import settings
from django.db import connection
from django.utils.translation import ngettext

from market.answers import NewOrder
from market.errors import TooManyOrders

WINDOW_SECONDS = 60
PROCESSES = 8
# What is known of an owner's minute is asked again after so many seconds, or when this process's share of the room that
# there was then is used up.
_FRESH_SECONDS = 5.0

_COUNT = """
    WITH owner AS (SELECT coalesce(beneficial_owner_id, id) AS id FROM ledger_wallet WHERE id = %(wallet)s),
    newest AS (
        SELECT o.id, o.at, o.traded
        FROM owner JOIN ledger_wallet w ON w.id = owner.id OR w.beneficial_owner_id = owner.id
        CROSS JOIN LATERAL (
            (SELECT id, placed_at AS at, filled_quantity > 0 AS traded FROM market_order
             WHERE wallet_id = w.id ORDER BY market_order.id DESC LIMIT %(most)s)
            UNION ALL
            (SELECT order_id, amended_at, (SELECT o.filled_quantity > a.filled_quantity FROM market_order o
                WHERE o.id = a.order_id)
             FROM market_amendment a WHERE wallet_id = w.id ORDER BY a.id DESC LIMIT %(most)s)
        ) o
        WHERE o.at > clock_timestamp() - make_interval(secs => %(window)s)
        ORDER BY o.at DESC LIMIT %(most)s
    )
    SELECT owner.id, count(newest.id), count(DISTINCT newest.id) FILTER (WHERE traded), clock_timestamp(),
        (SELECT at FROM newest ORDER BY at DESC OFFSET %(free)s LIMIT 1)
    FROM owner LEFT JOIN newest ON true GROUP BY owner.id
"""


@dataclass
class _Minute:
    """What this process has seen in its running minute."""

    started: float = field(default_factory=time.monotonic)
    seen: Counter[int] = field(default_factory=Counter)
    asked: dict[int, "_Asked"] = field(default_factory=dict)


@dataclass
class _Asked:
    """What the database said of a wallet's owner: for how many orders there was room, and in how many seconds there is
    more; and how many were let through since."""

    at: float
    room: int
    room_in: int
    since: int = 0

    @property
    def is_fresh(self) -> bool:
        return time.monotonic() - self.at <= _FRESH_SECONDS


_minute = _Minute()
_lock = threading.Lock()


def keep_orderly(orders: Sequence[NewOrder]) -> None:
    """Raises TooManyOrders where an owner would place more than the rule allows."""
    free: int = settings.MARKET_FREE_ORDERS
    for wallet_id, count in Counter(order.wallet_id for order in orders).items():
        if _seen(wallet_id, count) * PROCESSES > free:
            _let_through(wallet_id, count, free)


def keep_amending_orderly(wallet_id: int) -> None:
    """Raises TooManyOrders where one more amendment that loses its place is more than the rule allows."""
    free: int = settings.MARKET_FREE_ORDERS
    if _seen(wallet_id, 1) * PROCESSES > free:
        _let_through(wallet_id, 1, free)


def _seen(wallet_id: int, count: int) -> int:
    global _minute
    with _lock:
        if time.monotonic() - _minute.started > WINDOW_SECONDS:
            _minute = _Minute()
        _minute.seen[wallet_id] += count
        return _minute.seen[wallet_id]


def _let_through(wallet_id: int, count: int, free: int) -> None:
    asked = _minute.asked.get(wallet_id)
    if asked is None or not asked.is_fresh or (asked.since + count) * PROCESSES > asked.room:
        asked = _minute.asked[wallet_id] = _ask(wallet_id, free)
    if asked.since + count > asked.room:
        raise TooManyOrders(
            ngettext(
                "You have placed or amended too many orders for what traded of them. "
                "There is room again in %(n)d second.",
                "You have placed or amended too many orders for what traded of them. "
                "There is room again in %(n)d seconds.",
                asked.room_in,
            )
            % {"n": asked.room_in},
            retry_after=asked.room_in,
        )
    asked.since += count


def _ask(wallet_id: int, free: int) -> _Asked:
    # Twice the free orders are enough to see the proportion, and bound what one question reads.
    figures = {"wallet": wallet_id, "window": WINDOW_SECONDS, "most": 2 * free, "free": max(free - 1, 0)}
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, figures)
        row = cursor.fetchone()
    if row is None:
        return _Asked(time.monotonic(), free, 1)
    _owner, orders, traded, now, oldest = row
    room = max(free, settings.MARKET_ORDERS_PER_TRADE * traded) - orders
    return _Asked(time.monotonic(), room, _room_in(now, oldest))


def _room_in(now: datetime, oldest: datetime | None) -> int:
    """In how many seconds the order leaves the window that takes up the last free place."""
    if oldest is None:
        return 1
    return max(1, ceil(WINDOW_SECONDS - (now - oldest).total_seconds()))


def forget() -> None:
    """Count anew, in a forked child or a test."""
    global _minute
    _minute = _Minute()


os.register_at_fork(after_in_child=forget)
