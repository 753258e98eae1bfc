"""The tree as its leaves make it, by another way than the tiles that are checked against it. Pure."""

from collections.abc import Iterator, Sequence

from ledger.proof.merkle import Frontier, node_hash

WIDTH = 256


class Regrown:
    """Grown leaf by leaf; of every level of tiles above the leaves it keeps the hashes that must stand there."""

    def __init__(self) -> None:
        self._frontier = Frontier(_no_node, 0)
        self._open: list[bytes] = []
        self._levels: list[list[bytes]] = []

    def add(self, leaf: bytes) -> None:
        self._frontier.add(leaf)
        self._open.append(leaf)
        if len(self._open) == WIDTH:
            self._close(self._open, 0)
            self._open = []

    def root(self) -> bytes:
        return self._frontier.root()

    def tiles(self) -> Iterator[tuple[int, int, Sequence[bytes]]]:
        """Level, number and hashes of every tile above the leaves."""
        for level, hashes in enumerate(self._levels, start=1):
            for start in range(0, len(hashes), WIDTH):
                yield level, start // WIDTH, hashes[start : start + WIDTH]

    def _close(self, hashes: Sequence[bytes], level: int) -> None:
        """A whole tile's own hash stands in the tile above it."""
        if level == len(self._levels):
            self._levels.append([])
        row = self._levels[level]
        row.append(_folded(hashes))
        if len(row) % WIDTH == 0:
            self._close(row[-WIDTH:], level + 1)


def first_difference(ones: Sequence[bytes], others: Sequence[bytes]) -> int:
    """Where two rows of hashes part; the length of the shorter where they do not."""
    for place, (one, other) in enumerate(zip(ones, others, strict=False)):
        if one != other:
            return place
    return min(len(ones), len(others))


def _folded(hashes: Sequence[bytes]) -> bytes:
    while len(hashes) > 1:
        hashes = [node_hash(hashes[i], hashes[i + 1]) for i in range(0, len(hashes), 2)]
    return hashes[0]


def _no_node(_level: int, _index: int) -> bytes:
    raise AssertionError("an empty tree has no nodes")
