"""The ledger explorer: entries as the log has them, and receipts. Public: it carries no names."""

from collections.abc import Sequence
from typing import overload
from uuid import UUID

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.views.decorators.http import require_safe

from ledger.clock import database_now
from ledger.entries import parse
from ledger.governance.governing import subject_of
from ledger.history import newest_transfers
from ledger.models import Asset, Checkpoint, Entry, Leaf, Policy, Posting, Wallet
from ledger.proof.configured import configured_verifiers, usable_policy
from ledger.proof.numbering import unsealed_count
from ledger.proof.publishing import receipt_for
from market.models import Instrument
from portal.wallets.activity import balances
from portal.wallets.life import series_life
from portal.wallets.log import FOREVER
from portal.wallets.search import found_by

PAGE = 30


@require_safe
def explorer(request: HttpRequest) -> HttpResponse:
    """The newest entries of the sealed log, how far it is sealed, and a search through it."""
    words = request.GET.get("q", "").strip()
    found = found_by(words) if words else []
    if len(found) == 1:
        return redirect(found[0].url)
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
        "words": words,
        "found": found,
    }
    return render(request, "wallets/explorer.html", context)


@require_safe
def series(request: HttpRequest, code: str) -> HttpResponse:
    """One series' life in sums that add up."""
    asset = get_object_or_404(Asset.objects.exclude(kind=Asset.Kind.CREDITS), code=code)
    context = {
        "asset": asset,
        "life": series_life(asset, now=database_now()),
        "policies": Policy.objects.filter(subject=subject_of(asset)).order_by("-version"),
        "definition": bytes(asset.definition).decode(),
        "hash": bytes(asset.definition_hash).hex(),
        "is_traded": Instrument.objects.filter(asset=asset).exists(),
    }
    return render(request, "wallets/series.html", context)


@require_safe
def wallet(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """What the log says of one wallet, by its opaque id: whoever has a copy of the log can find the same."""
    found = get_object_or_404(Wallet, public_id=public_id)
    before = request.GET.get("before", "")
    if before and (not before.isascii() or not before.isdigit() or len(before) > 18):
        raise Http404("No such page.")
    newest = newest_transfers(found.id, limit=PAGE + 1, before=int(before) if before else None)
    rows = Posting.objects.filter(account__wallet=found, transfer_id__in=newest[:PAGE])
    context = {
        "wallet": found,
        "accounts": balances(found),
        "policies": Policy.objects.filter(subject=subject_of(found)).order_by("-version")[:PAGE],
        "rows": rows.select_related("account__asset", "transfer").order_by("-transfer_id", "-account_id"),
        "older": newest[PAGE - 1] if len(newest) > PAGE else None,
    }
    return render(request, "wallets/log_wallet.html", context)


@require_safe
def verify(request: HttpRequest) -> HttpResponse:
    """A page that verifies a receipt by itself; with `?entry=` that entry's receipt and bytes are pasted already."""
    number = request.GET.get("entry", "")
    is_number = number.isascii() and number.isdigit() and len(number) <= 18
    found = Entry.objects.filter(id=int(number)).first() if is_number else None
    policy = usable_policy()
    proof = receipt_for(found.id, policy) if found else None
    keys = [*configured_verifiers(), *(witness.verifier for witness in (policy.witnesses.values() if policy else ()))]
    context = {
        "entry": found,
        "receipt": proof or "",
        "bytes": bytes(found.body).hex(" ", -16) if found else "",
        "keys": "\n".join(map(str, keys)),
    }
    return render(request, "wallets/verify.html", context)


@require_safe
def entry(request: HttpRequest, entry_id: int) -> HttpResponse:
    """One entry: what its bytes say, its place and its receipt."""
    found = get_object_or_404(Entry.objects.select_related("leaf"), id=entry_id)
    parsed = parse(bytes(found.body))
    assets = {bytes(asset.definition_hash): asset for asset in Asset.objects.all()}
    system = {wallet.public_id.bytes: wallet.get_role_display() for wallet in Wallet.objects.exclude(role=None)}
    postings = [
        {
            "wallet": str(UUID(bytes=posting.wallet)),
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
        "body_hex": bytes(found.body).hex(" ", -16),
    }
    return render(request, "wallets/entry.html", context)


@require_safe
def receipt(request: HttpRequest, entry_id: int) -> HttpResponse:
    """The entry's proof as a file that verifies offline (c2sp.org/tlog-proof)."""
    found = get_object_or_404(Entry, id=entry_id)
    proof = receipt_for(found.id, usable_policy())
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
