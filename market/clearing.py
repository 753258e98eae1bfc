"""Clearing: everything waiting for an instrument is matched and settled in one transaction, by who has its lock."""

from collections.abc import Sequence

import psycopg
from django.db import IntegrityError, connection, transaction
from psycopg.errors import UniqueViolation

from market.answers import Answers, NewOrder, PlacedOrder, conflict
from market.batch import Working, clear_batch
from market.loading import Loaded, enter
from market.models import Order
from market.settling import write

_TRIES = 5
# What market_enter takes out of the inbox at once.
_INBOX_LIMIT = 2000


def clear(instrument_id: int, orders: Sequence[NewOrder] = ()) -> Answers:
    """Place the orders and clear everything waiting for the instrument; each answer is committed.

    A client order id placed at this very moment through another instrument or process fails our transaction as a
    whole; when asked again it is known.
    """
    for attempt in range(1, _TRIES + 1):
        try:
            return _clear(instrument_id, orders)
        except IntegrityError as error:
            if attempt == _TRIES or not isinstance(error.__cause__, UniqueViolation):
                raise
    raise AssertionError("unreachable")


def _clear(instrument_id: int, orders: Sequence[NewOrder]) -> Answers:
    # An id asked for twice in one batch is placed once.
    ours = list({order.key: order for order in reversed(orders)}.values())[::-1]
    loaded = _clear_once(instrument_id, ours, block=False)
    while loaded is None:
        # Ours are in the inbox. By the time we have the lock the process that had it may have cleared them, which is
        # why an order is looked at only with the lock held.
        loaded = _clear_once(instrument_id, [], block=True)
        if loaded is not None and len(loaded.inbox) >= _INBOX_LIMIT:
            loaded = None
    answers = _answers(orders, loaded)
    missing = [order for order in orders if order not in answers]
    return answers | _look_up(missing) if missing else answers


def _clear_once(instrument_id: int, orders: Sequence[NewOrder], *, block: bool) -> Loaded | None:
    with transaction.atomic(durable=True), connection.wrap_database_errors:
        cursor = psycopg.Cursor(connection.connection)
        loaded = enter(cursor, instrument_id, orders, block=block)
        if loaded is None:
            return None
        new = [(loaded.new[order.key], order) for order in orders if order.key in loaded.new]
        waiting = [*loaded.inbox.values(), *(working for working, _ in new)]
        if waiting:
            outcome = clear_batch(
                waiting=waiting,
                resting=loaded.resting,
                available=loaded.available,
                last_priority=loaded.last_priority,
            )
            write(cursor, loaded, outcome, new)
        cursor.close()
    return loaded


def _answers(orders: Sequence[NewOrder], loaded: Loaded) -> Answers:
    answers: Answers = {}
    for order in orders:
        found = loaded.new.get(order.key) or loaded.inbox.get(order.key)
        if found is not None:
            answers[order] = conflict(order, _content(order, found)) or PlacedOrder(
                found.id, found.status, order.quantity, found.filled_quantity, found.filled_value, found.reason
            )
    return answers


def _content(order: NewOrder, found: Working) -> tuple[int, str, int, int, str]:
    quantity = found.open_quantity + found.filled_quantity
    return order.instrument_id, found.side, found.limit_price, quantity, "GTC" if found.stays else "IOC"


def _look_up(orders: Sequence[NewOrder]) -> Answers:
    """Orders asked for before, or cleared by another process in the meantime."""
    rows = Order.objects.filter(
        wallet_id__in={order.wallet_id for order in orders},
        client_order_id__in={order.client_order_id for order in orders},
    )
    by_key = {(row.wallet_id, row.client_order_id): row for row in rows}
    answers: Answers = {}
    for order in orders:
        row = by_key[order.key]
        content = row.instrument_id, row.side, row.limit_price, row.quantity, row.time_in_force
        answers[order] = conflict(order, content) or PlacedOrder(
            row.id, row.status, row.quantity, row.filled_quantity, row.filled_value, row.reason
        )
    return answers
