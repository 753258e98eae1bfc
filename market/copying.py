"""A large clearing's orders and trades by COPY. Rows are put together while Postgres takes in the ones before."""

from collections.abc import Sequence
from functools import lru_cache
from itertools import chain
from struct import Struct
from typing import Any

import psycopg

from ledger.door.copying import HEADER, LENGTH, NULL, TRAILER, bigint, columns, instant, text, three_bigints
from market.answers import NewOrder
from market.batch import BatchTrade, Working
from market.entries import LogEntry, postings, trade_entries
from market.loading import Loaded, integers

_ENTRIES = "ledger_entry (id, kind, transfer_kind, reference, body, leaf_hash, recorded_at)"
_POSTINGS = "ledger_posting (transfer_id, account_id, amount)"
_TRADES = "instrument_id, number, maker_id, taker_id, taker_side, price, quantity, transfer_id, traded_at"
_TRADE_FEES = ", maker_fee, taker_fee"
_ORDERS = (
    "id, instrument_id, wallet_id, account_id, receiving_account_id, side, limit_price, quantity, time_in_force,"
    " client_order_id, status, filled_quantity, filled_value, held, priority, reason, placed_at, done_at"
)
_ORDER_FEES = ", maker_fee_bp, taker_fee_bp, fees_paid"
# Postgres reads so many rows while the next are put together.
_CHUNK = 200
_TWO, _THREE, _FOUR = (Struct(">" + "iq" * count) for count in (2, 3, 4))
_TWO_SMALL = Struct(">ihih")
# One of few words: a side, a status, a reason.
_word = lru_cache(500)(text)


def copy_orders(cursor: psycopg.Cursor[Any], loaded: Loaded, new: Sequence[tuple[Working, NewOrder]]) -> None:
    """Fees are in columns of their own that have a default: who charges none does not carry them."""
    charges = bool(loaded.taker_bp)
    with cursor.copy(f"COPY market_order ({_ORDERS}{_ORDER_FEES * charges}) FROM STDIN (FORMAT BINARY)") as copy:
        copy.write(HEADER)
        for start in range(0, len(new), _CHUNK):
            copy.write(_order_rows(loaded, new[start : start + _CHUNK], charges=charges))
        copy.write(TRAILER)


def copy_trades(
    cursor: psycopg.Cursor[Any],
    loaded: Loaded,
    before: dict[int, int],
    falls: Sequence[LogEntry],
    trades: Sequence[BatchTrade],
) -> None:
    """Changes of held, then entries, postings and trades."""
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
    with cursor.copy(f"COPY {_ENTRIES} FROM STDIN (FORMAT BINARY)") as copy:
        copy.write(HEADER)
        entries = list(chain(falls, trade_entries(loaded, trades)))
        for start in range(0, len(ids), _CHUNK):
            part = slice(start, start + _CHUNK)
            copy.write(_entry_rows(loaded, ids[part], entries[part]))
        copy.write(TRAILER)
        # Made before Postgres is asked whether it has taken the entries in.
        ids = ids[len(falls) :]
        posted = three_bigints(
            (id_, *side) for id_, trade in zip(ids, trades, strict=True) for side in postings(loaded, trade)
        )
    with cursor.copy(f"COPY {_POSTINGS} FROM STDIN (FORMAT BINARY)") as copy:
        copy.write(HEADER + posted + TRAILER)
        charged = any(trade.maker_fee or trade.taker_fee for trade in trades)
        rows = _trade_rows(loaded, ids, trades, charged=charged)
    with cursor.copy(f"COPY market_trade ({_TRADES}{_TRADE_FEES * charged}) FROM STDIN (FORMAT BINARY)") as copy:
        copy.write(HEADER + rows + TRAILER)


def _order_rows(loaded: Loaded, new: Sequence[tuple[Working, NewOrder]], *, charges: bool) -> bytes:
    row, now, instrument = columns(21 if charges else 18), instant(loaded.now), loaded.instrument_id
    parts: list[bytes] = []
    for working, order in new:
        parts += (
            row,
            _THREE.pack(8, working.id, 8, instrument, 8, working.wallet),
            _TWO.pack(8, working.account, 8, working.receiving_account),
            _word(working.side),
            _TWO.pack(8, working.limit_price, 8, order.quantity),
            _word(order.time_in_force),
            text(order.client_order_id),
            _word(working.status),
            _THREE.pack(8, working.filled_quantity, 8, working.filled_value, 8, working.held),
            bigint(working.priority or None),
            _word(working.reason),
            now,
            NULL if working.status == "OPEN" else now,
        )
        if charges:
            parts += (_TWO_SMALL.pack(2, working.maker_bp, 2, working.taker_bp), bigint(working.fees))
    return b"".join(parts)


def _entry_rows(loaded: Loaded, ids: Sequence[int], entries: Sequence[LogEntry]) -> bytes:
    row, end, size = columns(7), instant(loaded.now), LENGTH.pack
    parts: list[bytes] = []
    for id_, (kind, reference, body, leaf) in zip(ids, entries, strict=True):
        parts += (
            row, bigint(id_), _word(kind), _word("TRADE" if kind == "TRANSFER" else None), text(reference),
            size(len(body)), body, size(len(leaf)), leaf, end,
        )  # fmt: skip
    return b"".join(parts)


def _trade_rows(loaded: Loaded, ids: Sequence[int], trades: Sequence[BatchTrade], *, charged: bool) -> bytes:
    row, now, instrument = columns(11 if charged else 9), instant(loaded.now), loaded.instrument_id
    parts: list[bytes] = []
    for number, (id_, trade) in enumerate(zip(ids, trades, strict=True), loaded.last_trade + 1):
        maker, taker = trade.maker, trade.taker
        parts += (
            row,
            _FOUR.pack(8, instrument, 8, number, 8, maker.id, 8, taker.id),
            _word(taker.side),
            _THREE.pack(8, trade.price, 8, trade.quantity, 8, id_),
            now,
        )
        if charged:
            parts.append(_TWO.pack(8, trade.maker_fee, 8, trade.taker_fee))
    return b"".join(parts)
