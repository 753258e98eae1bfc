"""The ledger explorer: entries as the log has them, and receipts. Public: it carries no names."""

from collections.abc import Sequence
from typing import overload

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.views.decorators.http import require_safe

from ledger.configured import configured_policy, configured_verifiers
from ledger.entries import parse
from ledger.models import Asset, Checkpoint, Entry, Leaf, Wallet
from ledger.numbering import unsealed_count
from ledger.publishing import receipt_for
from portal.wallets.log import FOREVER

PAGE = 30


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
    proof = receipt_for(found.id, configured_policy())
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
