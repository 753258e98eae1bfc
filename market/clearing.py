"""Clearing: everything waiting for an instrument is matched and settled in one transaction, by who has its lock."""

from collections.abc import Sequence
from typing import NamedTuple

from django.db import IntegrityError
from psycopg.errors import UniqueViolation

from ledger.clock import assert_in_transaction
from ledger.pipelining import Cursor, pipelined_transaction, step_cursor
from market.answers import Answer, Answers, NewOrder, PlacedOrder, conflict
from market.batch import Working, clear_batch
from market.errors import AmendmentRefused, sentence_for
from market.limits import refuse_special
from market.loading import Loaded, enter, rules_of
from market.models import InstrumentChange, Order
from market.phases import begin_auction, lock_instrument
from market.settling import write
from market.uncrossing import end_auction


class AuctionDue(Exception):
    """An auction has to be ended before anything else is cleared."""

    def __init__(self, instrument_id: int) -> None:
        super().__init__(instrument_id)
        self.instrument_id = instrument_id


class Amended(NamedTuple):
    """An order that arrives anew, and what its account holds for it until then."""

    order_id: int
    held: int


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
    while True:
        try:
            return _clear_open(instrument_id, orders)
        except AuctionDue:
            end_auction(instrument_id)


def _clear_open(instrument_id: int, orders: Sequence[NewOrder]) -> Answers:
    # An id asked for twice in one batch is placed once.
    once: dict[tuple[int, str], NewOrder] = {}
    for order in orders:
        once.setdefault(order.key, order)
    ours = list(once.values())
    loaded = _clear_once(instrument_id, ours, block=False)
    while loaded is None:
        # Ours are in the inbox. By the time we have the lock the process that had it may have cleared them, which is
        # why an order is looked at only with the lock held.
        loaded = _clear_once(instrument_id, [], block=True)
        if loaded is not None and len(loaded.inbox) >= _INBOX_LIMIT:
            loaded = None
    answers = [_answer(order, loaded, once[order.key]) for order in orders]
    missing = [order for order, answer in zip(orders, answers, strict=True) if answer is None]
    known = _look_up(missing) if missing else {}
    return [answer or _stored(order, known) for order, answer in zip(orders, answers, strict=True)]


def _clear_once(instrument_id: int, orders: Sequence[NewOrder], *, block: bool) -> Loaded | None:
    with pipelined_transaction() as cursor:
        return _clear_waiting(cursor, instrument_id, orders, block=block)


def clear_locked(
    instrument_id: int, orders: Sequence[NewOrder], *, block: bool, amended: Amended | None = None
) -> Loaded | None:
    """Take the instrument's lock and clear everything waiting, in the caller's transaction; None where another has the
    lock and the orders are in the inbox. Raises AuctionDue where an auction is to be ended first, and
    AmendmentRefused where the `amended` order would be rejected: it is to stay as it was."""
    assert_in_transaction()
    with step_cursor() as cursor:
        return _clear_waiting(cursor, instrument_id, orders, block=block, amended=amended)


def _clear_waiting(
    cursor: Cursor,
    instrument_id: int,
    orders: Sequence[NewOrder],
    *,
    block: bool,
    amended: Amended | None = None,
) -> Loaded | None:
    loaded = enter(cursor, instrument_id, orders, block=block)
    while loaded is not None and (refused := refuse_special(loaded)):
        # What was read reaches only as far as needed with these: take them out, then read again without them.
        _settle(cursor, loaded, [], refused, [])
        loaded = enter(cursor, instrument_id, orders, block=block)
    if loaded is None:
        return None
    if loaded.auction_is_due:
        raise AuctionDue(instrument_id)
    new = [(loaded.new[order.key], order) for order in orders if order.key in loaded.new]
    waiting = [*loaded.inbox.values(), *(working for working, _ in new)]
    if waiting:
        _settle(cursor, loaded, waiting, loaded.resting, new, amended)
    return loaded


def _settle(
    cursor: Cursor,
    loaded: Loaded,
    waiting: Sequence[Working],
    resting: Sequence[Working],
    new: Sequence[tuple[Working, NewOrder]],
    amended: Amended | None = None,
) -> None:
    ours = None
    if amended is not None:
        ours = next(order for order in waiting if order.id == amended.order_id)
        ours.held_before = amended.held
    outcome = clear_batch(
        waiting=waiting,
        resting=resting,
        available=loaded.available,
        last_priority=loaded.last_priority,
        rules=rules_of(loaded),
    )
    if ours is not None and ours.status == Order.Status.REJECTED:
        raise AmendmentRefused(sentence_for(ours.reason), reason=ours.reason)
    write(cursor, loaded, outcome, new)
    if outcome.left_band:
        instrument = lock_instrument(loaded.instrument_id)
        begin_auction(instrument, cause=InstrumentChange.Cause.BAND, now=loaded.now)


def _answer(order: NewOrder, loaded: Loaded, first: NewOrder) -> Answer | None:
    """What became of an order that this very clearing took; None for another. `first` had its id first."""
    found = loaded.new.get(order.key) or loaded.inbox.get(order.key)
    if found is None:
        return None
    if order is first and order.key in loaded.new:
        return _placed(found)
    content = first.content
    if order.key not in loaded.new:
        # Another caller's may have been in the inbox before ours; what its row does not say is taken to be the same.
        content = (order.instrument_id, found.side, found.limit_price, found.initial_open, *first.content[4:])
    return conflict(order, content) or _placed(found)


def _placed(order: Working) -> PlacedOrder:
    return PlacedOrder(
        order.id, order.status, order.initial_open - order.cut, order.filled_quantity, order.filled_value,
        order.reason, order.fees,
    )  # fmt: skip


def _look_up(orders: Sequence[NewOrder]) -> dict[tuple[int, str], Order]:
    """Orders asked for before, or cleared by another process in the meantime."""
    rows = Order.objects.filter(
        wallet_id__in={order.wallet_id for order in orders},
        client_order_id__in={order.client_order_id for order in orders},
    )
    return {(row.wallet_id, row.client_order_id): row for row in rows}


def _stored(order: NewOrder, known: dict[tuple[int, str], Order]) -> Answer:
    row = known[order.key]
    content = (
        row.instrument_id, row.side, row.first_price or row.limit_price, row.first_quantity or row.quantity,
        row.time_in_force, row.kind, row.post_only, row.self_trade, row.expires_at,
    )  # fmt: skip
    return conflict(order, content) or PlacedOrder(
        row.id, row.status, row.quantity, row.filled_quantity, row.filled_value, row.reason, row.fees_paid
    )
