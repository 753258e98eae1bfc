"""The bytes of entries. Fixed when written, made of length-prefixed fields, and never rendered by the database.

An entry is a row of fields, each a 4-byte big-endian length and that many bytes. The first three are the magic word,
the entry's kind, and the instant it was recorded (microseconds since 1970 UTC, 8 bytes, big-endian, signed). They
carry opaque ids: a name or an address never stands here. Pure: values in, values out. docs/ledger.md says the same
for whoever writes a second reader.
"""

import hashlib
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

MAGIC = b"hourglass-entry-v1"
# Bundles of entries give each its length in two bytes (c2sp.org/tlog-tiles).
MAX_BODY_BYTES = 65_535
# So many sides, of 56 bytes each, fit into one entry with room for the rest.
MAX_SIDES = 1_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SIDE = struct.Struct(">16s32sq")
_ATTESTED = {b"POLICY": "POLICY", b"CAPACITY": "CAPACITY", b"KEY": "KEY"}
HOLD_ACTIONS = frozenset({"PLACED", "CAPTURED", "RELEASED", "EXPIRED", "ORDERS"})

Side = tuple[bytes, bytes, int]
pack_side = _SIDE.pack


@dataclass(frozen=True)
class EntryPosting:
    """One account's side of a transfer, as the log knows it: wallet id, the asset's definition hash, amount."""

    wallet: bytes
    asset: bytes
    amount: int


@dataclass(frozen=True)
class ParsedEntry:
    """An entry's bytes read back. What a kind does not have stays empty."""

    kind: str
    recorded_at: datetime
    transfer_kind: str | None = None
    # What a transfer or hold is about, or whom a policy, capacity or key is for.
    reference: str = ""
    postings: tuple[EntryPosting, ...] = ()  # of a hold: the changes of what its accounts hold
    code: str = ""
    # An asset's definition; a policy's, capacity's or key's canonical JSON.
    definition: bytes = b""
    issuer: bytes = b""
    action: str = ""
    hold: bytes = b""
    expires_at: datetime | None = None
    captured: int = 0


class MalformedEntry(ValueError):
    """The bytes are not one canonical entry."""


def transfer_body(*, kind: str, reference: str, recorded_at: datetime, postings: Iterable[Side]) -> bytes:
    """Bytes of a transfer: its kind, what it is about, and its postings in the order they are written.

    A posting is (wallet's 16 bytes, the asset's definition hash, amount in the asset's smallest unit).
    """
    return _fields(b"TRANSFER", recorded_at, kind.encode(), reference.encode(), _packed(postings))


class TransferBodies:
    """The same bytes as `transfer_body`, for many transfers of one instant: what they share is put together once."""

    def __init__(self, recorded_at: datetime) -> None:
        self._recorded_at = recorded_at
        self._heads: dict[str, bytes] = {}

    def body(self, kind: str, reference: str, sides: bytes) -> bytes:
        """`sides` are packed already (pack_side), in the order they are written."""
        head = self._heads.get(kind)
        if head is None:
            head = self._heads[kind] = _fields(b"TRANSFER", self._recorded_at, kind.encode())
        about = reference.encode()
        body = b"".join((head, len(about).to_bytes(4, "big"), about, len(sides).to_bytes(4, "big"), sides))
        assert len(body) <= MAX_BODY_BYTES, f"an entry of {len(body)} bytes fits no bundle"
        return body


def hold_body(
    *,
    action: str,
    reference: str,
    recorded_at: datetime,
    sides: Iterable[Side],
    hold: UUID | None = None,
    expires_at: datetime | None = None,
    captured: int | None = None,
) -> bytes:
    """Bytes of a change in what accounts hold: one hold placed or resolved, or all that a clearing did (ORDERS).

    A side's amount is the change of the account's held amount. PLACED carries when the hold expires, if it does;
    CAPTURED how much of it was captured.
    """
    detail = b""
    if expires_at is not None:
        detail = _instant(expires_at)
    if captured is not None:
        detail = captured.to_bytes(8, "big", signed=True)
    name = hold.bytes if hold is not None else b""
    return _fields(b"HOLD", recorded_at, action.encode(), reference.encode(), name, detail, _packed(sides))


def asset_body(*, code: str, definition: bytes, issuer: UUID, recorded_at: datetime) -> bytes:
    """Bytes of an asset's first entry, which carries its whole definition and names who may go below zero in it."""
    return _fields(b"ASSET", recorded_at, code.encode(), definition, issuer.bytes)


def policy_body(*, subject: str, policy: bytes, recorded_at: datetime) -> bytes:
    """Bytes of a policy change: an opaque subject such as `wallet:<uuid>`, and the whole policy as canonical JSON."""
    return _fields(b"POLICY", recorded_at, subject.encode(), policy)


