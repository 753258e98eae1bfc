"""Finding one's way in the explorer: by an entry's number, place or hash, a wallet's id, or a series."""

import re
from dataclasses import dataclass
from uuid import UUID

from django.db import connection
from django.urls import reverse
from django.utils.translation import gettext as _

from ledger.models import Asset, Entry, Leaf, Tile, Wallet

_HASH = re.compile(r"[0-9a-f]{64}")
_HASH_BYTES = 32
_LONGEST = 100


@dataclass(frozen=True)
class Found:
    """Something with a page of its own."""

    what: str
    url: str


def found_by(words: str) -> list[Found]:
    """Everything that these words name; a number names a place in the log and an entry."""
    words = words.replace("\0", "").strip()[:_LONGEST]
    if words.isascii() and words.isdigit() and len(words) <= 18:
        return _by_number(int(words))
    if _HASH.fullmatch(words.lower()):
        return _by_hash(bytes.fromhex(words))
    try:
        return _by_wallet(UUID(words))
    except ValueError:
        return _by_code(words)


def _by_number(number: int) -> list[Found]:
    found = []
    leaf = Leaf.objects.filter(index=number).first()
    if leaf is not None:
        found.append(Found(_("Place %(n)s in the log: entry %(id)s") % {"n": number, "id": leaf.entry_id}, _page(leaf)))
    if (leaf is None or leaf.entry_id != number) and Entry.objects.filter(id=number).exists():
        found.append(Found(_("Entry %(id)s") % {"id": number}, reverse("entry", args=[number])))
    return found


def _by_hash(hash_: bytes) -> list[Found]:
    """A leaf's hash stands in the tiles, which are a small part of the log: no index is kept for this."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT index, position(%s::bytea in hashes) - 1 FROM ledger_tile"
            " WHERE level = 0 AND position(%s::bytea in hashes) %% %s = 1 ORDER BY index LIMIT 1",
            [hash_, hash_, _HASH_BYTES],
        )
        row = cursor.fetchone()
    leaf = Leaf.objects.filter(index=row[0] * Tile.WIDTH + row[1] // _HASH_BYTES).first() if row else None
    if leaf is not None:
        return [Found(_("Place %(n)s in the log: entry %(id)s") % {"n": leaf.index, "id": leaf.entry_id}, _page(leaf))]
    asset = Asset.objects.filter(definition_hash=hash_).first()
    return [Found(asset.code, reverse("series-life", args=[asset.code]))] if asset else []


def _by_wallet(public_id: UUID) -> list[Found]:
    if not Wallet.objects.filter(public_id=public_id).exists():
        return []
    return [Found(_("Wallet %(id)s") % {"id": public_id}, reverse("explorer-wallet", args=[public_id]))]


def _by_code(words: str) -> list[Found]:
    series = (
        Asset.objects.exclude(kind=Asset.Kind.CREDITS).filter(code__icontains=words) if words else Asset.objects.none()
    )
    found = [
        Found(asset.code, reverse("series-life", args=[asset.code])) for asset in series.order_by("code", "id")[:20]
    ]
    return [one for one in found if one.what.lower() == words.lower()] or found


def _page(leaf: Leaf) -> str:
    return reverse("entry", args=[leaf.entry_id])
