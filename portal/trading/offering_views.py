"""Primary issues, and each one's own page: what was offered, what it came to, what every bid was given and why.

No names.
"""

from uuid import UUID

from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.views.decorators.http import require_safe

from market.auctions.reads import auction_state
from market.models import Instrument
from market.offerings.models import Offering
from market.offerings.reads import BidLine, allocations, bids_of, totals
from portal.people.access import wallets_of

PAGE = 25


@require_safe
def offerings(request: HttpRequest, code: str | None = None) -> HttpResponse:
    """Every primary issue, or those of one series, the newest first. Public to read."""
    found, series = Offering.objects.select_related("instrument").order_by("-id"), None
    if code is not None:
        series = get_object_or_404(Instrument, code=code)
        found = found.filter(instrument=series)
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    return render(request, "trading/offerings.html", {"page": page, "series": series})


@require_safe
def offering(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Public to read; whoever is signed in sees their own bids marked."""
    found = _offering(public_id)
    mine: list[BidLine] = []
    if request.user.is_authenticated:
        mine = bids_of(found, list(wallets_of(request.user).values_list("id", flat=True)))
    context = {
        "offering": found,
        "instrument": found.instrument,
        "auction": auction_state(found.instrument, now=timezone.now()) if found.done_at is None else None,
        "totals": totals(found),
        "lines": allocations(found),
        "mine": mine,
    }
    return render(request, "trading/offering.html", context)


@require_safe
def offering_json(_request: HttpRequest, public_id: UUID) -> HttpResponse:
    """The same for programs: prices in ticks, quantities in lots."""
    found, state = _offering(public_id), None
    if found.done_at is None:
        state = auction_state(found.instrument, now=timezone.now())
    sums = totals(found)
    content = {
        "offering": str(found.public_id),
        "instrument": found.instrument.code,
        "status": found.status,
        "quantity": found.quantity,
        "reserve_price": found.reserve_price,
        "set_aside_percent": found.set_aside_percent,
        "set_aside_quantity": found.set_aside_quantity,
        "small_below": found.small_below,
        "no_cancel_at": state and state.no_cancel_at.isoformat(),
        "uncross_at": state and state.uncross_at.isoformat(),
        "indicative_price": state and state.price,
        "indicative_volume": state and state.volume,
        "price": found.price,
        "sold_quantity": found.sold_quantity,
        "set_aside_sold": sums.set_aside_sold,
        "bids": [_line(line) for line in allocations(found)],
    }
    response = JsonResponse(content)
    response["Cache-Control"] = "no-store"
    return response


def _offering(public_id: UUID) -> Offering:
    return get_object_or_404(Offering.objects.select_related("instrument__asset", "wallet"), public_id=public_id)


def _line(line: BidLine) -> dict[str, object]:
    """A bid without whose it is."""
    return {
        "limit_price": line.limit_price,
        "asked_quantity": line.asked_quantity,
        "from_set_aside": line.set_aside_quantity,
        "from_rest": line.rest_quantity,
        "is_small_holder": line.is_small,
        "why": line.why,
    }
