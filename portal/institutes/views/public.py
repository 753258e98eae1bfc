"""An institute's public page, and a student's way in."""

from contextlib import suppress

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.cache import cache
from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods
from redis.exceptions import RedisError

from ledger.errors import Refusal
from portal.institutes import enrolment
from portal.institutes.cohorts import cohorts_read, institutes
from portal.institutes.errors import UnknownCode
from portal.institutes.forms import CodeForm
from portal.institutes.models import Cohort, Enrolment, JoinCode
from portal.people.access import institutes_led
from portal.people.models import User

GUESSES_AN_HOUR = 20


@require_GET
def institute_list(request: HttpRequest) -> HttpResponse:
    found = institutes().annotate(cohort_count=Count("cohorts")).select_related("sponsor").order_by("name", "id")
    return render(request, "institutes/list.html", {"institutes": found, "form": CodeForm()})


@require_GET
def institute(request: HttpRequest, slug: str) -> HttpResponse:
    found = get_object_or_404(institutes().select_related("sponsor"), slug=slug)
    cohorts = (
        Cohort.objects.filter(institute=found)
        .select_related("asset")
        .annotate(students=Count("enrolments"))
        .order_by("-starts_at", "-id")
    )
    mine = Enrolment.objects.none()
    if isinstance(request.user, User):
        mine = Enrolment.objects.filter(user=request.user, cohort__institute=found).select_related(
            "cohort__asset", "grant"
        )
    context = {
        "institute": found,
        "cohorts": cohorts,
        "mine": mine.order_by("-enrolled_at"),
        "leads": institutes_led(request.user).filter(id=found.id).exists(),
        "reads": set(cohorts_read(request.user).filter(institute=found).values_list("id", flat=True)),
        "now": timezone.now(),
        "form": CodeForm(),
    }
    return render(request, "institutes/institute.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def enrol(request: HttpRequest) -> HttpResponse:
    """Type a code, see what it would do, then do it."""
    user = request.user
    assert isinstance(user, User)
    if guesses(user) >= GUESSES_AN_HOUR:
        text = _("Too many wrong codes in the last hour. Ask your institute for the right one and come back later.")
        return render(request, "institutes/enrol.html", {"form": CodeForm(), "stopped": text}, status=429)
    typed = request.POST if request.method == "POST" else request.GET
    form = CodeForm(typed if "code" in typed else None)
    code: JoinCode | None = None
    if form.is_bound and form.is_valid():
        try:
            code = enrolment.find_code(form.cleaned_data["code"])
            if request.method == "POST":
                made = enrolment.enrol(user_id=user.id, code=code.code)
                messages.success(request, _("You are enrolled in %(name)s.") % {"name": made.cohort.name})
                return redirect("institute", slug=made.cohort.institute.slug)
            refusal = enrolment.refusal_for(user, code, now=timezone.now())
            if refusal is not None:
                raise refusal
        except Refusal as refusal:
            if isinstance(refusal, UnknownCode):
                count_guess(user)
            code = None
            form.add_error("code", refusal.message)
    context = {"form": form, "code": code, "wallet": user.wallet, "now": timezone.now()}
    return render(request, "institutes/enrol.html", context, status=422 if form.errors else 200)


def guesses(user: User) -> int:
    try:
        count: int = cache.get(guess_key(user), 0)
    except (RedisError, OSError):
        # The count is a second fence: 31 to the eighth codes are not guessed while Redis is away.
        return 0
    return count


def count_guess(user: User) -> None:
    with suppress(RedisError, OSError, ValueError):
        cache.add(guess_key(user), 0, timeout=3600)
        cache.incr(guess_key(user))


def guess_key(user: User) -> str:
    # An id is given anew in a database started over, and the cache outlives it.
    return f"join-code-guesses:{user.id}:{user.date_joined.timestamp()}"
