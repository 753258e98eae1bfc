"""Which key signs the log at which size. Pure.

A KEY entry at index i names a new key: the checkpoint of size i + 1 is signed by the key before it and by the new one,
every longer one by the new one alone.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass

from ledger.entries import MalformedEntry, parse
from ledger.proof.notes import (
    BadNote,
    CheckpointText,
    UnverifiedNote,
    Verifier,
    parse_checkpoint,
    parse_note,
    parse_verifier,
    verified_signatures,
)


def key_json(verifier: Verifier, *, version: int) -> bytes:
    """What a KEY entry says, as canonical JSON."""
    said = {"key": str(verifier), "version": version}
    return json.dumps(said, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def key_named_by(body: bytes) -> Verifier:
    """The key that a KEY entry's bytes bring into force; BadNote where they name none."""
    try:
        entry = parse(body)
        key = json.loads(entry.definition)["key"]
    except (MalformedEntry, ValueError, KeyError, TypeError) as error:
        raise BadNote("not an entry of a key") from error
    if entry.kind != "KEY" or not isinstance(key, str):
        raise BadNote("not an entry of a key")
    return parse_verifier(key)


@dataclass(frozen=True)
class KeyHistory:
    """The log's public keys and from where on each signs."""

    # Keys of the time before the log's first KEY entry; one of them signs.
    first: tuple[Verifier, ...]
    # (size of the checkpoint that both keys sign, the new key), in the log's order.
    changes: tuple[tuple[int, Verifier], ...] = ()

    @property
    def verifiers(self) -> list[Verifier]:
        """Every key of the log, the present one first, each once."""
        newest_first = [*(verifier for _, verifier in reversed(self._own_changes)), *self.first]
        return list(dict.fromkeys(newest_first))

    @property
    def _own_changes(self) -> list[tuple[int, Verifier]]:
        """A log that was begun anew after a loss has entries that name keys of the log before it: they sign nothing."""
        names = {verifier.name for verifier in self.first}
        return [change for change in self.changes if not names or change[1].name in names]

    def signing(self, size: int) -> list[tuple[Verifier, ...]]:
        """Who signs at this size: of each group, one key."""
        before: tuple[Verifier, ...] = self.first
        for changed_at, verifier in self._own_changes:
            if size < changed_at:
                return [before]
            if size == changed_at:
                return [before, (verifier,)]
            before = (verifier,)
        return [before]

    def open_checkpoint(self, note: str | bytes) -> CheckpointText:
        """The checkpoint, when the keys that sign at its size did; UnverifiedNote where only a retired or later one."""
        parsed = parse_note(note)
        checkpoint = parse_checkpoint(parsed.text)
        groups = self.signing(checkpoint.size)
        signed = verified_signatures(parsed, [verifier for group in groups for verifier in group])
        for group in groups:
            if not signed.keys() & set(group):
                raise UnverifiedNote(f"no signature by a key of the log at size {checkpoint.size}")
        return checkpoint


def history_of(known: Sequence[Verifier], changes: Sequence[tuple[int, bytes]]) -> KeyHistory:
    """The history by keys that are known to be the log's and by its KEY entries: each its index and bytes."""
    names = {verifier.name for verifier in known}
    named = [(index + 1, key_named_by(body)) for index, body in changes]
    own = tuple(change for change in named if change[1].name in names)
    later = {verifier for _, verifier in own}
    return KeyHistory(tuple(dict.fromkeys(key for key in known if key not in later)), own)
