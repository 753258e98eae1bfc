"""Writing what a clearing decided: entries, postings, trades, orders, holds and the event, in its transaction."""

import json
from collections.abc import Iterable, Sequence
from datetime import datetime

from ledger.arrays import Rows, integers, rows
from ledger.pipelining import Cursor
from ledger.statements import act
from market.answers import NewOrder
from market.batch import BatchTrade, Outcome, Working
from market.copying import copy_batch
from market.entries import LogEntry, hold_entries, postings, trade_entries
from market.loading import Loaded, expiry_of, options_of

# From about this many rows on COPY is faster than arrays.
COPY_FROM = 50

# From so many orders on Postgres takes them in while the entries are put together. A message of its own takes 40 to 60
# microseconds where it has to wake the other core, as long as Postgres takes to write an order.
_ORDERS_AHEAD = 5

# The parameters of migration 0016's functions; the first two say of which instrument, and when.
_WRITE_ORDERS = act(
    "market_write_orders",
    ["bigint", "timestamptz", "market_changed[]", "market_placed[]", "bigint", "bigint"],  # fee rates of the new ones
)
_WRITE = act(
    "market_write",
    [
        *["bigint", "timestamptz", "bigint[]", "bigint[]"],  # held before the postings
        *["ledger_logged[]", "bigint", "ledger_posted[]", "market_traded[]"],
        *["bigint[]", "bigint[]"],  # and held after them
        *[*["bigint"] * 4, "text"],  # the instrument's counters, and the event
    ],
)


def write(cursor: Cursor, loaded: Loaded, outcome: Outcome, new: Sequence[tuple[Working, NewOrder]]) -> None:
    """`new` are the orders that are not in the database yet."""
    # What is available already may be held before the postings, with the before; only the rest must come after them.
    before = {id_: change for id_, change in outcome.held.items() if change and change <= loaded.available[id_]}
    after = {id_: change for id_, change in outcome.held.items() if change > loaded.available[id_]}
    ours = {working.id for working, _ in new}
    changed = [order for id_, order in outcome.changed.items() if id_ not in ours]
    trades = outcome.trades
    copies = max(len(new), len(trades)) >= COPY_FROM
    # What is not plain is rare, and goes with the rest.
    _write_orders(cursor, loaded, changed, [pair for pair in new if not (copies and _is_plain(*pair))])
    falls, rises = hold_entries(loaded, outcome)
    if copies:
        copy_batch(cursor, loaded, [pair for pair in new if _is_plain(*pair)], before, falls, trades)
        before, falls, trades = {}, [], []
    theirs = [postings(loaded, trade) for trade in trades]
    entries = [*falls, *trade_entries(loaded, trades, theirs), *rises]
    values = [
        loaded.instrument_id, loaded.now, *_held(before), rows(_logged(entries)), len(falls),
        rows(_posted(theirs)), rows(_traded(trades)), *_held(after), *_ends(loaded, outcome),
    ]  # fmt: skip
    cursor.execute(_WRITE, values)


def _write_orders(
    cursor: Cursor,
    loaded: Loaded,
    changed: Sequence[Working],
    new: Sequence[tuple[Working, NewOrder]],
) -> None:
    if changed or new:
        orders = rows(_changed(changed)), rows(_new(new))
        rates = loaded.maker_bp, loaded.taker_bp
        cursor.execute(_WRITE_ORDERS, [loaded.instrument_id, loaded.now, *orders, *rates])
        if len(changed) + len(new) >= _ORDERS_AHEAD:
            cursor.go_ahead()


def _held(changes: dict[int, int]) -> list[str]:
    return [integers(changes), integers(changes.values())]


def _logged(entries: Sequence[LogEntry]) -> Rows:
    return [(entry.kind, entry.transfer_kind, entry.reference, entry.body, entry.leaf) for entry in entries]


def _posted(sides: Sequence[Sequence[tuple[int, int]]]) -> Rows:
    """Of which trade, which account, how much."""
    return [(place, account, amount) for place, posted in enumerate(sides, 1) for account, amount in posted]


def _traded(trades: Sequence[BatchTrade]) -> Rows:
    return [
        (maker.id, taker.id, taker.side, price, quantity, maker_fee, taker_fee)
        for maker, taker, price, quantity, maker_fee, taker_fee in trades
    ]


def _changed(orders: Sequence[Working]) -> Rows:
    """Orders that the database has, by what changed of them."""
    return [
        (
            order.id, order.status, order.filled_quantity, order.filled_value, order.held, order.priority or None,
            order.reason, order.cut, order.fees,
        )
        for order in orders
    ]  # fmt: skip


def _new(new: Sequence[tuple[Working, NewOrder]]) -> Rows:
    """Orders that the database has not: what was asked for, and how it ended up."""
    return [
        (
            working.id, working.wallet, working.account, working.receiving_account, working.side, working.limit_price,
            order.quantity - working.cut, order.time_in_force, order.client_order_id, working.status,
            working.filled_quantity, working.filled_value, working.held, working.priority or None, working.reason,
            options_of(order), expiry_of(order), working.cut, working.fees,
        )
        for working, order in new
    ]  # fmt: skip


def _ends(loaded: Loaded, outcome: Outcome) -> list[int | str | None]:
    """The instrument's counters and the event."""
    trades = outcome.trades
    last_price = trades[-1].price if trades else loaded.last_price
    said = bool(outcome.levels or trades)
    return [
        outcome.last_priority,
        loaded.last_trade + len(trades),
        last_price,
        loaded.last_event + 1,
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
