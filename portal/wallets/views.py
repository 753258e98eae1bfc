"""A wallet's page, its statement, and receipts."""

import csv
from collections.abc import Iterator

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from ledger.history import newest_transfers
from ledger.models import Wallet
from portal.people.access import acting_wallet, is_auditor, wallets_readable
from portal.people.csv_safety import safe_cell
from portal.people.models import User
from portal.wallets.activity import activity, balances, held_for, in_unit, other_side, postings_of, unit_name

PAGE = 25


@require_safe
@login_required
def wallet(request: HttpRequest) -> HttpResponse:
    """The wallet I act for; an auditor, who acts for none, chooses one to read."""
    assert isinstance(request.user, User)
    if is_auditor(request.user):
        return render(request, "wallets/choose.html", {"wallets": _chosen(request)})
    return _page(request, acting_wallet(request))


@require_safe
@login_required
def read_wallet(request: HttpRequest, public_id: str) -> HttpResponse:
    """One wallet, for those who may read it."""
    return _page(request, get_object_or_404(wallets_readable(request.user), public_id=public_id))


@require_safe
@login_required
def statement(request: HttpRequest, public_id: str) -> StreamingHttpResponse:
    """Everything that came and went, oldest last, as CSV: exact figures in the smallest common unit."""
    found = get_object_or_404(wallets_readable(request.user), public_id=public_id)
    response = StreamingHttpResponse(_statement_lines(found), content_type="text/csv; charset=utf-8")
    response["Content-Disposition"] = f'attachment; filename="statement-{found.public_id}.csv"'
    return response


class _Echo:
    def write(self, line: str) -> str:
        return line


def _statement_lines(found: Wallet) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield writer.writerow(["entry", "at (UTC)", "kind", "asset", "amount", "unit", "other side", "about"])
    for posting in postings_of(found).iterator(chunk_size=500):
        transfer, asset = posting.transfer, posting.account.asset
        yield writer.writerow(
            [
                transfer.id,
                transfer.recorded_at.isoformat(timespec="seconds"),
                transfer.transfer_kind,
                asset.code,
                in_unit(posting.amount, asset),
                unit_name(asset),
                safe_cell(other_side(found, posting)),
                safe_cell(transfer.reference),
            ]
        )


def _page(request: HttpRequest, found: Wallet) -> HttpResponse:
    before = request.GET.get("before", "")
    if before and (not before.isascii() or not before.isdigit() or len(before) > 18):
        raise Http404("No such page.")
    # Whole transfers: a trade's two postings stand on one page.
    newest = newest_transfers(found.id, limit=PAGE + 1, before=int(before) if before else None)
    context = {
        "wallet": found,
        "accounts": balances(found),
        "held": held_for(found),
        "activity": list(activity(found, postings_of(found).filter(transfer_id__in=newest[:PAGE]))),
        "older": newest[PAGE - 1] if len(newest) > PAGE else None,
        "is_first_page": not before,
        "now": timezone.now(),
    }
    return render(request, "wallets/wallet.html", context)


def _chosen(request: HttpRequest) -> list[Wallet]:
    words = request.GET.get("q", "").strip()[:100]
    if "\0" in words:  # no name has one, and Postgres does not take the question
        return []
    found = wallets_readable(request.user)
    return list((found.filter(name__icontains=words) if words else found).order_by("kind", "name", "id")[:50])
