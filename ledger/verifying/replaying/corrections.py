"""Corrections: a transfer taken back, wholly or in part, by another that names it, and never by more than it moved."""

import re
from collections import defaultdict
from collections.abc import Callable

from ledger.entries import ParsedEntry, leaf_hash, parse
from ledger.verifying.replaying.books import Books, BrokenRule

_REFERENCE = re.compile(r"corrects:([0-9a-f]{64})")
_NOT_CORRECTED = frozenset({"CORRECT", "EXPIRE"})
_HASH_BYTES = 32

# index -> the bytes of an earlier entry
Bodies = Callable[[int], bytes]


def check_correction(books: Books, entry: ParsedEntry, bodies: Bodies) -> None:
    """Does this correction take back what is left of an earlier transfer?"""
    said = _REFERENCE.fullmatch(entry.reference)
    if said is None:
        raise BrokenRule(f"is a correction that does not say of what ({entry.reference or 'nothing'})")
    leaf = bytes.fromhex(said[1])
    places = _places_of(books, leaf)
    index = places[0]
    body = bodies(index)
    if leaf_hash(body) != leaf:
        raise BrokenRule(f"corrects entry {index}, whose bytes are not those that were sealed")
    corrected = parse(body)
    if corrected.kind != "TRANSFER" or corrected.transfer_kind in _NOT_CORRECTED:
        raise BrokenRule(f"corrects entry {index}, which is no transfer that can be corrected")
    moved, taken_back = _moved(corrected), books.corrected.setdefault(leaf, defaultdict(int))
    for place, amount in _moved(entry).items():
        # Transfers of the same bytes have one hash: what they moved counts together.
        left = moved.get(place, 0) * len(places) + taken_back[place]
        if not (0 <= -amount <= left or left <= -amount <= 0):
            raise BrokenRule(f"takes back more than entry {index} moved")
        taken_back[place] += amount


def _places_of(books: Books, leaf: bytes) -> list[int]:
    """Where in the log this hash stands."""
    places = []
    at = books.leaves.find(leaf)
    while at >= 0:
        if at % _HASH_BYTES == 0:
            places.append(at // _HASH_BYTES)
        at = books.leaves.find(leaf, at + 1)
    if not places:
        raise BrokenRule("corrects an entry that is not in the log before it")
    return places


def _moved(entry: ParsedEntry) -> dict[tuple[bytes, bytes], int]:
    sums: dict[tuple[bytes, bytes], int] = defaultdict(int)
    for posting in entry.postings:
        sums[posting.wallet, posting.asset] += posting.amount
    return sums
