"""Logs written without the site: bodies hashed, laid out as tlog-tiles and signed, honest or not."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from ledger.entries import leaf_hash
from ledger.proof.merkle import Frontier, node_hash
from ledger.proof.notes import CheckpointText, Cosigner, Signer, sign_note
from ledger.proof.tilepaths import partial_suffix, tile_path

ORIGIN = "hourglass.test/log"
WIDTH = 256


def signer(name: str = "first", origin: str = ORIGIN) -> Signer:
    """The same key for the same name."""
    return Signer(origin, Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest()))


def witness(name: str) -> Cosigner:
    return Cosigner(name, Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest()))


def root_of(bodies: Sequence[bytes]) -> bytes:
    frontier = Frontier(lambda *_: b"", 0)
    for body in bodies:
        frontier.add(leaf_hash(body))
    return frontier.root()


def note_at(
    bodies: Sequence[bytes], signers: Sequence[Signer], cosigners: Sequence[Cosigner] = (), origin: str = ORIGIN
) -> str:
    """A checkpoint of exactly these entries."""
    text = str(CheckpointText(origin, len(bodies), root_of(bodies)))
    return sign_note(text, signers) + "".join(cosigner.cosign(text, at=1_800_000_000) for cosigner in cosigners)


def write_log(
    folder: Path,
    bodies: Sequence[bytes],
    *,
    signers: Sequence[Signer] = (),
    older: Mapping[int, Sequence[Signer]] | None = None,
    cosigners: Sequence[Cosigner] = (),
) -> Path:
    """The log's files, with a newest checkpoint by `signers` and others of the sizes in `older`, each by its own."""
    size = len(bodies)
    _write(folder / "checkpoint", note_at(bodies, signers or [signer()], cosigners).encode())
    for earlier, by in (older or {}).items():
        _write(folder / f"checkpoints/{earlier}", note_at(bodies[:earlier], by).encode())
    for start in range(0, size, WIDTH):
        part = bodies[start : start + WIDTH]
        bundle = b"".join(len(body).to_bytes(2, "big") + body for body in part)
        _write(folder / f"tile/entries/{tile_path(start // WIDTH)}{partial_suffix(len(part))}", bundle)
    level, hashes = 0, [leaf_hash(body) for body in bodies]
    while hashes:
        for start in range(0, len(hashes), WIDTH):
            part = hashes[start : start + WIDTH]
            _write(folder / f"tile/{level}/{tile_path(start // WIDTH)}{partial_suffix(len(part))}", b"".join(part))
        whole = len(hashes) // WIDTH * WIDTH
        hashes = [_folded(hashes[start : start + WIDTH]) for start in range(0, whole, WIDTH)]
        level += 1
    return folder


def _folded(hashes: Sequence[bytes]) -> bytes:
    while len(hashes) > 1:
        hashes = [node_hash(hashes[i], hashes[i + 1]) for i in range(0, len(hashes), 2)]
    return hashes[0]


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
