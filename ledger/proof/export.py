"""The log as files, laid out as c2sp.org/tlog-tiles says: what outsiders copy and verify."""

from pathlib import Path

from ledger.models import Checkpoint, Entry, Tile
from ledger.proof.policyfile import Policy
from ledger.proof.publishing import note_of, published_checkpoint
from ledger.proof.tilepaths import partial_suffix, tile_path
from ledger.proof.tiles import HASH_BYTES, WIDTH

CHUNK = 256


def export_log(folder: Path, policy: Policy | None = None) -> int:
    """Write checkpoints, tiles and entry bundles into an empty folder; answers the log's sealed size.

    `checkpoint` is what the site publishes, with the cosignatures of the policy's witnesses.
    """
    folder.mkdir(parents=True, exist_ok=True)
    size = 0
    for checkpoint in Checkpoint.objects.order_by("size"):
        _write(folder / "checkpoints" / str(checkpoint.size), checkpoint.note.encode())
        size = checkpoint.size
    published = published_checkpoint(policy)
    if published is not None:
        _write(folder / "checkpoint", note_of(published, policy).encode())
    for tile in Tile.objects.order_by("level", "index").iterator():
        width = min(WIDTH, (size >> (8 * tile.level)) - tile.index * WIDTH)
        if width > 0:
            name = f"tile/{tile.level}/{tile_path(tile.index)}{partial_suffix(width)}"
            _write(folder / name, bytes(tile.hashes)[: width * HASH_BYTES])
    for index in range((size + CHUNK - 1) // CHUNK):
        # Named by what was signed, also where rows are gone: the verifier says which.
        width = min(CHUNK, size - index * CHUNK)
        _write(folder / f"tile/entries/{tile_path(index)}{partial_suffix(width)}", entry_bundle(index, width) or b"")
    return size


def tile_bytes(level: int, index: int, width: int) -> bytes | None:
    """The first `width` hashes of a tile; None where the sealed log does not have them."""
    tile = Tile.objects.filter(level=level, index=index).first()
    if tile is None or index * WIDTH + width > sealed_size() >> (8 * level):
        return None
    return bytes(tile.hashes)[: width * HASH_BYTES]


def entry_bundle(index: int, width: int) -> bytes | None:
    """The first `width` entries of a bundle, each behind its length in two bytes; None where they are not sealed."""
    if index * CHUNK + width > sealed_size():
        return None
    return b"".join(len(body).to_bytes(2, "big") + body for body in _bodies(index, width))


def sealed_size() -> int:
    newest = Checkpoint.objects.order_by("-size").values_list("size", flat=True).first()
    return newest or 0


def _bodies(index: int, width: int) -> list[bytes]:
    places = (index * CHUNK, index * CHUNK + width - 1)
    rows = Entry.objects.filter(leaf__index__range=places).order_by("leaf__index")
    return [bytes(body) for body in rows.values_list("body", flat=True)]


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
