"""Sealing: waiting entries get their numbers, the tree grows, and a checkpoint is signed.

Two transactions. The first fixes the numbering and commits it. The second takes the root of exactly that numbering by
two ways, compares and swaps the head kept outside Postgres, signs, and stores the checkpoint. Killed anywhere, the
next run finds the numbering committed and comes to the same root; there is never another at that size.
"""

import base64
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection, transaction

from ledger.entries import leaf_hash
from ledger.models import Checkpoint, Entry, Leaf
from ledger.proof.keyhistory import KeyHistory, history_of
from ledger.proof.keys import KeyRefused
from ledger.proof.merkle import Frontier, root_hash
from ledger.proof.notes import CheckpointText, Signer, UnverifiedNote, parse_checkpoint, sign_note
from ledger.proof.numbering import lock_log_if_free, number_waiting
from ledger.proof.tiles import Tiles
from ledger.proof.treehead import TreeHead, TreeHeadConflict, TreeHeadFile

BATCH = 20_000
_CHUNK = 2_000


@dataclass(frozen=True)
class Sealer:
    """What signs the log, and the head it compares with."""

    # The log's first key, and those it was rotated to or will be.
    signer: Signer
    head: TreeHeadFile
    later: tuple[Signer, ...] = ()
    # Reads them anew: the log may have been rotated to a key that was added meanwhile.
    read_again: Callable[[], Sequence[Signer]] | None = None

    @property
    def signers(self) -> tuple[Signer, ...]:
        return (self.signer, *self.later)


def seal_entries(sealer: Sealer, *, now: datetime, limit: int = BATCH, wait: bool = True) -> Checkpoint | None:
    """Seal what is waiting, up to `limit` entries; None when nothing is, or another seals and this one need not wait.

    Raises TreeHeadConflict when Postgres and the head outside it do not belong together.
    """
    _number_entries(sealer.head, limit=limit, wait=wait)
    return _sign_checkpoint(sealer, now=now, wait=wait)


@transaction.atomic(durable=True)
def _number_entries(file: TreeHeadFile, *, limit: int, wait: bool = True) -> None:
    """Number what waits, unless a numbering is committed that nobody has signed yet."""
    state = lock_log_if_free(wait=wait)
    if state is None:
        return
    signed = _signed_head()
    outside = file.agreed(signed)
    if outside.size > state.size:
        raise TreeHeadConflict(f"The head outside Postgres is {outside.size} long, the log only {state.size}.")
    if state.size == signed.size:
        number_waiting(state, limit=limit)


@transaction.atomic(durable=True)
def _sign_checkpoint(sealer: Sealer, *, now: datetime, wait: bool) -> Checkpoint | None:
    """Sign the committed numbering; None when it is signed already."""
    state = lock_log_if_free(wait=wait)
    signed = _signed_head()
    if state is None or state.size == signed.size:
        return None
    outside = sealer.head.agreed(signed)
    text = str(CheckpointText(sealer.signer.name, state.size, _checked_root(signed, state.size)))
    head = _head_said_by(text)
    if outside not in (signed, head):
        raise TreeHeadConflict(f"The head outside Postgres is {outside.size} long with another root: see operations.")
    sealer.head.swap(expected=outside if outside.size else None, new=head)
    note = _signed(sealer, text, head.size)
    return Checkpoint.objects.create(size=head.size, root_hash=head.root_hash, note=note, signed_at=now)


def _signed_head() -> TreeHead:
    newest = Checkpoint.objects.order_by("-size").first()
    return TreeHead(newest.size, bytes(newest.root_hash)) if newest else TreeHead(0, b"")


def _checked_root(signed: TreeHead, size: int) -> bytes:
    """The root by the tiles, when the bytes of the entries lead to it too."""
    nodes = Tiles().node
    frontier = Frontier(nodes, signed.size)
    if signed.size and frontier.root() != signed.root_hash:
        raise TreeHeadConflict(
            f"The tree in Postgres does not have the signed root at {signed.size}: verify the ledger."
        )
    count = signed.size
    for body in _bodies(signed.size, size):
        frontier.add(leaf_hash(body))
        count += 1
    root = root_hash(nodes, size)
    if count != size or root != frontier.root():
        raise TreeHeadConflict(f"Two ways to the root at size {size} differ: {base64.b64encode(root).decode()}.")
    return root


def _bodies(start: int, end: int) -> Iterator[bytes]:
    for first in range(start, end, _CHUNK):
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT e.body FROM ledger_leaf l JOIN ledger_entry e ON e.id = l.entry_id"
                " WHERE l.index >= %s AND l.index < %s ORDER BY l.index",
                [first, min(first + _CHUNK, end)],
            )
            for (body,) in cursor.fetchall():
                yield bytes(body)


def _head_said_by(text: str) -> TreeHead:
    """What the very text that will be signed says, when the tree has that root: a bit may flip after hashing."""
    said = parse_checkpoint(text)
    if root_hash(Tiles().node, said.size) != said.root_hash:
        raise TreeHeadConflict(f"The text to be signed has another root than the tree at size {said.size}.")
    return TreeHead(said.size, said.root_hash)


def _signed(sealer: Sealer, text: str, size: int) -> str:
    """The note, signed by the keys in force at this size and read back before anybody sees it."""
    history, signers = _signers_of(sealer.signers, size)
    if None in signers and sealer.read_again is not None:
        history, signers = _signers_of(sealer.read_again(), size)
    if None in signers:
        wanted = history.signing(size)[signers.index(None)][-1]
        raise KeyRefused(f"At {size} entries the log is signed by {wanted}: its private key is not here.")
    note = sign_note(text, [signer for signer in signers if signer is not None])
    try:
        history.open_checkpoint(note)
    except UnverifiedNote as error:
        raise KeyRefused(f"What was signed does not verify: {error}.") from error
    return note


def _signers_of(signers: Sequence[Signer], size: int) -> tuple[KeyHistory, list[Signer | None]]:
    """The log's keys, and of each group that signs at this size the first signer; None where there is none."""
    by_key = {signer.verifier: signer for signer in signers}
    history = history_of(list(by_key), sealed_key_entries())
    found = [
        next((by_key[verifier] for verifier in group if verifier in by_key), None) for group in history.signing(size)
    ]
    return history, found


def sealed_key_entries() -> list[tuple[int, bytes]]:
    """The log's changes of key: index and bytes of each entry, in their order."""
    rows = Leaf.objects.filter(entry__kind=Entry.Kind.KEY).order_by("index").values_list("index", "entry__body")
    return [(index, bytes(body)) for index, body in rows]
