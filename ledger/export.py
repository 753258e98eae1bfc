"""The log as files, laid out as c2sp.org/tlog-tiles says: what outsiders copy and verify."""

from collections.abc import Iterator
from pathlib import Path

from ledger.models import Checkpoint, Entry, Tile
from ledger.tilepaths import partial_suffix, tile_path
from ledger.tiles import HASH_BYTES, WIDTH

CHUNK = 256


def export_log(folder: Path) -> int:
    """Write checkpoints, tiles and entry bundles into an empty folder; answers the log's sealed size."""
    folder.mkdir(parents=True, exist_ok=True)
    checkpoints = list(Checkpoint.objects.order_by("size"))
    size = checkpoints[-1].size if checkpoints else 0
    for checkpoint in checkpoints:
        _write(folder / "checkpoints" / str(checkpoint.size), checkpoint.note.encode())
    if checkpoints:
        _write(folder / "checkpoint", checkpoints[-1].note.encode())
    for tile in Tile.objects.order_by("level", "index").iterator():
        width = min(WIDTH, (size >> (8 * tile.level)) - tile.index * WIDTH)
        if width > 0:
            name = f"tile/{tile.level}/{tile_path(tile.index)}{partial_suffix(width)}"
            _write(folder / name, bytes(tile.hashes)[: width * HASH_BYTES])
    for index, bodies in _bundles(size):
        # Named by what was signed, also where rows are gone: the verifier says which.
        name = f"tile/entries/{tile_path(index)}{partial_suffix(min(CHUNK, size - index * CHUNK))}"
        _write(folder / name, b"".join(len(body).to_bytes(2, "big") + body for body in bodies))
    return size


def _bundles(size: int) -> Iterator[tuple[int, list[bytes]]]:
    for start in range(0, size, CHUNK):
        rows = Entry.objects.filter(leaf__index__range=(start, min(start + CHUNK, size) - 1)).order_by("leaf__index")
        yield start // CHUNK, [bytes(body) for body in rows.values_list("body", flat=True)]


def _write(path: Path, data: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
