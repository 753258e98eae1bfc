"""RFC 6962's tree: roots, inclusion and consistency proofs, and their checks. Pure.

A proof is made from `Nodes`, which answers the hash of any complete subtree; the log's tiles do (ledger.proof.tiles).
"""

import hashlib
from collections.abc import Callable, Sequence

# (level, index) -> hash of the complete subtree of 2**level leaves that starts at leaf index * 2**level.
Nodes = Callable[[int, int], bytes]

_HASH_BYTES = 32
EMPTY_ROOT = hashlib.sha256(b"").digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Hash of an inner node (RFC 6962, 2.1)."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def range_hash(nodes: Nodes, start: int, end: int) -> bytes:
    """Root of the leaves start to end; start must be where a subtree of that size may start."""
    width = end - start
    if width <= 0:
        raise ValueError("an empty range has no hash")
    if width & (width - 1) == 0:
        return nodes(width.bit_length() - 1, start // width)
    split = start + _largest_power_below(width)
    return node_hash(range_hash(nodes, start, split), range_hash(nodes, split, end))


def root_hash(nodes: Nodes, size: int) -> bytes:
    """Root of the first `size` leaves."""
    return range_hash(nodes, 0, size) if size else EMPTY_ROOT


def inclusion_proof(nodes: Nodes, index: int, size: int) -> list[bytes]:
    """Hashes that lead from leaf `index` to the root at `size`, deepest first (RFC 6962, 2.1.1)."""
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    proof: list[bytes] = []
    start, end = 0, size
    while end - start > 1:
        split = start + _largest_power_below(end - start)
        if index < split:
            proof.append(range_hash(nodes, split, end))
            end = split
        else:
            proof.append(range_hash(nodes, start, split))
            start = split
    return proof[::-1]


def consistency_proof(nodes: Nodes, old: int, new: int) -> list[bytes]:
    """Hashes that show the tree at `new` to begin with the tree at `old` (RFC 6962, 2.1.2)."""
    if not 0 <= old <= new:
        raise ValueError(f"no proof from {old} to {new}")
    if old in {0, new}:
        return []
    proof: list[bytes] = []
    start, end, known_is_whole = 0, new, True
    while old != end:
        split = start + _largest_power_below(end - start)
        if old <= split:
            proof.append(range_hash(nodes, split, end))
            end = split
        else:
            proof.append(range_hash(nodes, start, split))
            start, known_is_whole = split, False
    if not known_is_whole:
        proof.append(range_hash(nodes, start, end))
    return proof[::-1]


def root_from_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes:
    """The root a proof leads to (RFC 9162, 2.1.3.2); ValueError when its length cannot be right."""
    if not 0 <= index < size:
        raise ValueError(f"leaf {index} is not in a tree of {size}")
    found, last, hash_ = index, size - 1, leaf
    for sibling in proof:
        if last == 0:
            raise ValueError("the proof is too long")
        if found & 1 or found == last:
            hash_ = node_hash(sibling, hash_)
            while not found & 1 and found:
                found, last = found >> 1, last >> 1
        else:
            hash_ = node_hash(hash_, sibling)
        found, last = found >> 1, last >> 1
    if last:
        raise ValueError("the proof is too short")
    return hash_


def is_included(leaf: bytes, index: int, size: int, proof: Sequence[bytes], root: bytes) -> bool:
    """Does the proof show the leaf at this index under the root?"""
    if not all(len(part) == _HASH_BYTES for part in (leaf, root, *proof)):
        return False
    try:
        return root_from_inclusion(leaf, index, size, proof) == root
    except ValueError:
        return False


def is_consistent(old: int, old_root: bytes, new: int, new_root: bytes, proof: Sequence[bytes]) -> bool:
    """Does the proof show the tree at `new` to begin with the tree at `old` (RFC 9162, 2.1.4.2)?"""
    # Nothing is shown about an empty tree: who holds size 0 takes the first checkpoint on trust.
    if not 0 < old <= new:
        return False
    if old == new:
        return old_root == new_root and not proof
    if not all(len(part) == _HASH_BYTES for part in (old_root, new_root, *proof)):
        return False
    path = list(proof)
    if old & (old - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    first, second = old - 1, new - 1
    while first & 1:
        first, second = first >> 1, second >> 1
    old_hash = new_hash = path[0]
    for sibling in path[1:]:
        if second == 0:
            return False
        if first & 1 or first == second:
            old_hash, new_hash = node_hash(sibling, old_hash), node_hash(sibling, new_hash)
            while not first & 1 and first:
                first, second = first >> 1, second >> 1
        else:
            new_hash = node_hash(new_hash, sibling)
        first, second = first >> 1, second >> 1
    return second == 0 and old_hash == old_root and new_hash == new_root


class Frontier:
    """The roots of the complete subtrees that make up a tree: enough to add leaves, by another way than tiles."""

    def __init__(self, nodes: Nodes, size: int) -> None:
        self.stack: list[tuple[int, bytes]] = []
        start = 0
        for level in range(size.bit_length() - 1, -1, -1):
            if size >> level & 1:
                self.stack.append((level, nodes(level, start >> level)))
                start += 1 << level

    def add(self, leaf: bytes) -> None:
        level, hash_ = 0, leaf
        while self.stack and self.stack[-1][0] == level:
            hash_ = node_hash(self.stack.pop()[1], hash_)
            level += 1
        self.stack.append((level, hash_))

    def root(self) -> bytes:
        if not self.stack:
            return EMPTY_ROOT
        hash_ = self.stack[-1][1]
        for _, left in reversed(self.stack[:-1]):
            hash_ = node_hash(left, hash_)
        return hash_


def _largest_power_below(width: int) -> int:
    return 1 << ((width - 1).bit_length() - 1)
