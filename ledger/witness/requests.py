"""The body of add-checkpoint: an old size, a consistency proof, a blank line and a signed checkpoint. Pure."""

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass

from ledger.proof.notes import (
    BadNote,
    CheckpointText,
    NotCanonical,
    Note,
    decode_base64,
    parse_checkpoint,
    parse_note,
)

MAX_PROOF = 63
_OLD = re.compile(r"old (0|[1-9][0-9]{0,18})", re.ASCII)


class BadRequest(ValueError):
    """Not a well-formed request."""


@dataclass(frozen=True)
class AddCheckpoint:
    """What the log asks a witness to cosign."""

    old: int
    proof: tuple[bytes, ...]
    checkpoint: CheckpointText
    # Its text as it stands, and None for a note whose signatures cannot be ones.
    text: str
    note: Note | None


def parse_request(body: bytes) -> AddCheckpoint:
    """Read a request; BadRequest says what is wrong with it."""
    try:
        head, separator, signed = body.decode().partition("\n\n")
        first, *proof = head.split("\n")
        old = _OLD.fullmatch(first)
        if not separator or old is None or int(old[1]) >= 2**63:
            raise BadRequest("a request is `old`, a size, a proof, a blank line and a checkpoint")
        if len(proof) > MAX_PROOF:
            raise BadRequest(f"a proof has at most {MAX_PROOF} lines")
        hashes = tuple(decode_base64(line) for line in proof)
        if any(len(hash_) != 32 for hash_ in hashes):
            raise BadRequest("a hash has 32 bytes")
        text, note = _parse_signed(signed)
        return AddCheckpoint(int(old[1]), hashes, parse_checkpoint(text), text, note)
    except (BadNote, UnicodeDecodeError) as error:
        raise BadRequest(str(error)) from error


def request_body(*, old: int, proof: Iterable[bytes], note: str) -> bytes:
    """Write a request."""
    lines = [f"{base64.b64encode(hash_).decode()}\n" for hash_ in proof]
    return "".join([f"old {old}\n", *lines, "\n", note]).encode()


def _parse_signed(signed: str) -> tuple[str, Note | None]:
    try:
        note = parse_note(signed)
    except NotCanonical:
        return signed.rpartition("\n\n")[0] + "\n", None
    return note.text, note
