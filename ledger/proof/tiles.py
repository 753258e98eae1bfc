"""The tree, kept as tiles of 256 hashes (c2sp.org/tlog-tiles): written by the sealer, read by every proof."""

from collections.abc import Sequence

from ledger.models import Tile
from ledger.proof.merkle import node_hash

HASH_BYTES = 32
WIDTH = Tile.WIDTH
LEVEL_BITS = 8  # a tile spans eight levels of the tree


class Tiles:
    """The tree's complete subtrees, each tile read once."""

    def __init__(self) -> None:
        self._hashes: dict[tuple[int, int], bytearray] = {}
        self._changed: set[tuple[int, int]] = set()

    def node(self, level: int, index: int) -> bytes:
        """Hash of the complete subtree of 2**level leaves, the index-th of its level."""
        tile_level, row = divmod(level, LEVEL_BITS)
        start = index << row
        tile = self._tile(tile_level, start // WIDTH)
        offset = (start % WIDTH) * HASH_BYTES
        hashes = [bytes(tile[offset + i * HASH_BYTES :][:HASH_BYTES]) for i in range(1 << row)]
        if any(len(hash_) != HASH_BYTES for hash_ in hashes):
            raise LookupError(f"the tree has no node {index} at level {level}")
        return _fold(hashes)

    def append(self, size: int, leaves: Sequence[bytes]) -> None:
        """Put leaves behind the first `size`; a full tile's own hash goes into the tile above."""
        self._append(0, size, leaves)

    def save(self) -> None:
        """Write the tiles that changed."""
        rows = [
            Tile(level=level, index=index, hashes=bytes(self._hashes[level, index]))
            for level, index in sorted(self._changed)
        ]
        Tile.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=["level", "index"], update_fields=["hashes"]
        )
        self._changed.clear()

    def _append(self, level: int, size: int, hashes: Sequence[bytes]) -> None:
        full: list[bytes] = []
        at = 0
        while at < len(hashes):
            index, used = divmod(size + at, WIDTH)
            tile = self._tile(level, index)
            # A sealer that was killed may have left hashes behind the ones that count.
            del tile[used * HASH_BYTES :]
            tile += b"".join(hashes[at : at + WIDTH - used])
            at += WIDTH - used
            self._changed.add((level, index))
            if len(tile) == WIDTH * HASH_BYTES:
                full.append(_fold([bytes(tile[i : i + HASH_BYTES]) for i in range(0, len(tile), HASH_BYTES)]))
        if full:
            self._append(level + 1, size // WIDTH, full)

    def _tile(self, level: int, index: int) -> bytearray:
        if (level, index) not in self._hashes:
            found = Tile.objects.filter(level=level, index=index).values_list("hashes", flat=True).first()
            self._hashes[level, index] = bytearray(found or b"")
        return self._hashes[level, index]


def _fold(hashes: list[bytes]) -> bytes:
    while len(hashes) > 1:
        hashes = [node_hash(hashes[i], hashes[i + 1]) for i in range(0, len(hashes), 2)]
    return hashes[0]
