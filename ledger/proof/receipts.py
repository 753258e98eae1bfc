"""Receipts: a proof that an entry is in the log, as C2SP tlog-proof says it, to be kept and checked offline. Pure."""

import base64
from collections.abc import Iterable
from dataclasses import dataclass

from ledger.proof.merkle import is_included
from ledger.proof.notes import (
    BadNote,
    CheckpointText,
    UnverifiedNote,
    Verifier,
    decode_base64,
    open_note,
    parse_checkpoint,
)

HEADER = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True)
class Receipt:
    """An entry's index, the hashes from its leaf to the root, and the signed checkpoint."""

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: str
    extra: bytes | None = None

    def __str__(self) -> str:
        extra = [] if self.extra is None else [f"extra {base64.b64encode(self.extra).decode()}"]
        hashes = [base64.b64encode(hash_).decode() for hash_ in self.hashes]
        return "\n".join([HEADER, *extra, f"index {self.index}", *hashes, "", self.checkpoint])


def parse_receipt(text: str) -> Receipt:
    """Read a receipt; BadNote says what is wrong with it."""
    head, separator, checkpoint = text.partition("\n\n")
    lines = head.split("\n")
    if not separator or not checkpoint or lines.pop(0) != HEADER:
        raise BadNote(f"a receipt starts with {HEADER}, and a checkpoint follows a blank line")
    extra = None
    if lines and lines[0].startswith("extra "):
        extra = decode_base64(lines.pop(0).removeprefix("extra "))
    if not lines or not lines[0].startswith("index "):
        raise BadNote("a receipt says its entry's index")
    digits = lines.pop(0).removeprefix("index ")
    if not digits.isascii() or not digits.isdigit() or (digits.startswith("0") and digits != "0") or len(digits) > 19:
        raise BadNote("the index is a plain decimal number")
    hashes = tuple(decode_base64(line) for line in lines)
    if any(len(hash_) != 32 for hash_ in hashes) or len(hashes) > 63:
        raise BadNote("a receipt has up to 63 hashes of 32 bytes")
    return Receipt(int(digits), hashes, checkpoint, extra)


def check_receipt(receipt: Receipt, leaf: bytes, verifiers: Iterable[Verifier]) -> CheckpointText:
    """The checkpoint that proves the leaf; UnverifiedNote when signature or hashes do not."""
    checkpoint = parse_checkpoint(open_note(receipt.checkpoint, verifiers))
    if not is_included(leaf, receipt.index, checkpoint.size, receipt.hashes, checkpoint.root_hash):
        raise UnverifiedNote("the hashes do not lead from this entry to the checkpoint's root")
    return checkpoint
