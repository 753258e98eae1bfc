"""Instruments, which operators run, and their orders and trades, which are read."""

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
from market.models import Instrument, Order, Trade
from market.orders import cancel_order
from portal.grants.admin.operating import OperatingAdmin
from portal.grants.forms import ReasonForm
from portal.people.access import Person, may_operate_market, reads_everything, wallets_governed
from portal.people.admin_base import ScopedAdmin, ScopedFilter
from portal.people.forms import posted
from portal.people.templatetags import units

PHASE = {
    "CONTINUOUS": "success", "AUCTION": "info", "POST_ONLY": "info", "CANCEL_ONLY": "warning", "HALTED": "warning",
    "CLOSED": "info",
}  # fmt: skip


@admin.register(Instrument)
class InstrumentAdmin(OperatingAdmin):
    list_display = ("code", "phase_shown", "last_price_shown", "halted_reason", "opened_at")
    list_filter = ("phase",)
    search_fields = ("code",)
    ordering = ("code",)
    fields = (
        "code", "asset", "phase", "halted_reason", "last_price_shown", "last_trade", "maker_fee_bp", "taker_fee_bp",
        "static_band_bp", "dynamic_band_bp", "reference_shown", "collect_seconds", "no_cancel_seconds", "no_cancel_at",
        "uncross_at", "opened_at",
    )  # fmt: skip
    readonly_fields = ("last_price_shown", "reference_shown")
    exported = ("code", "phase", "halted_reason", "last_price", "opened_at")

    def visible(self, user: Person) -> QuerySet[Instrument]:
        return Instrument.objects.select_related("asset")

    @display(description=_("phase"), label=PHASE, ordering="phase")
    def phase_shown(self, instrument: Instrument) -> tuple[str, str]:
        return instrument.phase, instrument.get_phase_display()

    @admin.display(description=_("last price"), ordering="last_price")
    def last_price_shown(self, instrument: Instrument) -> str:
        return units.price(instrument.last_price) or "–"

    @admin.display(description=_("reference price"))
    def reference_shown(self, instrument: Instrument) -> str:
        return units.price(instrument.reference_price) or "–"


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
    actions_detail = ("cancel",)
    exported = ("id", "instrument__code", "wallet__public_id", "side", "limit_price", "quantity", "filled_quantity",
                "status", "placed_at", "client_order_id")  # fmt: skip

    def visible(self, user: Person) -> QuerySet[Order]:
        found = Order.objects.select_related("instrument", "wallet")
        return found if reads_everything(user) else found.filter(wallet__in=wallets_governed(user).values("id"))

    def has_operate_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return may_operate_market(request.user)

    @action(description=_("Cancel"), url_path="cancel", permissions=["operate"], icon="block")
    def cancel(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Take it out of the book, also where its owner cannot: in the last part of an auction."""
        order: Order = self.one_or_404(request, object_id)
        form, back = ReasonForm(posted(request)), reverse("admin:market_order_change", args=[order.pk])
        if request.method == "POST" and form.is_valid():
            try:
                cancel_order(order_id=order.pk, now=timezone.now(), by_operator=True)
            except Refusal as refusal:
                form.add_error(None, refusal.message)
            else:
                self.log_change(request, order, f"Cancelled: {form.cleaned_data['reason']}")
                messages.success(request, gettext("The order is cancelled."))
                return redirect(back)
        return self.page(
            request, "admin/reason.html", status=422 if form.errors else 200, title=gettext("Cancel an order"),
            explain=gettext("What is open of it is taken out of the book, and what it held is let go of."),
            form=form, button=gettext("Cancel the order"), back=back,
        )  # fmt: skip

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
