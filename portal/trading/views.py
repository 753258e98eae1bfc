"""The market's pages: the list, one instrument, its ticket and my orders."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from ledger.errors import Refusal
from ledger.models import Wallet
from market.amending import amend_order
from market.answers import NewOrder, PlacedOrder
from market.errors import sentence_for
from market.models import Instrument, Order
from market.orders import cancel_order, cancel_orders, place_order
from market.prices.candles import INTERVALS, bars
from market.reads import depth, price_history
from portal.people.access import (
    acting_wallet,
    acting_wallet_or_none,
    administers_market,
    may_write,
    refuse_administrator,
    wallets_of,
)
from portal.people.models import User
from portal.trading.alert_views import AlertForm
from portal.trading.alerts import alerts_of
from portal.trading.forms import AmendForm, TicketForm
from portal.trading.outcomes import Outcome, changes_of, outcome_of, sentence
from portal.trading.pages import (
    TAPE,
    book_json,
    candles_json,
    listed,
    market_context,
    orders_of,
    phase_context,
    position_rows,
    protection_price,
    ticket_preview,
    traded,
    wallet_accounts,
)

BUY, SELL = Order.Side.BUY, Order.Side.SELL


@require_safe
def market(request: HttpRequest) -> HttpResponse:
    """Every series with its price and time left."""
    now = timezone.now()
    return render(request, "trading/market.html", {"rows": listed(now), "now": now})


@require_safe
def instrument(request: HttpRequest, code: str) -> HttpResponse:
    """The trading page of one series: public to read; the ticket needs a wallet."""
    found = _instrument(code)
    return render(request, "trading/instrument.html", _page(request, found, TicketForm(initial=_start(request, found))))


@require_safe
def book(request: HttpRequest, code: str) -> HttpResponse:
    """The book with its event number: what a page starts from, and comes back to after a gap."""
    found = _instrument(code)
    response = JsonResponse(book_json(found, depth(found.id)))
    response["Cache-Control"] = "no-store"
    return response


@require_safe
def trades(request: HttpRequest, code: str) -> HttpResponse:
    """The last trades, oldest first: [number, seconds since 1970, price in ticks, quantity in lots, taker's side]."""
    rows = [
        [trade.number, trade.traded_at.timestamp(), trade.price, trade.quantity, trade.taker_side]
        for trade in price_history(_instrument(code).id, limit=TAPE)
    ]
    response = JsonResponse({"trades": rows})
    response["Cache-Control"] = "no-store"
    return response


@require_safe
def candles(request: HttpRequest, code: str) -> HttpResponse:
    """The last candles of an interval, as the chart and its table draw them."""
    interval = request.GET.get("interval", "1m")
    if interval not in INTERVALS:
        raise Http404
    response = JsonResponse(candles_json(bars(_instrument(code).id, INTERVALS[interval], limit=300)))
    response["Cache-Control"] = "no-store"
    return response


@require_safe
def phase(request: HttpRequest, code: str) -> HttpResponse:
    """What the instrument does now; in an auction what it would come to, as the page fetches it anew."""
    return render(request, "trading/_phase.html", phase_context(_instrument(code), now=timezone.now()))


@require_safe
@login_required
def all_positions(request: HttpRequest) -> HttpResponse:
    """My positions in all series."""
    return render(request, "trading/positions.html", {"rows": position_rows(acting_wallet(request))})


@require_POST
@login_required
def preview(request: HttpRequest, code: str) -> HttpResponse:
    """What the ticket as typed would do. A half-typed ticket is no error: it only has no preview yet."""
    found, form = _instrument(code), TicketForm(request.POST)
    context: dict[str, object] = {"form": form}
    if form.is_valid():
        context |= _previewed(request, found, form)
    return render(request, "trading/_preview.html", context | {"asset": found.asset})


@require_POST
@login_required
def place(request: HttpRequest, code: str) -> HttpResponse:
    """Place the order; a refused one comes back with the ticket as it was typed (422)."""
    found, wallet, form = _instrument(code), acting_wallet(request), TicketForm(request.POST)
    if not form.is_valid():
        return _ticket_again(request, found, form)
    protection = form.cleaned_data["protection"]
    if form.at_market and protection is None:
        form.add_error(None, _("Look at the protection limit below, then place the order again."))
        return _ticket_again(request, found, form, _previewed(request, found, form))
    try:
        refuse_administrator(request.user)
        placed = place_order(
            instrument_id=found.id,
            wallet_id=wallet.id,
            client_order_id=form.cleaned_data["client_order_id"],
            **form.order(protection),
        )
    except Refusal as refusal:
        form.add_error(refusal.field if refusal.field in form.fields else None, str(refusal))
        return _ticket_again(request, found, form)
    if placed.status == Order.Status.REJECTED:
        form.add_error(None, sentence_for(placed.reason))
        return _ticket_again(request, found, form)
    return _placed(request, found, wallet, placed)


def _previewed(request: HttpRequest, found: Instrument, form: TicketForm) -> dict[str, object]:
    protection = protection_price(found, form.cleaned_data["side"]) if form.at_market else None
    if form.at_market and protection is None:
        return {"nothing_to_meet": True}
    wallet = acting_wallet(request)
    order = NewOrder(found.id, wallet.id, client_order_id="", **form.order(protection))
    return {"ticket": ticket_preview(instrument=found, wallet=wallet, order=order)}


@require_safe
@login_required
def my_orders(request: HttpRequest, code: str) -> HttpResponse:
    """My open orders and balances, as the page fetches them anew after each event."""
    found, wallet = _instrument(code), acting_wallet(request)
    return render(request, "trading/_mine.html", _mine(request, found, wallet))


@require_POST
@login_required
def cancel(request: HttpRequest, order_id: int) -> HttpResponse:
    """Take one of my orders out of the book."""
    order = get_object_or_404(
        Order.objects.select_related("instrument__asset"), id=order_id, wallet__in=wallets_of(request.user)
    )
    try:
        cancel_order(order_id=order.id, now=timezone.now())
    except Refusal as refusal:
        return _mine_again(request, order.instrument, order.wallet, Outcome(str(refusal)), refused=True)
    said = _("Order %(id)s is cancelled; what it held is available again.") % {"id": order.id}
    return _mine_again(request, order.instrument, order.wallet, Outcome(said, changes_of(order)))


@require_POST
@login_required
def amend(request: HttpRequest, order_id: int) -> HttpResponse:
    """Change one of my open orders in place; refused, it stays as it was."""
    order = get_object_or_404(
        Order.objects.select_related("instrument__asset"), id=order_id, wallet__in=wallets_of(request.user)
    )
    form = AmendForm(request.POST)
    if not form.is_valid():
        said = _("Type a quantity and a price with at most two decimals.")
        return _not_amended(request, order, said)
    try:
        refuse_administrator(request.user)
        amended = amend_order(order_id=order.id, **form.terms())
    except Refusal as refusal:
        return _not_amended(request, order, str(refusal))
    done = Outcome(sentence(amended), changes_of(order))
    return _mine_again(request, order.instrument, order.wallet, done)


def _not_amended(request: HttpRequest, order: Order, said: str) -> HttpResponse:
    """The refusal, and the terms as they were typed, open to be put right."""
    typed = {name: request.POST.get(name, "") for name in AmendForm.base_fields}
    refused = {"done": Outcome(said), "refused": True, "again": typed | {"order": order.id}}
    if request.headers.get("HX-Request"):
        return _mine_fragment(request, order.instrument, order.wallet, refused)
    page = _page(request, order.instrument, TicketForm(initial=_start(request, order.instrument)))
    return render(request, "trading/instrument.html", page | refused, status=422)


@require_POST
@login_required
def cancel_all(request: HttpRequest, code: str) -> HttpResponse:
    """Take all of my orders in this series out of the book."""
    found, wallet = _instrument(code), acting_wallet(request)
    mine = Order.objects.filter(wallet=wallet, instrument=found).unfinished()
    one_a_side = list(mine.order_by("side").distinct("side").select_related("wallet", "account__asset", "instrument"))
    try:
        count = cancel_orders(wallet_id=wallet.id, instrument_id=found.id)
    except Refusal as refusal:
        return _mine_again(request, found, wallet, Outcome(str(refusal)), refused=True)
    said = ngettext("%(n)d order is cancelled.", "%(n)d orders are cancelled.", count) % {"n": count}
    return _mine_again(request, found, wallet, Outcome(said, changes_of(*one_a_side)))


def _mine_again(
    request: HttpRequest, found: Instrument, wallet: Wallet, done: Outcome, *, refused: bool = False
) -> HttpResponse:
    """My orders as they are now, with what was done or why it was not."""
    if request.headers.get("HX-Request"):
        return _mine_fragment(request, found, wallet, {"done": done, "refused": refused})
    (messages.error if refused else messages.success)(request, _linked(done))
    return redirect("instrument", code=found.code)


def _mine_fragment(request: HttpRequest, found: Instrument, wallet: Wallet, said: dict[str, object]) -> HttpResponse:
    context = _mine(request, found, wallet) | said | {"is_fragment": True}
    return render(request, "trading/_mine.html", context, status=422 if said["refused"] else 200)


def _linked(done: Outcome) -> str:
    links = ((reverse("entry", args=[entry.id]), entry.said) for entry in done.entries)
    return format_html("{} {}", done.said, format_html_join(" ", '<a href="{}">{}</a>', links))


def _instrument(code: str) -> Instrument:
    return get_object_or_404(Instrument.objects.select_related("asset", "price_asset"), code=code)


def _page(request: HttpRequest, found: Instrument, form: TicketForm) -> dict[str, object]:
    context = market_context(found, now=timezone.now()) | {
        "form": form,
        "administers": administers_market(request.user),
    }
    if isinstance(request.user, User):
        mine = list(alerts_of(request.user))
        context |= {"alerts": mine, "alert_form": AlertForm(prefix="alert")}
        # The frame shows those too: they are read once.
        context["fired_alerts"] = [alert for alert in mine if alert.fired_at]
    wallet = acting_wallet_or_none(request) if request.user.is_authenticated else None
    if wallet is not None and may_write(request.user):  # it is one of theirs
        context |= _mine(request, found, wallet)
    return context


def _mine(request: HttpRequest, found: Instrument, wallet: Wallet) -> dict[str, object]:
    accounts = wallet_accounts(wallet, found)
    return {
        "instrument": found,
        "asset": found.asset,
        "wallet": wallet,
        **accounts,
        **orders_of(wallet, found),
        **traded(accounts["tokens"], found),
    }


def _start(request: HttpRequest, found: Instrument) -> dict[str, object]:
    side = SELL if request.GET.get("side") == SELL else BUY
    price = found.last_price
    return {"side": side, "kind": Order.Kind.LIMIT} | (
        {"limit_price": f"{price // 100}.{price % 100:02d}"} if price else {}
    )


def _ticket_again(
    request: HttpRequest, found: Instrument, form: TicketForm, more: dict[str, object] | None = None
) -> HttpResponse:
    if request.headers.get("HX-Request"):
        context = _mine(request, found, acting_wallet(request)) | {"form": form} | (more or {})
        return render(request, "trading/_ticket.html", context, status=422)
    return render(request, "trading/instrument.html", _page(request, found, form) | (more or {}), status=422)


def _placed(request: HttpRequest, found: Instrument, wallet: Wallet, placed: PlacedOrder) -> HttpResponse:
    outcome = outcome_of(placed)
    if not request.headers.get("HX-Request"):
        messages.success(request, _linked(outcome))
        return redirect("instrument", code=found.code)
    kept = {"side", "kind", "limit_price"}
    fresh = TicketForm(initial={name: value for name, value in request.POST.items() if name in kept and value})
    context = _mine(request, found, wallet) | {"form": fresh, "outcome": outcome}
    response = render(request, "trading/_ticket.html", context)
    response["HX-Trigger"] = "orders-changed"
    return response
