"""The landing page, the operator's status page, health checks and the pages for what went wrong."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from ledger.models import Checkpoint
from portal.people.access import may_watch_health
from portal.reports import health
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
