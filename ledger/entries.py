"""The bytes of entries. Fixed when written, made of length-prefixed fields, and never rendered by the database.

An entry is a row of fields, each a 4-byte big-endian length and that many bytes. The first three are the magic word,
the entry's kind, and the instant it was recorded (microseconds since 1970 UTC, 8 bytes, big-endian, signed). They
carry opaque ids: a name or an address never stands here. Pure: values in, values out.
"""

import hashlib
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

MAGIC = b"hourglass-entry-v1"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_POSTING = struct.Struct(">16s32sq")


@dataclass(frozen=True)
class EntryPosting:
    """One account's side of a transfer, as the log knows it: wallet id, the asset's definition hash, amount."""

    wallet: bytes
    asset: bytes
    amount: int


@dataclass(frozen=True)
class ParsedEntry:
    """An entry's bytes read back."""

    kind: str
    recorded_at: datetime
    transfer_kind: str | None = None
    reference: str = ""
    postings: tuple[EntryPosting, ...] = ()
    code: str = ""
    definition: bytes = b""
    issuer: bytes = b""


class MalformedEntry(ValueError):
    """The bytes are not one canonical entry."""


def transfer_body(
    *, kind: str, reference: str, recorded_at: datetime, postings: Iterable[tuple[bytes, bytes, int]]
) -> bytes:
    """Bytes of a transfer: its kind, what it is about, and its postings in the order they are written.

    A posting is (wallet's 16 bytes, the asset's definition hash, amount in the asset's smallest unit).
    """
    sides = b"".join(_POSTING.pack(*posting) for posting in postings)
    return _fields(b"TRANSFER", recorded_at, kind.encode(), reference.encode(), sides)


def asset_body(*, code: str, definition: bytes, issuer: UUID, recorded_at: datetime) -> bytes:
    """Bytes of an asset's first entry, which carries its whole definition and names who may go below zero in it."""
    return _fields(b"ASSET", recorded_at, code.encode(), definition, issuer.bytes)


def policy_body(*, subject: str, policy: bytes, recorded_at: datetime) -> bytes:
    """Bytes of a policy change: an opaque subject such as `wallet:<uuid>`, and the policy as canonical JSON."""
    return _fields(b"POLICY", recorded_at, subject.encode(), policy)


def leaf_hash(body: bytes) -> bytes:
    """RFC 6962's hash of a leaf: SHA-256 of a zero byte and the entry."""
    return hashlib.sha256(b"\x00" + body).digest()


def parse(body: bytes) -> ParsedEntry:
    """Read an entry back; anything but one canonical encoding raises MalformedEntry."""
    magic, kind, instant, *rest = _split(body)
    if magic != MAGIC or len(instant) != 8:
        raise MalformedEntry("not an entry of this log")
    recorded_at = _EPOCH + timedelta(microseconds=int.from_bytes(instant, "big", signed=True))
    match kind, rest:
        case b"TRANSFER", [transfer_kind, reference, sides]:
            if len(sides) % _POSTING.size:
                raise MalformedEntry("a posting is cut short")
            postings = tuple(EntryPosting(*side) for side in _POSTING.iter_unpack(sides))
            return ParsedEntry("TRANSFER", recorded_at, transfer_kind.decode(), reference.decode(), postings)
        case b"ASSET", [code, definition, issuer]:
            return ParsedEntry("ASSET", recorded_at, code=code.decode(), definition=definition, issuer=issuer)
        case b"POLICY", [subject, policy]:
            return ParsedEntry("POLICY", recorded_at, reference=subject.decode(), definition=policy)
    raise MalformedEntry(f"unknown kind of entry: {kind!r} with {len(rest)} fields")


def _fields(kind: bytes, recorded_at: datetime, *rest: bytes) -> bytes:
    microseconds = (recorded_at - _EPOCH) // timedelta(microseconds=1)
    fields = (MAGIC, kind, microseconds.to_bytes(8, "big", signed=True), *rest)
    return b"".join(part for field in fields for part in (len(field).to_bytes(4, "big"), field))


def _split(body: bytes) -> Sequence[bytes]:
    fields: list[bytes] = []
    at = 0
    while at < len(body):
        end = at + 4 + int.from_bytes(body[at : at + 4], "big")
        if end > len(body):
            raise MalformedEntry("a field is cut short")
        fields.append(body[at + 4 : end])
        at = end
    if len(fields) < 3:
        raise MalformedEntry("too few fields")
    return fields
