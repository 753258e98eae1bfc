"""The ledger explorer: entries as the log has them, receipts, and the log's files. Public: it carries no names."""

from collections.abc import Sequence
from typing import overload

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.http import http_date
from django.views.decorators.http import require_safe

from ledger.configured import configured_verifiers
from ledger.entries import parse
from ledger.export import entry_bundle, tile_bytes
from ledger.models import Asset, Checkpoint, Entry, Leaf, Wallet
from ledger.sealing import receipt_for, unsealed_count
from ledger.tilepaths import partial_suffix, tile_path

PAGE = 30
FOREVER = "public, max-age=31536000, immutable"


@require_safe
def explorer(request: HttpRequest) -> HttpResponse:
    """The newest entries of the sealed log, and how far it is sealed."""
    checkpoint = Checkpoint.objects.order_by("-size").first()
    leaves = Leaf.objects.select_related("entry").order_by("-index")
    number = request.GET.get("page", "1")
    if not number.isascii() or not number.isdigit() or len(number) > 9:
        raise Http404("No such page.")
    # The log's size counts its leaves: no count(*) over a table that only grows.
    page = Paginator(_Leaves(leaves, checkpoint.size if checkpoint else 0), PAGE).get_page(number)
    context = {
        "page": page,
        "checkpoint": checkpoint,
        "waiting": unsealed_count(),
        "series": Asset.objects.exclude(kind=Asset.Kind.CREDITS).order_by("expires_at", "code"),
        "verifiers": configured_verifiers(),
    }
    return render(request, "wallets/explorer.html", context)


@require_safe
def entry(request: HttpRequest, entry_id: int) -> HttpResponse:
    """One entry: what its bytes say, its place and its receipt."""
    found = get_object_or_404(Entry.objects.select_related("leaf"), id=entry_id)
    parsed = parse(bytes(found.body))
    assets = {bytes(asset.definition_hash): asset for asset in Asset.objects.all()}
    system = {wallet.public_id.bytes: wallet.get_role_display() for wallet in Wallet.objects.exclude(role=None)}
    postings = [
        {
            "wallet": posting.wallet.hex(),
            "role": system.get(posting.wallet),
            "asset": assets[posting.asset],
            "row": posting,
        }
        for posting in parsed.postings
    ]
    leaf = getattr(found, "leaf", None)
    context = {
        "entry": found,
        "parsed": parsed,
        "postings": postings,
        "leaf": leaf,
        "definition": parsed.definition.decode(errors="replace"),
        "hash": bytes(found.leaf_hash).hex(),
        "body_hex": bytes(found.body).hex(" ", 16),
    }
    return render(request, "wallets/entry.html", context)


@require_safe
def receipt(request: HttpRequest, entry_id: int) -> HttpResponse:
    """The entry's proof as a file that verifies offline (c2sp.org/tlog-proof)."""
    found = get_object_or_404(Entry, id=entry_id)
    proof = receipt_for(found.id)
    if proof is None:
        raise Http404("This entry is not sealed yet: try again in a few seconds.")
    response = HttpResponse(str(proof), content_type="text/plain; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="entry-{found.id}.tlog-proof"'
    return response


@require_safe
def raw_entry(request: HttpRequest, entry_id: int) -> HttpResponse:
    """The entry's bytes as they were written and hashed."""
    found = get_object_or_404(Entry, id=entry_id)
    response = HttpResponse(bytes(found.body), content_type="application/octet-stream")
    response["Content-Disposition"] = f'attachment; filename="entry-{found.id}.bin"'
    response["Cache-Control"] = FOREVER
    return response


@require_safe
def log_checkpoint(request: HttpRequest) -> HttpResponse:
    """The newest signed checkpoint (c2sp.org/tlog-tiles)."""
    checkpoint = Checkpoint.objects.order_by("-size").first()
    if checkpoint is None:
        raise Http404("Nothing is sealed yet.")
    response = HttpResponse(checkpoint.note, content_type="text/plain; charset=utf-8")
    response["Cache-Control"] = "no-cache"
    response["Last-Modified"] = http_date(checkpoint.signed_at.timestamp())
    return response


@require_safe
def log_key(request: HttpRequest) -> HttpResponse:
    """The log's public keys, a line each."""
    return HttpResponse("".join(f"{key}\n" for key in configured_verifiers()), content_type="text/plain; charset=utf-8")


@require_safe
def log_tile(request: HttpRequest, level: str, path: str) -> HttpResponse:
    """A tile of hashes, or a bundle of entries (level `entries`)."""
    place = _tile_place(path)
    if place is None:
        raise Http404("No such tile.")
    index, width = place
    data = entry_bundle(index, width) if level == "entries" else tile_bytes(_level(level), index, width)
    if data is None:
        raise Http404("No such tile.")
    response = HttpResponse(data, content_type="application/octet-stream")
    response["Cache-Control"] = FOREVER
    return response


class _Leaves(Sequence[Leaf]):
    """Leaves whose number is known without counting them."""

    def __init__(self, rows: QuerySet[Leaf], count: int) -> None:
        self._rows, self._count = rows, count

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, part: int) -> Leaf: ...
    @overload
    def __getitem__(self, part: slice) -> list[Leaf]: ...
    def __getitem__(self, part: int | slice) -> Leaf | list[Leaf]:
        return self._rows[part] if isinstance(part, int) else list(self._rows[part])


def _level(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 2 or (text.startswith("0") and text != "0"):
        raise Http404("No such tile.")
    return int(text)


def _tile_place(path: str) -> tuple[int, int] | None:
    """`x001/234.p/17` is tile 1234 with 17 hashes; None where the path is not a canonical one."""
    name, partial, width_text = path.partition(".p/")
    digits = name.replace("x", "").replace("/", "")
    if not digits.isascii() or not digits.isdigit() or len(digits) > 18:
        return None
    if partial and not (width_text.isascii() and width_text.isdigit() and len(width_text) <= 3):
        return None
    index, width = int(digits), int(width_text) if partial else 256
    if not 0 < width <= 256 or tile_path(index) + partial_suffix(width) != path:
        return None
    return index, width
