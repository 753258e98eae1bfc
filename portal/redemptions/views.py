"""Redeem pages: the form, what confirming would do, the job table, one job and its output."""

from datetime import datetime
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from ledger.errors import Refusal
from ledger.models import Wallet
from portal.people.access import acting_wallet
from portal.people.models import User
from portal.redemptions.examples import EXAMPLES, example_named
from portal.redemptions.forms import RedeemForm
from portal.redemptions.pages import timeline, tone
from portal.redemptions.redeeming import redeemable, redemptions_of, redemptions_to_cancel
from portal.redemptions.tasks import wake_submitter
from scheduler.configured import job_place, jobs_home
from scheduler.jobfiles import job_output
from scheduler.models import Redemption
from scheduler.redemptions import cancel_redemption, planned_job, redeem_tokens
from scheduler.submission import retry_redemption

PAGE = 25
SHOWN_BYTES = 6_000


@require_http_methods(["GET", "HEAD", "POST"])
@login_required
def redeem(request: HttpRequest) -> HttpResponse:
    """The form; what confirming would do; and confirming, as the pressed button says."""
    wallet = acting_wallet(request)
    if request.method != "POST":
        return _form_page(request, wallet, RedeemForm(wallet=wallet, initial=_initial(request, wallet)))
    form = RedeemForm(request.POST, wallet=wallet)
    step = request.POST.get("step", "preview")
    if step == "change":
        values = {name: request.POST.get(name, "") for name in form.fields if name not in {"key", "shown"}}
        return _form_page(request, wallet, RedeemForm(wallet=wallet, initial=values))
    if not form.is_valid():
        return _form_page(request, wallet, form, status=422)
    return _confirm(request, wallet, form) if step == "confirm" else _preview(request, wallet, form)


def _preview(request: HttpRequest, wallet: Wallet, form: RedeemForm) -> HttpResponse:
    assert isinstance(request.user, User)
    try:
        planned = planned_job(form.wish(request.user), place=job_place(), now=timezone.now())
    except Refusal as refusal:
        form.refuse(refusal)
        return _form_page(request, wallet, form, status=422)
    values = request.POST.copy()
    values["key"], values["shown"] = str(planned.wish.public_id), planned.digest
    confirm = RedeemForm(values, wallet=wallet)
    return render(request, "redemptions/preview.html", {"planned": planned, "form": confirm, "wallet": wallet})


def _confirm(request: HttpRequest, wallet: Wallet, form: RedeemForm) -> HttpResponse:
    assert isinstance(request.user, User)
    if not form.cleaned_data["key"]:
        return _preview(request, wallet, form)
    try:
        redemption = redeem_tokens(
            form.wish(request.user),
            user_id=request.user.id,
            place=job_place(),
            shown_digest=form.cleaned_data["shown"],
        )
    except Refusal as refusal:
        form.refuse(refusal)
        return _form_page(request, wallet, form, status=422)
    wake_submitter(redemption.id)
    return redirect("redemption", public_id=redemption.public_id)


@require_safe
@login_required
def redemptions(request: HttpRequest) -> HttpResponse:
    """All jobs of the wallets one may read."""
    found = redemptions_of(request.user).order_by("-id")
    page = Paginator(found, PAGE).get_page(request.GET.get("page"))
    rows = [{"redemption": each, "tone": tone(each)} for each in page]
    return render(request, "redemptions/list.html", {"page": page, "rows": rows})


@require_safe
@login_required
def redemption(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """One job, from the tokens held to what came back."""
    found = get_object_or_404(redemptions_of(request.user), public_id=public_id)
    return render(request, "redemptions/redemption.html", _job_context(request, found))


@require_safe
@login_required
def live(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """The part of the job's page that changes while it is not settled; then the whole page is read once more."""
    found = get_object_or_404(redemptions_of(request.user), public_id=public_id)
    response = render(request, "redemptions/_live.html", _job_context(request, found))
    if found.is_settled:
        response["HX-Refresh"] = "true"
    return response


@require_safe
@login_required
def output(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """The end of what the job printed, as plain text and nothing else."""
    found = get_object_or_404(redemptions_of(request.user), public_id=public_id)
    printed = job_output(found, home=jobs_home())
    if printed is None:
        raise Http404("There is no output.")
    response = HttpResponse(printed.text, content_type="text/plain; charset=utf-8")
    response["X-Content-Type-Options"] = "nosniff"
    response["Content-Disposition"] = "inline"
    response["Content-Security-Policy"] = "sandbox; default-src 'none'"
    response["Cache-Control"] = "private, no-store"
    return response


@require_POST
@login_required
def cancel(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """End the job; it is charged for what it has used."""
    found = get_object_or_404(redemptions_to_cancel(request.user), public_id=public_id)
    try:
        cancelled = cancel_redemption(redemption_id=found.id)
    except Refusal as refusal:
        messages.error(request, refusal.message)
    else:
        if cancelled.is_settled:
            messages.success(request, _("Cancelled. All tokens are back in the wallet."))
        else:
            messages.success(request, _("The job is being ended. It is charged for what it used."))
        wake_submitter(found.id)
    return redirect("redemption", public_id=public_id)


@require_POST
@login_required
def retry(request: HttpRequest, public_id: UUID) -> HttpResponse:
    """Try a parked job again, when what stood in its way is put right."""
    found = get_object_or_404(redemptions_to_cancel(request.user), public_id=public_id)
    if retry_redemption(redemption_id=found.id, now=timezone.now()):
        messages.success(request, _("The job is tried again."))
        wake_submitter(found.id)
    else:
        messages.error(request, _("This job is not parked any more."))
    return redirect("redemption", public_id=public_id)


def _initial(request: HttpRequest, wallet: Wallet) -> dict[str, Any]:
    values: dict[str, Any] = {"gpus": 1, "walltime_minutes": 10, "job_name": "my-job", "kind": Redemption.Kind.SCRIPT}
    example = example_named(request.GET.get("example", ""))
    if example is not None:
        values |= {
            "gpus": example.gpus,
            "walltime_minutes": example.walltime_minutes,
            "job_name": example.job_name,
            "kind": example.kind,
            "script": example.script,
        }
    codes = {account.asset.code for account in redeemable(wallet, now=timezone.now())}
    if request.GET.get("series", "") in codes:
        values["asset"] = request.GET["series"]
    return values


def _form_page(request: HttpRequest, wallet: Wallet, form: RedeemForm, *, status: int = 200) -> HttpResponse:
    context = {
        "form": form,
        "wallet": wallet,
        "accounts": redeemable(wallet, now=timezone.now()),
        "examples": EXAMPLES,
        "chosen_example": request.GET.get("example", ""),
        "chosen_series": form["asset"].value() or "",
        "has_jobs": redemptions_of(request.user).exists(),
        "now": timezone.now(),
    }
    return render(request, "redemptions/redeem.html", context, status=status)


def _job_context(request: HttpRequest, found: Redemption) -> dict[str, Any]:
    now: datetime = timezone.now()
    elapsed = None
    if found.status == Redemption.Status.RUNNING and found.started_at is not None:
        elapsed = min(max(0, int((now - found.started_at).total_seconds())), found.walltime_seconds)
    return {
        "redemption": found,
        "tone": tone(found),
        "steps": timeline(found),
        "history": found.history.order_by("id"),
        "runs": found.runs.order_by("submitted_at", "id"),
        "output": job_output(found, home=jobs_home(), limit=SHOWN_BYTES),
        "elapsed": elapsed,
        "may_cancel": found.may_cancel and redemptions_to_cancel(request.user).filter(id=found.id).exists(),
        "now": now,
    }
