"""Writing what a clearing decided: entries, postings, trades, orders, holds and the event, in its transaction."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import psycopg

from ledger.arrays import byte_strings, integers, optional_integers, texts
from ledger.statements import call
from market.answers import NewOrder
from market.batch import BatchTrade, Outcome, Working
from market.copying import copy_batch
from market.entries import LogEntry, hold_entries, postings, trade_entries
from market.loading import Loaded, expiry_of, options_of

# From about this many rows on COPY is faster than arrays.
COPY_FROM = 50

# The parameters of market_write (migration 0007), part by part.
_INSTRUMENT = ["bigint", "timestamptz"]
_HELD = ["bigint[]", "bigint[]"]
_ENTRIES = ["text[]", "text[]", "bytea[]", "bytea[]", "bigint"]
_POSTINGS = ["bigint[]"] * 3
_TRADES = ["bigint[]", "bigint[]", "text[]", *["bigint[]"] * 4]
_CHANGED = ["bigint[]", "text[]", *["bigint[]"] * 4, "text[]", "bigint[]", "bigint[]"]
_NEW = [
    *["bigint[]"] * 4, "text[]", *["bigint[]"] * 2, "text[]", "text[]",  # what was asked for
    "text[]", *["bigint[]"] * 4, "text[]",  # how it ended up
    *["bigint[]"] * 4,  # what is not plain about it, and the fees it has paid
]  # fmt: skip
_ENDS = [*["bigint"] * 6, "text"]
_WRITE = call(
    "market_write",
    [*_INSTRUMENT, *_HELD, *_ENTRIES, *_POSTINGS, *_TRADES, *_HELD, *_CHANGED, *_NEW, *_ENDS],
)
Values = list[Any]


def write(
    cursor: psycopg.RawCursor[Any], loaded: Loaded, outcome: Outcome, new: Sequence[tuple[Working, NewOrder]]
) -> None:
    """`new` are the orders that are not in the database yet."""
    # What is available already may be held before the postings, with the before; only the rest must come after them.
    before = {id_: change for id_, change in outcome.held.items() if change and change <= loaded.available[id_]}
    after = {id_: change for id_, change in outcome.held.items() if change > loaded.available[id_]}
    ours = {working.id for working, _ in new}
    changed = [order for id_, order in outcome.changed.items() if id_ not in ours]
    trades = outcome.trades
    falls, rises = hold_entries(loaded, outcome)
    if max(len(new), len(trades)) >= COPY_FROM:
        # What is not plain is rare, and goes with the rest.
        copy_batch(cursor, loaded, [pair for pair in new if _is_plain(*pair)], before, falls, trades)
        new = [pair for pair in new if not _is_plain(*pair)]
        before, falls, trades = {}, [], []
    theirs = [postings(loaded, trade) for trade in trades]
    entries = [*falls, *trade_entries(loaded, trades, theirs), *rises]
    values = [
        loaded.instrument_id, loaded.now, *_held(before), *_logged(entries), str(len(falls)), *_posted(theirs),
        *_traded(trades), *_held(after), *_changed(changed), *_new(new), *_ends(loaded, outcome),
    ]  # fmt: skip
    cursor.execute(_WRITE, values, prepare=True)


def _held(changes: dict[int, int]) -> Values:
    return [integers(changes), integers(changes.values())]


def _logged(entries: Sequence[LogEntry]) -> Values:
    return [
        texts(entry.kind for entry in entries),
        texts(entry.reference for entry in entries),
        byte_strings(entry.body for entry in entries),
        byte_strings(entry.leaf for entry in entries),
    ]


def _posted(sides: Sequence[Sequence[tuple[int, int]]]) -> Values:
    """Of which trade, which account, how much."""
    rows = [(place, account, amount) for place, posted in enumerate(sides, 1) for account, amount in posted]
    return [integers(column) for column in zip(*rows, strict=True)] if rows else ["{}"] * 3


def _traded(trades: Sequence[BatchTrade]) -> Values:
    return [
        integers(trade.maker.id for trade in trades),
        integers(trade.taker.id for trade in trades),
        texts(trade.taker.side for trade in trades),
        integers(trade.price for trade in trades),
        integers(trade.quantity for trade in trades),
        integers(trade.maker_fee for trade in trades),
        integers(trade.taker_fee for trade in trades),
    ]


def _changed(orders: Sequence[Working]) -> Values:
    """Orders that the database has, by what changed of them."""
    return [
        integers(order.id for order in orders),
        texts(order.status for order in orders),
        integers(order.filled_quantity for order in orders),
        integers(order.filled_value for order in orders),
        integers(order.held for order in orders),
        optional_integers(order.priority or None for order in orders),
        texts(order.reason for order in orders),
        integers(order.cut for order in orders),
        integers(order.fees for order in orders),
    ]


def _new(new: Sequence[tuple[Working, NewOrder]]) -> Values:
    """Orders that the database has not: what was asked for, and how it ended up."""
    return [
        integers(working.id for working, _ in new),
        integers(working.wallet for working, _ in new),
        integers(working.account for working, _ in new),
        integers(working.receiving_account for working, _ in new),
        texts(working.side for working, _ in new),
        integers(working.limit_price for working, _ in new),
        integers(order.quantity - working.cut for working, order in new),
        texts(order.time_in_force for _, order in new),
        texts(order.client_order_id for _, order in new),
        texts(working.status for working, _ in new),
        integers(working.filled_quantity for working, _ in new),
        integers(working.filled_value for working, _ in new),
        integers(working.held for working, _ in new),
        optional_integers(working.priority or None for working, _ in new),
        texts(working.reason for working, _ in new),
        integers(options_of(order) for _, order in new),
        optional_integers(expiry_of(order) for _, order in new),
        integers(working.cut for working, _ in new),
        integers(working.fees for working, _ in new),
    ]


def _ends(loaded: Loaded, outcome: Outcome) -> Values:
    """The fee rates of new orders, then the instrument's counters and the event."""
    trades = outcome.trades
    last_price = trades[-1].price if trades else loaded.last_price
    said = bool(outcome.levels or trades)
    return [
        str(loaded.maker_bp),
        str(loaded.taker_bp),
        str(outcome.last_priority),
        str(loaded.last_trade + len(trades)),
        None if last_price is None else str(last_price),
        str(loaded.last_event + 1),
        _payload(loaded, outcome) if said else None,
    ]


def event_payload(
    *,
    trades: Sequence[Sequence[object]],
    levels: Iterable[tuple[tuple[str, int], Sequence[int]]],
    now: datetime,
    phase: str = "",
) -> str:
    """An event in JSON: trades as [number, price, quantity, taker's side], levels as [side, price, change of
    quantity, change of orders], and the new phase where it changed. No names, no ids of orders."""
    changes = [[side, price, quantity, orders] for (side, price), (quantity, orders) in levels if quantity or orders]
    content = {"at": now.isoformat(), "trades": trades, "levels": changes} | ({"phase": phase} if phase else {})
    return json.dumps(content, separators=(",", ":"))


def _is_plain(working: Working, order: NewOrder) -> bool:
    return order.is_plain and order.expires_at is None and not working.cut


def _payload(loaded: Loaded, outcome: Outcome) -> str:
    trades = [
        [number, trade.price, trade.quantity, trade.taker.side]
        for number, trade in enumerate(outcome.trades, loaded.last_trade + 1)
    ]
    return event_payload(trades=trades, levels=outcome.levels.items(), now=loaded.now)
