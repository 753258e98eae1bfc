"""Trades that look as if they were made for the tape: operators and auditors see them, an operator decides."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display

from ledger.errors import Refusal
from ledger.models import Wallet
from market.models import Trade
from market.prices.flags import decide_flag, why
from market.prices.models import TradeFlag
from portal.grants.forms import ReasonForm
from portal.people.access import Person, may_judge_trades, reads_everything
from portal.people.admin_base import ScopedAdmin, ScopedFilter
from portal.people.forms import posted
from portal.people.templatetags import units

STATUS = {"OPEN": "warning", "CONFIRMED": "danger", "CLEARED": "success"}


@admin.register(TradeFlag)
class TradeFlagAdmin(ScopedAdmin):
    list_display = ("instrument", "number", "kind", "why_shown", "status_shown", "found_at")
    list_filter = ("status", "kind", ("instrument", ScopedFilter))
    ordering = ("-id",)
    fields = (
        "instrument", "number", "price_shown", "quantity_shown", "seller", "buyer", "kind", "why_shown", "method",
        "found_at", "status", "decided_by", "decided_at", "reason",
    )  # fmt: skip
    readonly_fields = ("price_shown", "quantity_shown", "seller", "buyer", "why_shown")
    actions_detail = ("confirm", "clear")
    exported = ("id", "instrument__code", "number", "kind", "closing_trade", "facts", "method", "found_at", "status",
                "decided_by__email", "decided_at", "reason")  # fmt: skip

    def visible(self, user: Person) -> QuerySet[TradeFlag]:
        # They name who traded with whom: nobody of one department reads that about another's people.
        found = TradeFlag.objects.select_related(
            "instrument", "decided_by", "trade__maker__wallet", "trade__taker__wallet"
        )
        return found if reads_everything(user) else found.none()

    @display(description=_("status"), label=STATUS, ordering="status")
    def status_shown(self, flag: TradeFlag) -> tuple[str, str]:
        return flag.status, flag.get_status_display()

    @admin.display(description=_("why"))
    def why_shown(self, flag: TradeFlag) -> str:
        return why(flag)

    @admin.display(description=_("price"))
    def price_shown(self, flag: TradeFlag) -> str:
        return units.price(flag.trade.price)

    @admin.display(description=_("quantity"))
    def quantity_shown(self, flag: TradeFlag) -> str:
        return units.lots(flag.trade.quantity)

    @admin.display(description=_("seller"))
    def seller(self, flag: TradeFlag) -> str:
        return str(_sides(flag.trade)[0])

    @admin.display(description=_("buyer"))
    def buyer(self, flag: TradeFlag) -> str:
        return str(_sides(flag.trade)[1])

    def has_judge_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return may_judge_trades(request.user)

    @action(description=_("Confirm"), url_path="confirm", permissions=["judge"], icon="gavel")
    def confirm(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """It was made for the tape: it stays out of prices."""
        explain = gettext("It stays out of prices for good, with all that was found with it.")
        return self.decide(request, object_id, gettext("Confirm"), explain, confirm=True)

    @action(description=_("Clear"), url_path="clear", permissions=["judge"], icon="check_circle")
    def clear(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """It was trading: it counts in prices again."""
        explain = gettext("It counts in prices again, with all that was found with it.")
        return self.decide(request, object_id, gettext("Clear"), explain, confirm=False)

    def decide(self, request: HttpRequest, object_id: str, word: str, explain: str, *, confirm: bool) -> HttpResponse:
        flag: TradeFlag = self.one_or_404(request, object_id)
        form = ReasonForm(posted(request))
        form.fields["reason"].help_text = _("Kept with the flag, with your name and the time.")
        back = reverse("admin:market_tradeflag_change", args=[flag.id])
        if request.method == "POST" and form.is_valid():
            self.decided(request, flag, confirm=confirm, reason=form.cleaned_data["reason"])
            return redirect(back)
        return self.page(
            request,
            "admin/reason.html",
            status=422 if form.errors else 200,
            title=f"{word}: {why(flag)}",
            explain=explain,
            form=form,
            button=word,
            back=back,
        )

    def decided(self, request: HttpRequest, flag: TradeFlag, *, confirm: bool, reason: str) -> None:
        assert request.user.pk is not None
        try:
            done = decide_flag(flag_id=flag.id, confirm=confirm, reason=reason, user_id=request.user.pk)
        except Refusal as refusal:
            messages.error(request, refusal.message)
            return
        for each in done:
            self.log_change(request, each, f"{each.status.capitalize()}: {reason}")
        messages.success(request, gettext("It is %(status)s.") % {"status": done[0].get_status_display()})


def _sides(trade: Trade) -> tuple[Wallet, Wallet]:
    """Seller and buyer."""
    maker, taker = trade.maker.wallet, trade.taker.wallet
    return (taker, maker) if trade.taker_side == "SELL" else (maker, taker)
