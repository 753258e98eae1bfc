"""C2SP signed notes and checkpoints, byte for byte (c2sp.org/signed-note, c2sp.org/tlog-checkpoint). Pure.

The signature's algorithm is a byte of the key, so that others than Ed25519 may come.
"""

import base64
import binascii
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

ED25519 = 1
# A witness's cosignature: 8 bytes of time and an Ed25519 signature over it and the text (c2sp.org/tlog-cosignature).
COSIGNATURE = 4
MAX_NOTE_BYTES = 1_000_000
MAX_SIGNATURES = 100
MAX_TIME = 2**63 - 1
_TIME_BYTES = 8
_DASH = "— "
_FIELD = 2**255 - 19
# The y of the points whose order divides 8.
_SMALL_ORDER = frozenset(
    {
        0,
        1,
        _FIELD - 1,
        0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
        0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
    }
)


class BadNote(ValueError):
    """Not a well-formed note, key or checkpoint."""


class NotCanonical(BadNote):
    """Base64 that another encoder would have written otherwise: no signature in it can be right."""


class UnverifiedNote(ValueError):
    """No signature by a known key, or one by a known key that does not verify."""


@dataclass(frozen=True)
class Verifier:
    """A public key with its name, as `name+hash+key` says."""

    name: str
    public_key: bytes
    algorithm: int = ED25519

    @property
    def key_id(self) -> bytes:
        return key_id(self.name, self.algorithm, self.public_key)

    def __str__(self) -> str:
        key = base64.b64encode(bytes([self.algorithm]) + self.public_key).decode()
        return f"{self.name}+{self.key_id.hex()}+{key}"

    def verifies(self, text: str, signature: bytes) -> bool:
        signed = text
        if self.algorithm == COSIGNATURE:
            at = cosigned_at(signature)
            if at > MAX_TIME:
                return False
            signed, signature = _cosigned(text, at), signature[_TIME_BYTES:]
        return self.verifies_bytes(signed.encode(), signature)

    def verifies_bytes(self, message: bytes, signature: bytes) -> bool:
        """Ed25519 itself, under keys that are sound."""
        if not is_sound_key(self.public_key):
            return False
        try:
            Ed25519PublicKey.from_public_bytes(self.public_key).verify(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


class PrivateKey(Protocol):
    """What signs: a key in this process, or one that never leaves its device (ledger.proof.custody)."""

    def sign(self, data: bytes, /) -> bytes: ...
    def public_key(self) -> Ed25519PublicKey: ...


@dataclass(frozen=True)
class Signer:
    """A private key with its name."""

    name: str
    private_key: PrivateKey

    @property
    def verifier(self) -> Verifier:
        return Verifier(self.name, self.private_key.public_key().public_bytes_raw())

    def sign(self, text: str) -> str:
        """One signature line over the note's text."""
        signature = self.verifier.key_id + self.private_key.sign(text.encode())
        return f"{_DASH}{self.name} {base64.b64encode(signature).decode()}\n"


@dataclass(frozen=True)
class Cosigner:
    """A witness's private key with its name."""

    name: str
    private_key: PrivateKey

    @property
    def verifier(self) -> Verifier:
        return Verifier(self.name, self.private_key.public_key().public_bytes_raw(), COSIGNATURE)

    def cosign(self, text: str, *, at: int) -> str:
        """One signature line over the checkpoint's text, as of a time in seconds since 1970."""
        signature = at.to_bytes(_TIME_BYTES, "big") + self.private_key.sign(_cosigned(text, at).encode())
        return f"{_DASH}{self.name} {base64.b64encode(self.verifier.key_id + signature).decode()}\n"


@dataclass(frozen=True)
class Signature:
    name: str
    key_id: bytes
    signature: bytes


@dataclass(frozen=True)
class Note:
    text: str
    signatures: tuple[Signature, ...]


@dataclass(frozen=True)
class CheckpointText:
    """What a checkpoint says: whose log, how long, which root."""

    origin: str
    size: int
    root_hash: bytes

    def __str__(self) -> str:
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root_hash).decode()}\n"


