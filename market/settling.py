"""Writing what a clearing decided: entries, postings, trades, orders, holds and the event, in its transaction."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

import psycopg

from ledger.arrays import byte_strings, integers, optional_integers, texts
from ledger.statements import call
from market.answers import NewOrder
from market.batch import Outcome, Working
from market.copying import copy_batch
from market.entries import hold_entries, postings, trade_entries
from market.loading import Loaded, expiry_of, options_of

# From about this many rows on COPY is faster than arrays (clearing.md).
COPY_FROM = 50

_WRITE = call(
    "market_write",
    [
        *["bigint", "timestamptz", "bigint[]", "bigint[]"],  # of the instrument; changes of held before the postings
        *["text[]", "text[]", "bytea[]", "bytea[]", "bigint"],  # entries: falls of holds, trades, rises of holds
        *["bigint[]"] * 3,  # postings: of which trade, account, amount
        *["bigint[]", "bigint[]", "text[]", "bigint[]", "bigint[]", "bigint[]", "bigint[]"],  # trades
        *["bigint[]"] * 2,  # changes of held after
        *["bigint[]", "text[]", *["bigint[]"] * 4, "text[]", "bigint[]", "bigint[]"],  # changed orders
        *["bigint[]", "bigint[]", "bigint[]", "bigint[]", "text[]", "bigint[]", "bigint[]", "text[]", "text[]"],  # new
        *["text[]", "bigint[]", "bigint[]", "bigint[]", "bigint[]", "text[]"],  # and how they ended up
        *["bigint[]"] * 4,  # what is not plain about them, and the fees they have paid
        *["bigint"] * 2,  # and their fee rates
        *["bigint", "bigint", "bigint", "bigint", "text"],  # the instrument's counters and the event
    ],
)


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
    last_trade = loaded.last_trade + len(trades)
    last_price = trades[-1].price if trades else loaded.last_price
    falls, rises = hold_entries(loaded, outcome)
    if max(len(new), len(trades)) >= COPY_FROM:
        # What is not plain is rare, and goes with the rest.
        copy_batch(cursor, loaded, [pair for pair in new if _is_plain(*pair)], before, falls, trades)
        new = [pair for pair in new if not _is_plain(*pair)]
        before, falls, trades = {}, [], []
    theirs = [postings(loaded, trade) for trade in trades]
    entries = [*falls, *trade_entries(loaded, trades, theirs), *rises]
    sides = [(place, *side) for place, posted in enumerate(theirs, 1) for side in posted]
    said = bool(outcome.levels or outcome.trades)
    cursor.execute(
        _WRITE,
        [
            loaded.instrument_id,
            loaded.now,
            integers(before),
            integers(before.values()),
            texts(entry.kind for entry in entries),
            texts(entry.reference for entry in entries),
            byte_strings(entry.body for entry in entries),
            byte_strings(entry.leaf for entry in entries),
            str(len(falls)),
            integers(place for place, _, _ in sides),
            integers(account for _, account, _ in sides),
            integers(amount for _, _, amount in sides),
            integers(trade.maker.id for trade in trades),
            integers(trade.taker.id for trade in trades),
            texts(trade.taker.side for trade in trades),
            integers(trade.price for trade in trades),
            integers(trade.quantity for trade in trades),
            integers(trade.maker_fee for trade in trades),
            integers(trade.taker_fee for trade in trades),
            integers(after),
            integers(after.values()),
            integers(order.id for order in changed),
            texts(order.status for order in changed),
            integers(order.filled_quantity for order in changed),
            integers(order.filled_value for order in changed),
            integers(order.held for order in changed),
            optional_integers(order.priority or None for order in changed),
            texts(order.reason for order in changed),
            integers(order.cut for order in changed),
            integers(order.fees for order in changed),
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
            str(loaded.maker_bp),
            str(loaded.taker_bp),
            str(outcome.last_priority),
            str(last_trade),
            None if last_price is None else str(last_price),
            str(loaded.last_event + 1),
            _payload(loaded, outcome) if said else None,
        ],
        prepare=True,
    )


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
