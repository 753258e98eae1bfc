"""The landing page, the operator's status page, health checks and the pages for what went wrong."""

from __future__ import annotations

import hashlib

from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import get_conditional_response
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from ledger.models import Checkpoint
from market.prices.concentration import IDLE_DAYS, newest_concentrations
from market.prices.conversion import conversions
from market.prices.hardware import hardware
from market.prices.publishing import Published, newest_prices, published, published_days
from portal.people.access import may_watch_health
from portal.reports import health
from portal.reports.figures import PROVING, SHOWN_DAYS, chart, class_rows, series_rows
from portal.reports.prices import quotes


@require_safe
def landing(request: HttpRequest) -> HttpResponse:
    """What this is, and the market as it stands."""
    now = timezone.now()
    context = {
        "quotes": quotes(now=now),
        "checkpoint": Checkpoint.objects.order_by("-size").first(),
        "now": now,
    }
    return render(request, "reports/landing.html", context)


@require_safe
@never_cache
def status(request: HttpRequest) -> HttpResponse:
    """How the parts are, for everybody; the figures are for operators and auditors."""
    now = timezone.now()
    found = health.parts(now=now)
    tones = {part.tone for part in found}
    overall = "fault" if "fault" in tones else "attention" if "attention" in tones else "good"
    context = {"parts": found, "overall": overall, "details": may_watch_health(request.user), "now": now}
    return render(request, "reports/status.html", context)


@require_safe
@never_cache
def livez(_request: HttpRequest) -> HttpResponse:
    """This process answers; it asks nobody else."""
    return HttpResponse("ok\n", content_type="text/plain")


@require_safe
@never_cache
def readyz(_request: HttpRequest) -> HttpResponse:
    """Whether to send people here: Postgres migrated and Redis reachable. 503 otherwise, saying what is not."""
    found = health.readiness()
    return JsonResponse(found, status=200 if set(found.values()) == {"ok"} else 503)


@require_safe
def price_index(request: HttpRequest) -> HttpResponse:
    """What a GPU-hour and a PFLOP-hour of each class cost, day by day, how that is computed and how to prove it."""
    days, now = published_days(newest=SHOWN_DAYS), timezone.now()
    context = {
        "series": series_rows(now=now),
        "days": days,
        "newest": days[0] if days else None,
        "rows": class_rows(days),
        "charts": {
            "hour": chart(days, lambda price: price.per_gpu_hour),
            "work": chart(days, lambda price: price.per_pflop_hour),
        },
        "hardware": hardware(),
        "proving": PROVING.replace("{site}", f"{request.scheme}://{request.get_host()}"),
        "now": now,
    }
    return render(request, "reports/index.html", context)


@require_safe
def index_json(request: HttpRequest) -> HttpResponse:
    """Every published day as JSON, the very bytes that are signed."""
    found = _published()
    return _file(request, found.json_file, "application/json")


@require_safe
def index_csv(request: HttpRequest) -> HttpResponse:
    """Every published day as CSV, the very bytes that are signed."""
    found = _published()
    return _file(request, found.csv_file, "text/csv; charset=utf-8")


@require_safe
def index_note(request: HttpRequest) -> HttpResponse:
    """The signed note (c2sp.org/signed-note) over the hashes of both files."""
    return _file(request, _published().note.encode(), "text/plain; charset=utf-8")


@require_safe
def conversion(request: HttpRequest) -> HttpResponse:
    """Between hardware generations: published ratios beside what the market implies."""
    known = hardware()
    context = {"rows": conversions(newest_prices(), known), "hardware": known}
    return render(request, "reports/conversion.html", context)


@require_safe
def concentration(request: HttpRequest) -> HttpResponse:
    """How each series is held, by beneficial owner and without names."""
    now = timezone.now()
    context = {"rows": newest_concentrations(now=now), "idle_days": IDLE_DAYS, "now": now}
    return render(request, "reports/concentration.html", context)


def _published() -> Published:
    found = published()
    if found is None:
        raise Http404("Nothing is published yet.")
    return found


def _file(request: HttpRequest, data: bytes, kind: str) -> HttpResponse:
    etag = f'"{hashlib.sha256(data).hexdigest()[:32]}"'
    response = get_conditional_response(request, etag=etag) or HttpResponse(data, content_type=kind)
    response["ETag"] = etag
    response["Cache-Control"] = "no-cache"
    return response
