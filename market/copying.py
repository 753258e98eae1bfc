"""A large clearing's orders and trades by COPY: rows are put together while Postgres takes in another table's."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from struct import Struct

from ledger.arrays import integers
from ledger.door.copying import (
    ENTRIES,
    HEADER,
    NULL,
    POSTINGS,
    TRAILER,
    bigint,
    columns,
    entry_rows,
    instant,
    text,
    three_bigints,
)
from ledger.pipelining import Cursor
from market.answers import NewOrder
from market.batch import BatchTrade, Working
from market.entries import LogEntry, postings, trade_entries
from market.loading import Loaded

_TRADES = "instrument_id, number, maker_id, taker_id, taker_side, price, quantity, transfer_id, traded_at"
_TRADE_FEES = ", maker_fee, taker_fee"
_ORDERS = (
    "id, instrument_id, wallet_id, account_id, receiving_account_id, side, limit_price, quantity, time_in_force,"
    " client_order_id, status, filled_quantity, filled_value, held, priority, reason, placed_at, done_at"
)
# Fees are in columns of their own that have a default: who charges none does not carry them.
_ORDER_FEES = ", maker_fee_bp, taker_fee_bp, fees_paid"
_TWO, _THREE, _FOUR = (Struct(">" + "iq" * count) for count in (2, 3, 4))
_TWO_SMALL = Struct(">ihih")
# One of few words: a side, a status, a reason.
_word = lru_cache(500)(text)


def copy_batch(
    cursor: Cursor,
    loaded: Loaded,
    new: Sequence[tuple[Working, NewOrder]],
    before: dict[int, int],
    falls: Sequence[LogEntry],
    trades: Sequence[BatchTrade],
) -> None:
    """New orders, then changes of held, then entries, postings and trades."""
    ids = _numbered(cursor, before, len(falls) + len(trades))
    sold = ids[len(falls) :]
    charges, charged = bool(loaded.taker_bp), any(trade.maker_fee or trade.taker_fee for trade in trades)

    sides = [postings(loaded, trade) for trade in trades]

    def log_rows() -> bytes:
        entries = zip(ids, [*falls, *trade_entries(loaded, trades, sides)], strict=True)
        return entry_rows(
            ((id_, e.kind, e.transfer_kind, e.reference, e.body, e.leaf) for id_, e in entries), loaded.now
        )

    def posting_rows() -> bytes:
        return three_bigints((id_, *side) for id_, theirs in zip(sold, sides, strict=True) for side in theirs)

    rows = _order_rows(loaded, new, charges=charges)
    rows = _copy(cursor, f"market_order ({_ORDERS}{_ORDER_FEES * charges})", rows, log_rows)
    rows = _copy(cursor, ENTRIES, rows, posting_rows)
    rows = _copy(cursor, POSTINGS, rows, lambda: _trade_rows(loaded, sold, trades, charged=charged))
    _copy(cursor, f"market_trade ({_TRADES}{_TRADE_FEES * charged})", rows, bytes)


def _numbered(cursor: Cursor, before: dict[int, int], count: int) -> list[int]:
    """Ids for so many entries, and the changes of held that come before the postings."""
    cursor.execute(
        "SELECT ARRAY(SELECT nextval('ledger_entry_id_seq') FROM generate_series(1, $1::integer)),"
        " ledger_change_held($2::bigint[], $3::bigint[])",
        [count, integers(before), integers(before.values())],
    )
    row = cursor.fetchone()
    assert row is not None
    ids: list[int] = row[0]
    return ids


def _copy(cursor: Cursor, table: str, rows: bytes, next_rows: Callable[[], bytes]) -> bytes:
    """Send the rows, and put the next table's together while Postgres takes these in."""
    if not rows:
        return next_rows()
    with cursor.copy(f"COPY {table} FROM STDIN (FORMAT BINARY)") as copy:
        copy.write(HEADER + rows + TRAILER)
        return next_rows()


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