def capacity_body(*, subject: str, capacity: bytes, recorded_at: datetime) -> bytes:
    """Bytes of an attestation `capacity:<uuid>`: a resource class's GPUs from one instant to another, as JSON."""
    return _fields(b"CAPACITY", recorded_at, subject.encode(), capacity)


def key_body(*, key: bytes, recorded_at: datetime) -> bytes:
    """Bytes of a change of the log's signing key: the new verifier key and its version, as canonical JSON."""
    return _fields(b"KEY", recorded_at, b"log", key)


def leaf_hash(body: bytes) -> bytes:
    """RFC 6962's hash of a leaf: SHA-256 of a zero byte and the entry."""
    return hashlib.sha256(b"\x00" + body).digest()


def parse(body: bytes) -> ParsedEntry:
    """Read an entry back; anything but one canonical encoding raises MalformedEntry."""
    if len(body) > MAX_BODY_BYTES:
        raise MalformedEntry("longer than an entry may be")
    magic, kind, instant, *rest = _split(body)
    if magic != MAGIC or len(instant) != 8:
        raise MalformedEntry("not an entry of this log")
    recorded_at = _read_instant(instant)
    try:
        return _parse(kind, recorded_at, rest)
    except UnicodeDecodeError as error:
        raise MalformedEntry("a text is not UTF-8") from error


def _parse(kind: bytes, recorded_at: datetime, rest: list[bytes]) -> ParsedEntry:
    match kind, rest:
        case b"TRANSFER", [transfer_kind, reference, sides]:
            return ParsedEntry("TRANSFER", recorded_at, transfer_kind.decode(), reference.decode(), _unpacked(sides))
        case b"HOLD", [action, reference, hold, detail, sides]:
            return _parse_hold(recorded_at, action.decode(), reference.decode(), hold, detail, _unpacked(sides))
        case b"ASSET", [code, definition, issuer]:
            if len(issuer) != 16:
                raise MalformedEntry("an issuer is 16 bytes")
            return ParsedEntry("ASSET", recorded_at, code=code.decode(), definition=definition, issuer=issuer)
        case ((b"POLICY" | b"CAPACITY" | b"KEY"), [subject, attested]):
            return ParsedEntry(_ATTESTED[kind], recorded_at, reference=subject.decode(), definition=attested)
    raise MalformedEntry(f"unknown kind of entry: {kind!r} with {len(rest)} fields")


def _parse_hold(
    recorded_at: datetime, action: str, reference: str, hold: bytes, detail: bytes, sides: tuple[EntryPosting, ...]
) -> ParsedEntry:
    whole = len(hold) == (0 if action == "ORDERS" else 16)
    details = {"PLACED": {0, 8}, "CAPTURED": {8}}.get(action, {0})
    if action not in HOLD_ACTIONS or not whole or len(detail) not in details:
        raise MalformedEntry(f"not a hold: {action} with {len(hold)} and {len(detail)} bytes")
    return ParsedEntry(
        "HOLD",
        recorded_at,
        reference=reference,
        postings=sides,
        action=action,
        hold=hold,
        expires_at=_read_instant(detail) if action == "PLACED" and detail else None,
        captured=int.from_bytes(detail, "big", signed=True) if action == "CAPTURED" else 0,
    )


def _packed(sides: Iterable[Side]) -> bytes:
    return b"".join(_SIDE.pack(*side) for side in sides)


def _unpacked(sides: bytes) -> tuple[EntryPosting, ...]:
    if len(sides) % _SIDE.size:
        raise MalformedEntry("a posting is cut short")
    return tuple(EntryPosting(*side) for side in _SIDE.iter_unpack(sides))


def _instant(at: datetime) -> bytes:
    return ((at - _EPOCH) // timedelta(microseconds=1)).to_bytes(8, "big", signed=True)


def _read_instant(instant: bytes) -> datetime:
    try:
        return _EPOCH + timedelta(microseconds=int.from_bytes(instant, "big", signed=True))
    except OverflowError as error:
        raise MalformedEntry("no such instant") from error


def _fields(kind: bytes, recorded_at: datetime, *rest: bytes) -> bytes:
    fields = (MAGIC, kind, _instant(recorded_at), *rest)
    body = b"".join(part for field in fields for part in (len(field).to_bytes(4, "big"), field))
    assert len(body) <= MAX_BODY_BYTES, f"an entry of {len(body)} bytes fits no bundle"
    return body


def _split(body: bytes) -> Sequence[bytes]:
    fields: list[bytes] = []
    at = 0
    while at < len(body):
        end = at + 4 + int.from_bytes(body[at : at + 4], "big")
        if end > len(body) or at + 4 > len(body):
            raise MalformedEntry("a field is cut short")
        fields.append(body[at + 4 : end])
        at = end
    if len(fields) < 3:
        raise MalformedEntry("too few fields")
    return fields
