"""Price alerts on the trading page and in the frame of every page."""

from decimal import Decimal

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as __
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_POST, require_safe

from ledger.errors import Refusal
from market.models import HIGHEST_PRICE, TICKS_PER_CREDIT, Instrument
from portal.trading.alerts import alerts_of, drop_alert, see_alerts, set_alert
from portal.trading.forms import CENT, Figure, ticks
from portal.trading.models import PriceAlert


class AlertForm(forms.Form):
    direction = forms.ChoiceField(label=_("When it trades"), choices=PriceAlert.Direction.choices)
    price = forms.DecimalField(
        label=_("Price (cr/GPU-h)"),
        min_value=CENT,
        max_value=Decimal(HIGHEST_PRICE) / TICKS_PER_CREDIT,
        decimal_places=2,
        max_digits=12,
        widget=Figure("cr/GPU-h"),
    )


@require_safe
@login_required
def alerts(request: HttpRequest, code: str) -> HttpResponse:
    """My alerts, as the page fetches them anew."""
    return _alerts(request, _instrument(code), AlertForm(prefix="alert"))


@require_POST
@login_required
def add(request: HttpRequest, code: str) -> HttpResponse:
    """Tell me once the series trades at this price or beyond."""
    found, form = _instrument(code), AlertForm(request.POST, prefix="alert")
    if not form.is_valid():
        return _alerts(request, found, form, status=422)
    try:
        set_alert(
            user=request.user,  # type: ignore[arg-type]
            instrument_id=found.id,
            direction=form.cleaned_data["direction"],
            price=ticks(form.cleaned_data["price"]),
            now=timezone.now(),
        )
    except Refusal as refusal:
        form.add_error(None, str(refusal))
        return _alerts(request, found, form, status=422)
    if request.headers.get("HX-Request"):
        return _alerts(request, found, AlertForm(prefix="alert"))
    messages.success(request, __("The alert is set."))
    return redirect("instrument", code=code)


@require_POST
@login_required
def drop(request: HttpRequest, alert_id: int) -> HttpResponse:
    """Take one of my alerts away."""
    mine = PriceAlert.objects.select_related("instrument")
    found = get_object_or_404(mine, id=alert_id, user=request.user)
    drop_alert(found)
    if request.headers.get("HX-Request"):
        return _alerts(request, found.instrument, AlertForm(prefix="alert"))
    return redirect("instrument", code=found.instrument.code)


@require_POST
@login_required
def seen(request: HttpRequest) -> HttpResponse:
    """I have read what has fired."""
    see_alerts(user=request.user, now=timezone.now())  # type: ignore[arg-type]
    return redirect("market")


def _alerts(request: HttpRequest, found: Instrument, form: AlertForm, status: int = 200) -> HttpResponse:
    context = {"instrument": found, "alerts": alerts_of(request.user), "alert_form": form}  # type: ignore[arg-type]
    # A fragment brings the frame's bell with it.
    context["is_fragment"] = bool(request.headers.get("HX-Request"))
    return render(request, "trading/_alerts.html", context, status=status)


def _instrument(code: str) -> Instrument:
    return get_object_or_404(Instrument.objects.select_related("asset"), code=code)
