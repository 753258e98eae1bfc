"""The log inside the database: leaves, tiles, roots, signatures, and every rule replayed."""

from collections.abc import Iterator, Sequence

from ledger.entries import leaf_hash
from ledger.models import Checkpoint, Cosignature, Tile
from ledger.proof.keyhistory import KeyHistory, history_of
from ledger.proof.notes import BadNote, UnverifiedNote, Verifier, parse_note
from ledger.proof.policyfile import Policy
from ledger.proof.sealing import sealed_key_entries
from ledger.proof.treehead import TreeHead
from ledger.verifying.checking.entries import row_fault, sealed_rows, waiting_rows
from ledger.verifying.checking.faults import LedgerFault, rows_of
from ledger.verifying.regrown import WIDTH, Regrown, first_difference
from ledger.verifying.replay import Replay

_HASH_BYTES = 32


class LogCheck:
    """One pass over the log. Afterwards `replay` has the books, unless something was wrong with an entry."""

    def __init__(self, verifiers: Sequence[Verifier], policy: Policy | None, head: TreeHead | None) -> None:
        self._verifiers, self._policy, self._head = verifiers, policy, head
        self._checkpoints = {checkpoint.size: checkpoint for checkpoint in Checkpoint.objects.all()}
        self._tree = Regrown()
        self._tile: tuple[int, bytes] = (-1, b"")
        self.replay: Replay | None = Replay()

    def faults(self) -> Iterator[LedgerFault]:
        yield from self._signatures()
        size = 0
        for index, row in sealed_rows():
            if index != size:
                self.replay = None
                yield LedgerFault(f"the log has no entry here: {index - size} are missing", size)
                return
            hash_ = leaf_hash(row.body)
            fault = row_fault(row)
            if hash_ != self._sealed_hash(index):
                fault = "its bytes are not those that were sealed"
            yield from self._entry(row.body, hash_, fault, index)
            self._tree.add(hash_)
            size += 1
            signed = self._checkpoints.get(size)
            if signed is not None and self._tree.root() != bytes(signed.root_hash):
                yield LedgerFault(f"the root signed at size {size} is another", index)
            if self._head is not None and size == self._head.size and self._tree.root() != self._head.root_hash:
                yield LedgerFault(f"the head outside Postgres has another root at size {size}", index)
        yield from self._end(size)

    def _entry(self, body: bytes, hash_: bytes, fault: str | None, index: int | None, about: str = "") -> (
        Iterator[LedgerFault]
    ):  # fmt: skip
        """A fault of the row, or else of the rules; after one the books are worth nothing."""
        if fault is None and self.replay is not None:
            fault = self.replay.apply(body, hash_)
        if fault is not None:
            self.replay = None
            yield LedgerFault(about + fault, index)

    def _end(self, size: int) -> Iterator[LedgerFault]:
        signed = max([*self._checkpoints, self._head.size if self._head else 0])
        if size and not self._checkpoints:
            yield LedgerFault(f"{size} entries are numbered, but there is no checkpoint")
        if size < signed:
            self.replay = None
            yield LedgerFault(f"the log ends here, but {signed} entries were signed", size)
        for row in waiting_rows():
            yield from self._entry(row.body, leaf_hash(row.body), row_fault(row), None, f"entry of id {row.id} ")
        for level, number, hashes in self._tree.tiles():
            stored = Tile.objects.filter(level=level, index=number).values_list("hashes", flat=True).first()
            place = first_difference(_split(bytes(stored or b"")), hashes)
            if place < len(hashes):
                below = WIDTH**level
                yield LedgerFault(f"tile {number} of level {level} is another", (number * WIDTH + place) * below)
        for (said,) in rows_of("SELECT size FROM ledger_logstate WHERE size <> %s", [size]):
            yield LedgerFault(f"the log is said to be {said} long, and is {size}")

    def _sealed_hash(self, index: int) -> bytes:
        number, place = divmod(index, WIDTH)
        if self._tile[0] != number:
            found = Tile.objects.filter(level=0, index=number).values_list("hashes", flat=True).first()
            self._tile = (number, bytes(found or b""))
        return self._tile[1][place * _HASH_BYTES :][:_HASH_BYTES]

    def _signatures(self) -> Iterator[LedgerFault]:
        try:
            history = history_of(self._verifiers, sealed_key_entries())
        except BadNote as error:
            yield LedgerFault(f"an entry that changes the key cannot be read: {error}")
            history = KeyHistory(tuple(self._verifiers))
        for changed_at, _ in history.changes:
            if changed_at not in self._checkpoints and changed_at < max(self._checkpoints, default=0):
                yield LedgerFault(f"no checkpoint of size {changed_at} shows that one key handed over to the next")
        for checkpoint in self._checkpoints.values():
            try:
                text = history.open_checkpoint(checkpoint.note)
            except (BadNote, UnverifiedNote) as error:
                yield LedgerFault(f"checkpoint {checkpoint.size} cannot be trusted: {error}")
                continue
            if (text.size, text.root_hash) != (checkpoint.size, bytes(checkpoint.root_hash)):
                yield LedgerFault(f"checkpoint {checkpoint.size} says size {text.size} or another root")
        yield from self._cosignatures()

    def _cosignatures(self) -> Iterator[LedgerFault]:
        if self._policy is None:
            return
        for cosignature in Cosignature.objects.order_by("id"):
            checkpoint = self._checkpoints.get(cosignature.checkpoint_id)
            try:
                note = f"{parse_note(checkpoint.note).text}\n{cosignature.line}\n" if checkpoint else ""
                self._policy.cosigners(note)
            except (BadNote, UnverifiedNote) as error:
                yield LedgerFault(f"the cosignature of {cosignature.witness} at {cosignature.checkpoint_id}: {error}")


def _split(hashes: bytes) -> list[bytes]:
    return [hashes[at : at + _HASH_BYTES] for at in range(0, len(hashes), _HASH_BYTES)]
