"""Leaving the door: what a batch decided is written in one call, or by COPY where it is much."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from ledger.arrays import Rows, integers, rows, texts
from ledger.door.contents import content_text
from ledger.door.copying import (
    ENTRIES,
    HEADER,
    LENGTH,
    NULL,
    POSTINGS,
    TRAILER,
    bigint,
    binary,
    columns,
    entry_rows,
    instant,
    text,
    three_bigints,
)
from ledger.door.deciding import Batch
from ledger.door.requests import HoldState, PlannedEntry
from ledger.pipelining import Cursor
from ledger.statements import call

# From about this many entries on COPY is faster than arrays.
COPY_FROM = 50
# Postgres reads so many entries while the next are put together.
_CHUNK = 200

# The parameters of ledger_write (migration 0010); the second part only where something is held.
_MOVED = ["timestamptz", "ledger_logged[]", "ledger_posted[]", "ledger_keyed[]"]
_HELD = [*["bigint[]"] * 4, "ledger_placed[]", "ledger_resolved[]"]
_WRITE_MOVED, _WRITE = call("ledger_write", _MOVED), call("ledger_write", _MOVED + _HELD)

_KEYS = "ledger_idempotencykey (scope, key, content, entry_id, hold_id, created_at)"
_HOLDS = (
    "ledger_hold (id, public_id, account_id, to_account_id, amount, captured_amount, reference, status, placed_at,"
    " expires_at, resolved_at, placed_entry, resolved_entry)"
)


def write(cursor: Cursor, batch: Batch) -> None:
    """Write it; after which note_ids() is to be called, be it after the commit."""
    before, after = _changes_of_held(batch)
    if len(batch.entries) >= COPY_FROM:
        _copy_all(cursor, batch, before, after)
        return
    place = {id(entry): number for number, entry in enumerate(batch.entries, 1)}
    values: list[Any] = [
        batch.book.now,
        rows((e.kind, e.transfer_kind, e.reference, e.body, e.leaf) for e in batch.entries),
        rows((number, *posting) for number, entry in enumerate(batch.entries, 1) for posting in entry.postings),
        rows(_keyed(batch, place)),
    ]
    holds = bool(before or after or batch.placed or batch.resolved)
    if holds:
        values += [*_changes(before), *_changes(after)]
        values += [rows(_placed(batch.placed, place)), rows(_resolved(batch.resolved, place))]
    cursor.execute(_WRITE if holds else _WRITE_MOVED, values)


def note_ids(cursor: Cursor, batch: Batch) -> None:
    """Tell entries and holds the ids that they were written with."""
    if not 0 < len(batch.entries) < COPY_FROM:
        # Nothing was written; or by COPY, which needs the ids before.
        return
    row = cursor.fetchone()
    assert row is not None
    for entry, id_ in zip(batch.entries, row[0], strict=True):
        entry.id = id_
    for hold, id_ in zip(batch.placed, row[1] or [], strict=True):
        hold.id = id_


def _changes_of_held(batch: Batch) -> tuple[dict[int, int], dict[int, int]]:
    """By account: what is available already may be held before the postings, only the rest must come after them."""
    before: dict[int, int] = {}
    after: dict[int, int] = {}
    for account in batch.book.accounts.values():
        change = account.held - account.held_before
        if change:
            fits = change <= account.balance_before - account.held_before
            (before if fits else after)[account.id] = change
    return before, after


def _keyed(batch: Batch, place: dict[int, int]) -> Rows:
    """A hold placed in this batch stands in its key by its place, below zero."""
    number = {id(hold): -count for count, hold in enumerate(batch.placed, 1)}
    return [
        (
            scope, key, content_text(content), place[id(answer.entry)],
            None if answer.hold is None else answer.hold.id or number[id(answer.hold)],
        )
        for (scope, key), (content, answer) in batch.keys.items()
    ]  # fmt: skip


def _placed(holds: Sequence[HoldState], place: dict[int, int]) -> Rows:
    return [
        (
            str(hold.name), hold.account_id, hold.to_account_id, hold.amount, hold.captured, hold.reference,
            hold.status, None if hold.expires_at is None else hold.expires_at.isoformat(), place[id(hold.placed)],
            place.get(id(hold.resolved)),
        )
        for hold in holds
    ]  # fmt: skip


def _resolved(holds: Sequence[HoldState], place: dict[int, int]) -> Rows:
    return [(hold.id, hold.status, hold.captured, place[id(hold.resolved)]) for hold in holds]


def _changes(held: dict[int, int]) -> list[str]:
    return [integers(held), integers(held.values())]


def _copy_all(cursor: Cursor, batch: Batch, before: dict[int, int], after: dict[int, int]) -> None:
    cursor.execute(
        "SELECT ARRAY(SELECT nextval('ledger_entry_id_seq') FROM generate_series(1, $1::integer)),"
        " ARRAY(SELECT nextval('ledger_hold_id_seq') FROM generate_series(1, $2::integer)),"
        " ledger_change_held($3::bigint[], $4::bigint[])",
        [len(batch.entries), len(batch.placed), integers(before), integers(before.values())],
    )
    row = cursor.fetchone()
    assert row is not None
    for entry, id_ in zip(batch.entries, row[0], strict=True):
        entry.id = id_
    for hold, id_ in zip(batch.placed, row[1], strict=True):
        hold.id = id_
    _copy_entries(cursor, batch)
    if batch.placed:
        _copy(cursor, _HOLDS, _hold_rows(batch.placed, batch.book.now))
    if batch.resolved:
        _resolve(cursor, batch)
    if after:
        cursor.execute(
            "SELECT ledger_change_held($1::bigint[], $2::bigint[])",
            [integers(after), integers(after.values())],
        )


def _copy_entries(cursor: Cursor, batch: Batch) -> None:
    """Entries, postings and keys; what comes next is put together while Postgres takes in the one before."""
    with cursor.copy(f"COPY {ENTRIES} FROM STDIN (FORMAT BINARY)") as copy:
        copy.write(HEADER)
        for start in range(0, len(batch.entries), _CHUNK):
            copy.write(_entry_rows(batch.entries[start : start + _CHUNK], batch.book.now))
        copy.write(TRAILER)
        postings = three_bigints([(e.id, account, amount) for e in batch.entries for account, amount in e.postings])
    if not postings:
        _copy(cursor, _KEYS, _key_rows(batch))
        return
    with cursor.copy(f"COPY {POSTINGS} FROM STDIN (FORMAT BINARY)") as copy:
        copy.write(HEADER + postings + TRAILER)
        keys = _key_rows(batch)
    _copy(cursor, _KEYS, keys)


def _entry_rows(entries: Sequence[PlannedEntry], now: datetime) -> bytes:
    return entry_rows(((e.id, e.kind, e.transfer_kind, e.reference, e.body, e.leaf) for e in entries), now)


def _key_rows(batch: Batch) -> bytes:
    heads: dict[str, bytes] = {}
    end, size = instant(batch.book.now), LENGTH.pack
    parts: list[bytes] = []
    for (scope, name), (content, answer) in batch.keys.items():
        head = heads.get(scope)
        if head is None:
            head = heads[scope] = columns(6) + text(scope)
        key, kept = name.encode(), content_text(content).encode()
        made, hold = bigint(answer.entry_id), bigint(answer.hold_id)
        parts += (head, size(len(key)), key, size(len(kept)), kept, made, hold, end)
    return b"".join(parts)


def _hold_rows(holds: Sequence[HoldState], now: datetime) -> bytes:
    start, at = columns(13), instant(now)
    parts: list[bytes] = []
    for h in holds:
        assert h.placed is not None
        done = h.resolved is not None
        parts += (
            start, bigint(h.id), binary(h.name.bytes), bigint(h.account_id), bigint(h.to_account_id), bigint(h.amount),
            bigint(h.captured), text(h.reference), text(h.status), at, instant(h.expires_at), at if done else NULL,
            bigint(h.placed.id), bigint(h.resolved.id if h.resolved is not None else None),
        )  # fmt: skip
    return b"".join(parts)


def _resolve(cursor: Cursor, batch: Batch) -> None:
    cursor.execute(
        "UPDATE ledger_hold h SET status = r.status, captured_amount = r.captured, resolved_entry = r.entry,"
        " resolved_at = greatest($1::timestamptz, h.placed_at)"
        " FROM unnest($2::bigint[], $3::text[], $4::bigint[], $5::bigint[]) AS r (id, status, captured, entry)"
        " WHERE h.id = r.id",
        [
            batch.book.now,
            integers(hold.id for hold in batch.resolved),
            texts(hold.status for hold in batch.resolved),
            integers(hold.captured for hold in batch.resolved),
            integers(hold.resolved.id for hold in batch.resolved if hold.resolved is not None),
        ],
    )


def _copy(cursor: Cursor, table: str, rows: bytes) -> None:
    if not rows:
        return
    with cursor.copy(f"COPY {table} FROM STDIN (FORMAT BINARY)") as copy:
        copy.write(HEADER + rows + TRAILER)
