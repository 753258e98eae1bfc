"""Numbering: waiting entries get their places in the log, in an order that agrees with every conflict.

An entry takes its id after its transaction has locked every account it touches, so of two entries that touch one
account the later has the greater id, and a snapshot that shows the later shows the earlier too. The lowest ids of all
that one snapshot shows unsealed are therefore an order that replays. Transactions begin in another order than that.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from ledger.clock import assert_in_transaction
from ledger.models import Checkpoint, Entry, LogState
from ledger.proof.tiles import Tiles

# Unsealed is what has a greater id than all that is sealed, or became visible only after the last look. The scalar
# subquery keeps Postgres from hashing the whole table of leaves.
_LATE = """
    e.id <= %(to)s AND (
        %(every)s
        OR e.xid >= %(xmax)s::text::xid8 AND e.xid < pg_snapshot_xmax(pg_current_snapshot())
        OR e.xid = ANY(%(running)s::text::xid8[])
    )
    AND (SELECT l.index FROM ledger_leaf l WHERE l.entry_id = e.id) IS NULL
"""
_WAITING = f"""
    SELECT id, leaf_hash, kind = 'KEY', late, now.snapshot FROM (
        SELECT pg_current_snapshot()::text AS snapshot
    ) now LEFT JOIN (
        (SELECT e.id, e.leaf_hash, e.kind, true AS late FROM ledger_entry e WHERE {_LATE}
         ORDER BY e.id LIMIT %(limit)s)
        UNION ALL
        (SELECT e.id, e.leaf_hash, e.kind, false FROM ledger_entry e WHERE e.id > %(to)s ORDER BY e.id LIMIT %(limit)s)
    ) waiting ON true ORDER BY id LIMIT %(limit)s
"""  # noqa: S608
_COUNT = f"""
    SELECT (SELECT count(*) FROM ledger_entry WHERE id > %(to)s) + (SELECT count(*) FROM ledger_entry e WHERE {_LATE})
"""  # noqa: S608


@dataclass(frozen=True)
class _Waiting:
    entry_id: int
    leaf_hash: bytes
    changes_key: bool
    late: bool


def lock_log() -> LogState:
    """Where the sealer stands, locked until the transaction ends."""
    state = lock_log_if_free(wait=True)
    assert state is not None
    return state


def lock_log_if_free(*, wait: bool = False) -> LogState | None:
    """The same, and None where somebody else has it and this one need not wait."""
    assert_in_transaction()
    LogState.objects.get_or_create(id=1)
    return LogState.objects.select_for_update(skip_locked=not wait).filter(id=1).first()


def number_waiting(state: LogState, *, limit: int) -> int:
    """Give up to `limit` waiting entries their places and grow the tiles; answers how many they were."""
    assert_in_transaction()
    with connection.cursor() as cursor:
        # What is signed later must not be lost by a crash, wherever the site's own commits need not be durable.
        cursor.execute("SET LOCAL synchronous_commit = on")
    _recognise_cluster(state)
    found, snapshot = _waiting(state, limit)
    entries = _up_to_a_key(found)
    if not entries and state.snapshot:
        return 0
    if entries:
        _append(state, entries)
    late, late_taken = sum(entry.late for entry in found), sum(entry.late for entry in entries)
    if late_taken == late < limit:
        state.snapshot = snapshot
    state.save(update_fields=["size", "sealed_to_id", "snapshot", "cluster"])
    return len(entries)


def unsealed_count() -> int:
    """How many entries wait for their numbers, or with them for a signature."""
    state = LogState.objects.filter(id=1).first() or LogState()
    signed = Checkpoint.objects.order_by("-size").values_list("size", flat=True).first() or 0
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, _bounds(state))
        row = cursor.fetchone()
    assert row is not None
    return int(row[0]) + max(0, state.size - signed)


def waiting_since() -> datetime | None:
    """When the oldest entry that waits to be sealed was recorded."""
    state = LogState.objects.filter(id=1).first() or LogState()
    signed = Checkpoint.objects.order_by("-size").values_list("size", flat=True).first() or 0
    numbered = Entry.objects.filter(leaf__index=signed)
    beyond = Entry.objects.filter(id__gt=state.sealed_to_id).order_by("id")
    return (numbered if state.size > signed else beyond).values_list("recorded_at", flat=True).first()


def _recognise_cluster(state: LogState) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT system_identifier::text FROM pg_control_system()")
        row = cursor.fetchone()
    assert row is not None
    if state.cluster != row[0]:
        # Another cluster counts its transactions anew: ask of every entry once, then go on from its count.
        state.cluster, state.snapshot = row[0], ""


def _waiting(state: LogState, limit: int) -> tuple[list[_Waiting], str]:
    """What one snapshot shows unsealed, lowest ids first, and that snapshot."""
    with connection.cursor() as cursor:
        cursor.execute(_WAITING, _bounds(state) | {"limit": limit})
        rows = cursor.fetchall()
    return [_Waiting(row[0], bytes(row[1]), row[2], row[3]) for row in rows if row[0] is not None], rows[0][4]


def _bounds(state: LogState) -> dict[str, int | bool | str]:
    _, xmax, running = (state.snapshot or "0:0:").split(":")
    return {"to": state.sealed_to_id, "every": not state.snapshot, "xmax": xmax, "running": f"{{{running}}}"}


def _up_to_a_key(entries: Sequence[_Waiting]) -> Sequence[_Waiting]:
    """A change of key is the last entry of its checkpoint, which both keys sign."""
    for number, entry in enumerate(entries, start=1):
        if entry.changes_key:
            return entries[:number]
    return entries


def _append(state: LogState, entries: Sequence[_Waiting]) -> None:
    places = "".join(f"{index}\t{entry.entry_id}\n" for index, entry in enumerate(entries, start=state.size))
    with connection.cursor() as cursor, cursor.copy("COPY ledger_leaf (index, entry_id) FROM STDIN") as copy:
        copy.write(places)
    tiles = Tiles()
    tiles.append(state.size, [entry.leaf_hash for entry in entries])
    tiles.save()
    state.size += len(entries)
    state.sealed_to_id = max(state.sealed_to_id, entries[-1].entry_id)
