"""Instruments, which may be halted and resumed, and their orders and trades, which are read."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display

from ledger.errors import Refusal
from market.instruments import halt_instrument, resume_instrument
from market.models import Instrument, Order, Trade
from portal.grants.forms import ReasonForm
from portal.people.access import Person, may_halt, reads_everything, wallets_governed
from portal.people.admin_base import ScopedAdmin, ScopedFilter
from portal.people.forms import posted
from portal.people.templatetags import units

PHASE = {"CONTINUOUS": "success", "HALTED": "warning", "CLOSED": "info"}


@admin.register(Instrument)
class InstrumentAdmin(ScopedAdmin):
    list_display = ("code", "phase_shown", "last_price_shown", "halted_reason", "opened_at")
    list_filter = ("phase",)
    search_fields = ("code",)
    ordering = ("code",)
    fields = ("code", "asset", "phase", "halted_reason", "last_price_shown", "last_trade", "opened_at")
    readonly_fields = ("last_price_shown",)
    actions_detail = ("halt", "resume")
    exported = ("code", "phase", "halted_reason", "last_price", "opened_at")

    def visible(self, user: Person) -> QuerySet[Instrument]:
        return Instrument.objects.select_related("asset")

    @display(description=_("phase"), label=PHASE, ordering="phase")
    def phase_shown(self, instrument: Instrument) -> tuple[str, str]:
        return instrument.phase, instrument.get_phase_display()

    @admin.display(description=_("last price"), ordering="last_price")
    def last_price_shown(self, instrument: Instrument) -> str:
        return units.price(instrument.last_price) or "–"

    def has_halt_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return may_halt(request.user)

    @action(description=_("Halt"), url_path="halt", permissions=["halt"], icon="pause_circle")
    def halt(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Refuse new orders, with a reason."""
        instrument: Instrument = self.one_or_404(request, object_id)
        form = ReasonForm(posted(request))
        if request.method == "POST" and form.is_valid():
            reason = form.cleaned_data["reason"]
            return self.done(request, instrument, f"Halted: {reason}", gettext("%(code)s is halted."), reason=reason)
        return self.page(
            request,
            "admin/reason.html",
            status=422 if form.errors else 200,
            title=gettext("Halt %(code)s") % {"code": instrument.code},
            explain=gettext(
                "New orders are refused until it is resumed. Orders in the book stay and can be cancelled."
            ),
            form=form,
            button=gettext("Halt"),
            back=reverse("admin:market_instrument_change", args=[instrument.id]),
        )

    @action(description=_("Resume"), url_path="resume", permissions=["halt"], icon="play_circle")
    def resume(self, request: HttpRequest, object_id: str) -> HttpResponse:
        instrument: Instrument = self.one_or_404(request, object_id)
        if request.method == "POST":
            return self.done(request, instrument, "Resumed", gettext("%(code)s takes orders again."), reason=None)
        return self.page(
            request,
            "admin/reason.html",
            title=gettext("Resume %(code)s") % {"code": instrument.code},
            explain=gettext("It was halted because: %(why)s") % {"why": instrument.halted_reason or "–"},
            button=gettext("Resume"),
            back=reverse("admin:market_instrument_change", args=[instrument.id]),
        )

    def done(
        self, request: HttpRequest, instrument: Instrument, said: str, told: str, *, reason: str | None
    ) -> HttpResponse:
        now = timezone.now()
        try:
            if reason is None:
                resume_instrument(instrument_id=instrument.id, now=now)
            else:
                halt_instrument(instrument_id=instrument.id, reason=reason, now=now)
        except Refusal as refusal:
            messages.error(request, refusal.message)
        else:
            self.log_change(request, instrument, said)
            messages.success(request, told % {"code": instrument.code})
        return redirect("admin:market_instrument_change", instrument.id)


@admin.register(Order)
class OrderAdmin(ScopedAdmin):
    list_display = ("id", "instrument", "wallet", "side", "price_shown", "quantity_shown", "status", "placed_at")
    list_filter = (("instrument", ScopedFilter), "side", "status")
    search_fields = ("=id", "client_order_id")
    ordering = ("-id",)
    show_full_result_count = False
    fields = (
        "instrument", "wallet", "side", "price_shown", "quantity_shown", "filled_shown", "time_in_force", "status",
        "reason", "client_order_id", "placed_at", "done_at",
    )  # fmt: skip
    readonly_fields = ("price_shown", "quantity_shown", "filled_shown")
    exported = ("id", "instrument__code", "wallet__public_id", "side", "limit_price", "quantity", "filled_quantity",
                "status", "placed_at", "client_order_id")  # fmt: skip

    def visible(self, user: Person) -> QuerySet[Order]:
        found = Order.objects.select_related("instrument", "wallet")
        return found if reads_everything(user) else found.filter(wallet__in=wallets_governed(user).values("id"))

    @admin.display(description=_("limit price"), ordering="limit_price")
    def price_shown(self, order: Order) -> str:
        return units.price(order.limit_price)

    @admin.display(description=_("quantity"), ordering="quantity")
    def quantity_shown(self, order: Order) -> str:
        return units.lots(order.quantity)

    @admin.display(description=_("filled"), ordering="filled_quantity")
    def filled_shown(self, order: Order) -> str:
        return units.lots(order.filled_quantity)


@admin.register(Trade)
class TradeAdmin(ScopedAdmin):
    list_display = ("number", "instrument", "price_shown", "quantity_shown", "taker_side", "traded_at")
    list_filter = (("instrument", ScopedFilter),)
    ordering = ("-traded_at", "-transfer")
    show_full_result_count = False
    fields = ("instrument", "number", "price_shown", "quantity_shown", "taker_side", "traded_at", "transfer")
    readonly_fields = ("price_shown", "quantity_shown")
    exported = ("instrument__code", "number", "price", "quantity", "taker_side", "traded_at")

    def visible(self, user: Person) -> QuerySet[Trade]:
        found = Trade.objects.select_related("instrument")
        if reads_everything(user):
            return found
        wallets = wallets_governed(user).values("id")
        return found.filter(Q(maker__wallet__in=wallets) | Q(taker__wallet__in=wallets))

    @admin.display(description=_("price"), ordering="price")
    def price_shown(self, trade: Trade) -> str:
        return units.price(trade.price)

    @admin.display(description=_("quantity"), ordering="quantity")
    def quantity_shown(self, trade: Trade) -> str:
        return units.lots(trade.quantity)
