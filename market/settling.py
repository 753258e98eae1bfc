"""Writing what a clearing decided: entries, postings, trades, orders, holds and the event, in its transaction."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import chain
from typing import Any

import psycopg

from market.answers import NewOrder
from market.batch import BatchTrade, Outcome, Working
from market.entries import LogEntry, hold_entries, postings, trade_entries
from market.loading import Loaded, expiry_of, integers, optional_integers, options_of

# From about this many rows on COPY is faster than arrays (clearing.md).
COPY_FROM = 50

_WRITE = f"SELECT market_write(%s::bigint, %s::timestamptz, {', '.join(['%s::{}'] * 54)})".format(
    *["bigint[]"] * 2,  # changes of held before the postings
    *["text[]", "text[]", "bytea[]", "bytea[]", "bigint"],  # entries: falls of holds, trades, rises of holds
    *["bigint[]"] * 3,  # postings: of which trade, account, amount
    *["bigint[]", "bigint[]", "text[]", "bigint[]", "bigint[]", "bigint[]", "bigint[]"],  # trades
    *["bigint[]"] * 2,  # and after
    *[
        "bigint[]",
        "text[]",
        "bigint[]",
        "bigint[]",
        "bigint[]",
        "bigint[]",
        "text[]",
        "bigint[]",
        "bigint[]",
    ],  # changed orders
    *["bigint[]", "bigint[]", "bigint[]", "bigint[]", "text[]", "bigint[]", "bigint[]", "text[]", "text[]"],  # new
    *["text[]", "bigint[]", "bigint[]", "bigint[]", "bigint[]", "text[]"],  # and how they ended up
    *["bigint[]"] * 4,  # what is not plain about them, and the fees they have paid
    *["bigint"] * 2,  # and their fee rates
    *["bigint", "bigint", "bigint", "bigint", "text"],  # the instrument's counters and the event
)


def write(
    cursor: psycopg.Cursor[Any], loaded: Loaded, outcome: Outcome, new: Sequence[tuple[Working, NewOrder]]
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
    if len(new) >= COPY_FROM:
        # What is not plain is rare, and goes with the rest.
        _copy_orders(cursor, loaded, [pair for pair in new if _is_plain(*pair)])
        new = [pair for pair in new if not _is_plain(*pair)]
    falls, rises = hold_entries(loaded, outcome)
    if len(trades) >= COPY_FROM:
        _copy_trades(cursor, loaded, before, falls, trades)
        before, falls, trades = {}, [], []
    entries = [*falls, *trade_entries(loaded, trades), *rises]
    sides = [(place, *side) for place, trade in enumerate(trades, 1) for side in postings(loaded, trade)]
    said = bool(outcome.levels or outcome.trades)
    cursor.execute(
        _WRITE,
        [
            loaded.instrument_id,
            loaded.now,
            integers(before),
            integers(before.values()),
            [entry.kind for entry in entries],
            [entry.reference for entry in entries],
            [entry.body for entry in entries],
            [entry.leaf for entry in entries],
            str(len(falls)),
            integers(place for place, _, _ in sides),
            integers(account for _, account, _ in sides),
            integers(amount for _, _, amount in sides),
            integers(trade.maker.id for trade in trades),
            integers(trade.taker.id for trade in trades),
            [trade.taker.side for trade in trades],
            integers(trade.price for trade in trades),
            integers(trade.quantity for trade in trades),
            integers(trade.maker_fee for trade in trades),
            integers(trade.taker_fee for trade in trades),
            integers(after),
            integers(after.values()),
            integers(order.id for order in changed),
            [order.status for order in changed],
            integers(order.filled_quantity for order in changed),
            integers(order.filled_value for order in changed),
            integers(order.held for order in changed),
            optional_integers(order.priority or None for order in changed),
            [order.reason for order in changed],
            integers(order.cut for order in changed),
            integers(order.fees for order in changed),
            integers(working.id for working, _ in new),
            integers(working.wallet for working, _ in new),
            integers(working.account for working, _ in new),
            integers(working.receiving_account for working, _ in new),
            [working.side for working, _ in new],
            integers(working.limit_price for working, _ in new),
            integers(order.quantity - working.cut for working, order in new),
            [order.time_in_force for _, order in new],
            [order.client_order_id for _, order in new],
            [working.status for working, _ in new],
            integers(working.filled_quantity for working, _ in new),
            integers(working.filled_value for working, _ in new),
            integers(working.held for working, _ in new),
            optional_integers(working.priority or None for working, _ in new),
            [working.reason for working, _ in new],
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


def _copy_orders(cursor: psycopg.Cursor[Any], loaded: Loaded, new: Sequence[tuple[Working, NewOrder]]) -> None:
    """Fees are in columns of their own that have a default: who charges none does not carry them."""
    charges = bool(loaded.taker_bp)
    with cursor.copy(
        "COPY market_order (id, instrument_id, wallet_id, account_id, receiving_account_id, side, limit_price,"
        " quantity, time_in_force, client_order_id, status, filled_quantity, filled_value, held, priority, reason,"
        f" placed_at, done_at{', maker_fee_bp, taker_fee_bp, fees_paid' if charges else ''})"
        " FROM STDIN (FORMAT BINARY)"
    ) as copy:
        copy.set_types(
            [
                "int8", "int8", "int8", "int8", "int8", "text", "int8", "int8", "text", "text", "text", "int8", "int8",
                "int8", "int8", "text", "timestamptz", "timestamptz", *(["int2", "int2", "int8"] if charges else ()),
            ]
        )  # fmt: skip
        for working, order in new:
            row: tuple[Any, ...] = (
                working.id, loaded.instrument_id, working.wallet, working.account, working.receiving_account,
                working.side, working.limit_price, order.quantity, order.time_in_force, order.client_order_id,
                working.status, working.filled_quantity, working.filled_value, working.held,
                working.priority or None, working.reason, loaded.now,
                None if working.status == "OPEN" else loaded.now,
            )  # fmt: skip
            copy.write_row((*row, working.maker_bp, working.taker_bp, working.fees) if charges else row)


def _is_plain(working: Working, order: NewOrder) -> bool:
    return order.is_plain and order.expires_at is None and not working.cut


def _copy_trades(
    cursor: psycopg.Cursor[Any],
    loaded: Loaded,
    before: dict[int, int],
    falls: Sequence[LogEntry],
    trades: Sequence[BatchTrade],
) -> None:
    """Changes of held, then entries, postings and trades. Rows are made while Postgres takes in the ones before."""
    cursor.execute(
        "SELECT ARRAY(SELECT nextval('ledger_entry_id_seq') FROM generate_series(1, %s::integer)),"
        " ledger_change_held(%s::bigint[], %s::bigint[])",
        [str(len(falls) + len(trades)), integers(before), integers(before.values())],
        prepare=True,
        binary=True,
    )
    row = cursor.fetchone()
    assert row is not None
    ids: list[int] = row[0]
    entries = chain(falls, trade_entries(loaded, trades))
    with cursor.copy(
        "COPY ledger_entry (id, kind, transfer_kind, reference, body, leaf_hash, recorded_at)"
        " FROM STDIN (FORMAT BINARY)"
    ) as copy:
        copy.set_types(["int8", "text", "text", "text", "bytea", "bytea", "timestamptz"])
        for id_, entry in zip(ids, entries, strict=True):
            trades_kind = "TRADE" if entry.kind == "TRANSFER" else None
            copy.write_row((id_, entry.kind, trades_kind, entry.reference, entry.body, entry.leaf, loaded.now))
    ids = ids[len(falls) :]
    with cursor.copy("COPY ledger_posting (transfer_id, account_id, amount) FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(["int8", "int8", "int8"])
        for id_, trade in zip(ids, trades, strict=True):
            for account, amount in postings(loaded, trade):
                copy.write_row((id_, account, amount))
    _copy_trade_rows(cursor, loaded, ids, trades)


def _copy_trade_rows(
    cursor: psycopg.Cursor[Any], loaded: Loaded, ids: Sequence[int], trades: Sequence[BatchTrade]
) -> None:
    charged = any(trade.maker_fee or trade.taker_fee for trade in trades)
    with cursor.copy(
        "COPY market_trade (instrument_id, number, maker_id, taker_id, taker_side, price, quantity, transfer_id,"
        f" traded_at{', maker_fee, taker_fee' if charged else ''}) FROM STDIN (FORMAT BINARY)"
    ) as copy:
        types = ["int8", "int8", "int8", "int8", "text", "int8", "int8", "int8", "timestamptz"]
        copy.set_types([*types, "int8", "int8"] if charged else types)
        for number, (id_, trade) in enumerate(zip(ids, trades, strict=True), loaded.last_trade + 1):
            row: tuple[Any, ...] = (
                loaded.instrument_id, number, trade.maker.id, trade.taker.id, trade.taker.side, trade.price,
                trade.quantity, id_, loaded.now,
            )  # fmt: skip
            copy.write_row((*row, trade.maker_fee, trade.taker_fee) if charged else row)


def _payload(loaded: Loaded, outcome: Outcome) -> str:
    trades = [
        [number, trade.price, trade.quantity, trade.taker.side]
        for number, trade in enumerate(outcome.trades, loaded.last_trade + 1)
    ]
    return event_payload(trades=trades, levels=outcome.levels.items(), now=loaded.now)