def key_id(name: str, algorithm: int, public_key: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\n" + bytes([algorithm]) + public_key).digest()[:4]


def cosigned_at(signature: bytes) -> int:
    """The time that a cosignature carries, in seconds since 1970."""
    return int.from_bytes(signature[:_TIME_BYTES], "big")


def is_sound_key(public_key: bytes) -> bool:
    """An Ed25519 key in its canonical encoding that is not of small order: under such a one anything verifies."""
    y = int.from_bytes(public_key, "little") & (1 << 255) - 1
    return len(public_key) == 32 and y < _FIELD and y not in _SMALL_ORDER


def is_key_name(name: str) -> bool:
    """Not empty, no plus sign and no white space (signed-note's rule)."""
    return bool(name) and "+" not in name and not any(character.isspace() for character in name)


def parse_verifier(text: str) -> Verifier:
    """Read a verifier key: of a log (Ed25519) or of a witness (cosignature)."""
    name, first, rest = text.partition("+")
    hash_text, second, key_text = rest.partition("+")
    if not first or not second or not is_key_name(name) or len(hash_text) != 8 or hash_text.strip("0123456789abcdef"):
        raise BadNote("a verifier key is name+hash+key")
    key = decode_base64(key_text)
    if len(key) != 33 or key[0] not in {ED25519, COSIGNATURE}:
        raise BadNote("not an Ed25519 key")
    if not is_sound_key(key[1:]):
        raise BadNote("the key is not canonical or of small order")
    verifier = Verifier(name, key[1:], key[0])
    if verifier.key_id.hex() != hash_text:
        raise BadNote("the key's hash is another's")
    return verifier


def sign_note(text: str, signers: Iterable[Signer], existing: Sequence[str] = ()) -> str:
    """The note's text, a blank line, the signature lines it has already, and new ones."""
    _check_text(text)
    for line in existing:
        _parse_signature(line)
    kept = "".join(f"{line}\n" for line in existing)
    return text + "\n" + kept + "".join(signer.sign(text) for signer in signers)


def parse_note(note: str | bytes) -> Note:
    """Split a note into its text and signatures, without checking them."""
    if isinstance(note, bytes):
        try:
            note = note.decode()
        except UnicodeDecodeError as error:
            raise BadNote("a note is UTF-8") from error
    if len(note) > MAX_NOTE_BYTES:
        raise BadNote("the note is too long")
    text, separator, lines = note.rpartition("\n\n")
    text += "\n"
    if not separator or not lines.endswith("\n"):
        raise BadNote("a note is text, a blank line and signatures")
    _check_text(text)
    signatures = [_parse_signature(line) for line in lines[:-1].split("\n")]
    if len(signatures) > MAX_SIGNATURES:
        raise BadNote("too many signatures")
    return Note(text, tuple(signatures))


def open_note(note: str | bytes, verifiers: Iterable[Verifier]) -> str:
    """The note's text when a known key signed it; UnverifiedNote otherwise, or when a known key's signature fails."""
    parsed = parse_note(note)
    if not verified_signatures(parsed, verifiers):
        raise UnverifiedNote("no signature by a known key")
    return parsed.text


def verified_signatures(note: Note, verifiers: Iterable[Verifier]) -> dict[Verifier, Signature]:
    """Which of these keys signed the note; UnverifiedNote when one's signature fails or it was given twice."""
    known: dict[tuple[str, bytes], list[Verifier]] = {}
    for verifier in verifiers:
        known.setdefault((verifier.name, verifier.key_id), []).append(verifier)
    verified: dict[Verifier, Signature] = {}
    for signature in note.signatures:
        candidates = known.get((signature.name, signature.key_id), [])
        if len(candidates) > 1:
            raise UnverifiedNote(f"two keys are given for {signature.name}: which is meant is unclear")
        if not candidates or candidates[0] in verified:
            continue
        if not candidates[0].verifies(note.text, signature.signature):
            raise UnverifiedNote(f"the signature by {signature.name} does not verify")
        verified[candidates[0]] = signature
    return verified


def parse_checkpoint(text: str) -> CheckpointText:
    """Read a checkpoint's text; extension lines after the root are allowed and left out."""
    lines = text.split("\n")
    if len(lines) < 4 or lines[-1] != "" or any(not line for line in lines[:-1]):
        raise BadNote("a checkpoint has three lines at least")
    origin, size, root = lines[:3]
    if not size.isascii() or not size.isdigit() or (size != "0" and size.startswith("0")) or int(size) >= 2**63:
        raise BadNote("the size is a plain decimal number")
    root_hash = decode_base64(root)
    if len(root_hash) != 32:
        raise BadNote("a root hash has 32 bytes")
    return CheckpointText(origin, int(size), root_hash)


def decode_base64(text: str) -> bytes:
    """Standard, padded and canonical base64 only."""
    try:
        data = base64.b64decode(text.encode("ascii"), validate=True)
    except (binascii.Error, UnicodeEncodeError) as error:
        raise BadNote("not base64") from error
    if base64.b64encode(data).decode() != text:
        raise NotCanonical("not canonical base64")
    return data


def _cosigned(text: str, at: int) -> str:
    return f"cosignature/v1\ntime {at}\n{text}"


def _parse_signature(line: str) -> Signature:
    if not line.startswith(_DASH):
        raise BadNote("a signature line starts with a dash")
    name, separator, encoded = line[len(_DASH) :].partition(" ")
    if not separator or not is_key_name(name):
        raise BadNote("a signature line is a name and a signature")
    signature = decode_base64(encoded)
    if len(signature) < 5:
        raise BadNote("the signature is too short")
    return Signature(name, signature[:4], signature[4:])


def _check_text(text: str) -> None:
    if not text.endswith("\n") or any(character < " " and character != "\n" for character in text):
        raise BadNote("a note's text is lines without control characters")
