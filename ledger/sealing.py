"""Sealing: unsealed entries get their numbers, the tree grows, and a checkpoint is signed.

The order of the steps is what makes it safe: number and hash inside one transaction, check the new root by a second
way, compare and swap the head kept outside Postgres, sign, commit. Killed at any point, the next run does the same
entries to the same root, because entries are taken in the order of the transactions that wrote them.
"""

import base64
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from ledger.merkle import Frontier, inclusion_proof, root_hash
from ledger.models import Checkpoint, Leaf, LogState
from ledger.notes import CheckpointText, Signer, sign_note
from ledger.receipts import Receipt
from ledger.tiles import Tiles
from ledger.treehead import TreeHead, TreeHeadConflict, TreeHeadFile

BATCH = 5000


@dataclass(frozen=True)
class Sealer:
    """What signs the log, and the head it compares with."""

    signer: Signer
    head: TreeHeadFile


@transaction.atomic(durable=True)
def seal_entries(sealer: Sealer, *, now: datetime, limit: int = BATCH) -> Checkpoint | None:
    """Seal what is waiting, up to `limit` entries; None when nothing is.

    Raises TreeHeadConflict when Postgres and the head outside it do not belong together.
    """
    state, is_restored = _lock_state()
    before = _latest_head(state.size)
    outside = _agreed_head(sealer.head, before)
    if outside.size > state.size:
        # A sealer was killed after its swap: seal exactly what it had, so that there is one root at one size.
        limit = outside.size - state.size
    entries, sealed_before_xid = _unsealed(state, limit, every=is_restored)
    if not entries:
        return None
    head = _grow(state.size, [hash_ for _, hash_ in entries], before)
    if outside.size > state.size and (head.size < outside.size or head.root_hash != outside.root_hash):
        raise TreeHeadConflict(f"The head outside Postgres is {outside.size} long with another root: see operations.")
    Leaf.objects.bulk_create(
        Leaf(index=index, entry_id=entry_id) for index, (entry_id, _) in enumerate(entries, start=state.size)
    )
    state.size, state.sealed_before_xid = head.size, sealed_before_xid
    state.save(update_fields=["size", "sealed_before_xid", "cluster"])
    sealer.head.swap(expected=outside if outside.size else None, new=head)
    text = str(CheckpointText(sealer.signer.name, head.size, head.root_hash))
    return Checkpoint.objects.create(
        size=head.size, root_hash=head.root_hash, note=sign_note(text, [sealer.signer]), signed_at=now
    )


def unsealed_count() -> int:
    """How many entries wait to be sealed."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT (SELECT count(*) FROM ledger_entry e WHERE e.xid >= (SELECT coalesce(max(sealed_before_xid), 0)"
            " FROM ledger_logstate)::text::xid8 AND NOT EXISTS (SELECT 1 FROM ledger_leaf l WHERE l.entry_id = e.id))"
        )
        row = cursor.fetchone()
    assert row is not None
    return int(row[0])


def receipt_for(entry_id: int) -> Receipt | None:
    """The proof that the entry is in the log, under the newest checkpoint; None while it is not sealed."""
    leaf = Leaf.objects.filter(entry_id=entry_id).first()
    checkpoint = Checkpoint.objects.order_by("-size").first()
    if leaf is None or checkpoint is None:
        return None
    hashes = inclusion_proof(Tiles().node, leaf.index, checkpoint.size)
    return Receipt(leaf.index, tuple(hashes), checkpoint.note)


def _lock_state() -> tuple[LogState, bool]:
    """Where the sealer stands, locked, and whether that was in another cluster."""
    LogState.objects.get_or_create(id=1)
    state = LogState.objects.select_for_update().get(id=1)
    with connection.cursor() as cursor:
        cursor.execute("SELECT system_identifier::text FROM pg_control_system()")
        row = cursor.fetchone()
    assert row is not None
    # Another cluster counts its transactions anew: look at every entry once, then go on from its count.
    is_restored = state.size > 0 and state.cluster != row[0]
    state.cluster = row[0]
    return state, is_restored


def _latest_head(size: int) -> TreeHead:
    if not size:
        return TreeHead(0, b"")
    return TreeHead(size, bytes(Checkpoint.objects.get(size=size).root_hash))


def _agreed_head(file: TreeHeadFile, inside: TreeHead) -> TreeHead:
    """The head outside, where it says the same or is one swap ahead."""
    outside = file.read()
    if outside is None:
        if inside.size:
            raise TreeHeadConflict(f"{file.path} is missing, but the log is {inside.size} long: see operations.")
        return inside
    if outside.size < inside.size or (outside.size == inside.size and outside != inside):
        raise TreeHeadConflict(f"The head outside Postgres is {outside.size} long, the log {inside.size}.")
    return outside


def _unsealed(state: LogState, limit: int, *, every: bool) -> tuple[list[tuple[int, bytes]], int]:
    """Entries of finished transactions in their order, and the transaction to go on from.

    Ids are given before their transactions end, so a cursor over ids would skip entries; over transactions older
    than every running one it cannot.
    """
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text::bigint")
        row = cursor.fetchone()
        assert row is not None
        before = int(row[0])
        cursor.execute(
            """
            SELECT e.id, e.leaf_hash, e.xid::text::bigint FROM ledger_entry e
            WHERE (e.xid >= %s::text::xid8 AND e.xid < %s::text::xid8 OR %s)
              AND NOT EXISTS (SELECT 1 FROM ledger_leaf l WHERE l.entry_id = e.id)
            ORDER BY e.xid, e.id LIMIT %s
            """,
            [state.sealed_before_xid, before, every, limit],
        )
        rows = cursor.fetchall()
    # A batch cut short goes on with its last transaction; sealed entries of it are passed over.
    reached = before if len(rows) < limit else int(rows[-1][2])
    return [(int(entry_id), bytes(leaf_hash)) for entry_id, leaf_hash, _ in rows], reached


def _grow(size: int, leaves: list[bytes], before: TreeHead) -> TreeHead:
    """Add the leaves to the tiles, and check the new root by a second way before anybody signs it."""
    tiles = Tiles()
    frontier = Frontier(tiles.node, size)
    if size and frontier.root() != before.root_hash:
        raise TreeHeadConflict(f"The tree in Postgres does not have the signed root at size {size}: verify the ledger.")
    for leaf in leaves:
        frontier.add(leaf)
    tiles.append(size, leaves)
    grown = size + len(leaves)
    root = root_hash(tiles.node, grown)
    if root != frontier.root():
        raise TreeHeadConflict(f"Two ways to the root at size {grown} differ: {base64.b64encode(root).decode()}.")
    tiles.save()
    return TreeHead(grown, root)
