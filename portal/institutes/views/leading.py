"""What a lead does: cohorts, codes, roster."""

import csv
from dataclasses import dataclass
from decimal import Decimal

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db import IntegrityError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from ledger.models import SECONDS_PER_GPU_HOUR, Account
from portal.institutes.cohorts import cohorts_led, cohorts_read, make_code, make_cohort, revoke_code
from portal.institutes.forms import CohortForm, JoinCodeForm, after
from portal.institutes.models import Cohort, Enrolment, JoinCode
from portal.people.access import institutes_led
from portal.people.csv_safety import safe_cell
from portal.people.forms import posted


@login_required
@require_http_methods(["GET", "POST"])
def new_cohort(request: HttpRequest, slug: str) -> HttpResponse:
    institute = get_object_or_404(institutes_led(request.user).select_related("wallet"), slug=slug)
    now = timezone.now()
    form = CohortForm(posted(request), now=now)
    if request.method == "POST" and form.is_valid():
        try:
            cohort = make_cohort(institute=institute, now=now, **form.values())
        except IntegrityError:
            form.add_error("name", _("Your institute has a cohort of this name already."))
        else:
            messages.success(request, _("The cohort is made. Make a code for its students next."))
            return redirect("cohort", slug=institute.slug, cohort_id=cohort.id)
    accounts = Account.objects.filter(wallet=institute.wallet, balance__gt=0).exclude(asset__expires_at=None)
    context = {
        "institute": institute,
        "form": form,
        "accounts": accounts.select_related("asset").order_by("asset__code"),
        "now": now,
    }
    return render(request, "institutes/new_cohort.html", context, status=422 if form.errors else 200)


@login_required
@require_http_methods(["GET", "POST"])
def cohort(request: HttpRequest, slug: str, cohort_id: int) -> HttpResponse:
    """The roster and the codes; a post makes a code."""
    found = cohort_or_404(request, slug, cohort_id)
    leads = cohorts_led(request.user).filter(id=found.id).exists()
    now = timezone.now()
    form = JoinCodeForm(posted(request), now=now, cohort_ends_at=found.ends_at)
    if request.method == "POST":
        get_object_or_404(cohorts_led(request.user), id=found.id)
        if form.is_valid():
            made = make_code(
                cohort=found,
                max_uses=form.cleaned_data["max_uses"],
                expires_at=after(form.cleaned_data["expires_on"]),
                now=now,
            )
            messages.success(request, _("The code is %(code)s.") % {"code": made.code})
            return redirect("cohort", slug=slug, cohort_id=cohort_id)
    balance = Account.objects.filter(wallet=found.institute.wallet, asset=found.asset).first()
    context = {
        "cohort": found,
        "leads": leads,
        "form": form,
        "codes": found.codes.order_by("-created_at", "-id"),
        "roster": roster(found),
        "balance": balance,
        "covers": balance.available // found.allowance if balance else 0,
        "now": now,
    }
    return render(request, "institutes/cohort.html", context, status=422 if form.errors else 200)


@login_required
@require_POST
def revoke(request: HttpRequest, slug: str, code_id: int) -> HttpResponse:
    codes = JoinCode.objects.filter(cohort__in=cohorts_led(request.user).filter(institute__slug=slug))
    code = get_object_or_404(codes, id=code_id)
    revoke_code(code_id=code.id, now=timezone.now())
    messages.success(request, _("%(code)s lets nobody in any more.") % {"code": code.code})
    return redirect("cohort", slug=slug, cohort_id=code.cohort_id)


@login_required
@require_GET
def roster_csv(request: HttpRequest, slug: str, cohort_id: int) -> HttpResponse:
    found = cohort_or_404(request, slug, cohort_id)
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="roster-{found.id}.csv"'
    lines = csv.writer(answer)
    lines.writerow(["name", "e-mail", "enrolled_at", "granted_gpu_hours", "series", "left_gpu_hours"])
    for row in roster(found):
        enrolment = row.enrolment
        lines.writerow(
            [
                safe_cell(enrolment.user.name),
                safe_cell(enrolment.user.email),
                enrolment.enrolled_at.isoformat(),
                hours(found.allowance),
                safe_cell(found.asset.code),
                hours(row.left),
            ]
        )
    return answer


def cohort_or_404(request: HttpRequest, slug: str, cohort_id: int) -> Cohort:
    cohorts = cohorts_read(request.user).select_related("institute__wallet", "asset")
    return get_object_or_404(cohorts, institute__slug=slug, id=cohort_id)


def hours(gpu_seconds: int) -> str:
    return f"{Decimal(gpu_seconds) / SECONDS_PER_GPU_HOUR:.4f}"


@dataclass(frozen=True)
class Row:
    """A student of the roster, and what is left of the cohort's series in their wallet, in GPU-seconds."""

    enrolment: Enrolment
    left: int


def roster(cohort: Cohort) -> list[Row]:
    """The students, in the order they came, and what is left of the series in each wallet."""
    enrolments = list(
        Enrolment.objects.filter(cohort=cohort).select_related("user", "grant", "join_code").order_by("enrolled_at")
    )
    wallets = [enrolment.user.wallet_id for enrolment in enrolments]
    left = dict(Account.objects.filter(wallet__in=wallets, asset=cohort.asset).values_list("wallet_id", "balance"))
    return [Row(enrolment, left.get(enrolment.user.wallet_id or 0, 0)) for enrolment in enrolments]
