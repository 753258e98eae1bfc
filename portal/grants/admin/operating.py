"""What operators do to instruments: halt and resume one or all, set a mode, fees and bands. Each with a reason, and
each leaves one row that says who, when and why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.forms import Form
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action

from ledger.errors import Refusal
from market.instruments import halt_all, halt_instrument, resume_all, resume_instrument, set_mode
from market.models import Instrument, InstrumentChange
from market.offerings.models import Offering
from market.offerings.offering import offer_series
from market.rules import RULES, change_rules
from portal.grants.forms import ReasonForm
from portal.grants.operating_forms import ModeForm, OfferForm, RulesForm
from portal.people.access import Person, may_govern, may_halt, may_operate_market
from portal.people.admin_base import ScopedAdmin
from portal.people.forms import posted
from portal.people.templatetags import units


class OperatingAdmin(ScopedAdmin):
    """The actions of an instrument's page and of the list."""

    actions_detail = ("halt", "resume", "set_mode", "set_rules")
    actions_list = ("offer", "halt_all", "resume_all")

    def has_halt_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return may_halt(request.user)

    def has_operate_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return may_operate_market(request.user)

    @action(description=_("Halt"), url_path="halt", permissions=["halt"], icon="pause_circle")
    def halt(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Refuse new orders, with a reason."""
        instrument: Instrument = self.one_or_404(request, object_id)
        return self.asked(
            request, instrument, ReasonForm(posted(request)), title=gettext("Halt %(code)s"), button=gettext("Halt"),
            explain=gettext(
                "New orders are refused until it is resumed. Orders in the book stay and can be cancelled."
            ),
            told=gettext("%(code)s is halted."),
            act=lambda form: halt_instrument(
                instrument_id=instrument.id, reason=form.cleaned_data["reason"], by_id=request.user.pk,
                now=timezone.now(),
            ),
        )  # fmt: skip

    @action(description=_("Resume"), url_path="resume", permissions=["halt"], icon="play_circle")
    def resume(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """By an auction, as long as the instrument's rules say."""
        instrument: Instrument = self.one_or_404(request, object_id)
        return self.asked(
            request, instrument, ReasonForm(posted(request)), title=gettext("Resume %(code)s"),
            button=gettext("Resume"),
            explain=gettext("It was halted because: %(why)s. An auction collects orders first, then it trades again.")
            % {"why": instrument.halted_reason or "–"},
            told=gettext("%(code)s takes orders again: an auction has begun."),
            act=lambda form: resume_instrument(
                instrument_id=instrument.id, reason=form.cleaned_data["reason"], by_id=request.user.pk,
                now=timezone.now(),
            ),
        )  # fmt: skip

    @action(description=_("Set mode"), url_path="mode", permissions=["operate"], icon="tune")
    def set_mode(self, request: HttpRequest, object_id: str) -> HttpResponse:
        instrument: Instrument = self.one_or_404(request, object_id)
        form = ModeForm(posted(request), initial={"phase": instrument.phase})
        return self.asked(
            request, instrument, form, title=gettext("What %(code)s takes"), button=gettext("Set"),
            explain=gettext("Cancelling works in every mode."), told=gettext("%(code)s has another mode now."),
            act=lambda form: set_mode(
                instrument_id=instrument.id, phase=form.cleaned_data["phase"], reason=form.cleaned_data["reason"],
                by_id=request.user.pk, now=timezone.now(),
            ),
        )  # fmt: skip

    @action(description=_("Set fees, bands and times"), url_path="rules", permissions=["operate"], icon="percent")
    def set_rules(self, request: HttpRequest, object_id: str) -> HttpResponse:
        instrument: Instrument = self.one_or_404(request, object_id)
        form = RulesForm(posted(request), initial={name: getattr(instrument, name) for name in RULES})
        return self.asked(
            request, instrument, form, title=gettext("Fees, bands and auction times of %(code)s"),
            button=gettext("Set"),
            explain=gettext("Orders keep the fees they were accepted under; bands count from now on."),
            told=gettext("The rules of %(code)s are set."),
            act=lambda form: change_rules(
                instrument_id=instrument.id, changes={name: form.cleaned_data[name] for name in RULES},
                reason=form.cleaned_data["reason"], by_id=request.user.pk, now=timezone.now(),
            ),
        )  # fmt: skip

    @action(description=_("Halt everything"), url_path="halt-all", permissions=["operate"], icon="front_hand")
    def halt_all(self, request: HttpRequest) -> HttpResponse:
        return self.asked(
            request, None, ReasonForm(posted(request)), title=gettext("Halt everything"),
            button=gettext("Halt everything"),
            explain=gettext("New orders are refused in every series, all at the same moment, until it is resumed."),
            told=gettext("Trading is halted."),
            act=lambda form: halt_all(
                reason=form.cleaned_data["reason"], by_id=request.user.pk, now=timezone.now()
            ),
        )  # fmt: skip

    @action(description=_("Resume everything"), url_path="resume-all", permissions=["operate"], icon="play_circle")
    def resume_all(self, request: HttpRequest) -> HttpResponse:
        return self.asked(
            request, None, ReasonForm(posted(request)), title=gettext("Resume everything"),
            button=gettext("Resume everything"),
            explain=gettext("An auction begins in every series that is halted, whoever halted it."),
            told=gettext("Auctions have begun."),
            act=lambda form: resume_all(
                reason=form.cleaned_data["reason"], by_id=request.user.pk, now=timezone.now()
            ),
        )  # fmt: skip

    def has_offer_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return may_govern(request.user)

    @action(description=_("Offer a series"), url_path="offer", permissions=["offer"], icon="campaign")
    def offer(self, request: HttpRequest) -> HttpResponse:
        """A department offers what its wallet has, in an auction."""
        form = OfferForm(posted(request), user=request.user)
        return self.asked(
            request, None, form, title=gettext("Offer a series"), button=gettext("Begin the auction"),
            explain=gettext(
                "What is offered is held in the department's wallet and sold at one price. Below the reserve price"
                " nothing is sold."
            ),
            told=gettext("The auction has begun."),
            act=lambda form: offer_series(**form.terms(), by_id=request.user.pk, now=timezone.now()),  # type: ignore[attr-defined]
        )  # fmt: skip

    def asked(
        self, request: HttpRequest, instrument: Instrument | None, form: Form, *, title: str, explain: str, button: str,
        told: str, act: Callable[[Form], object],
    ) -> HttpResponse:  # fmt: skip
        """Ask with the form, or do it and go back to where it was asked."""
        named = {"code": instrument.code if instrument else ""}
        back = reverse("admin:market_instrument_changelist")
        if instrument is not None:
            back = reverse("admin:market_instrument_change", args=[instrument.pk])
        if request.method == "POST" and form.is_valid():
            try:
                act(form)
            except Refusal as refusal:
                form.add_error(refusal.field if refusal.field in form.fields else None, refusal.message)
            else:
                if instrument is not None:
                    self.log_change(request, instrument, f"{title % named}: {form.cleaned_data['reason']}")
                messages.success(request, told % named)
                return redirect(back)
        return self.page(
            request, "admin/reason.html", status=422 if form.errors else 200, title=title % named, explain=explain,
            form=form, button=button, back=back,
        )  # fmt: skip


@admin.register(InstrumentChange)
class InstrumentChangeAdmin(ScopedAdmin):
    """Who halted, resumed or changed what, and why; of all series where none is named."""

    list_display = ("changed_at", "instrument", "cause", "phase", "reason", "changed_by")
    list_filter = ("cause",)
    ordering = ("-id",)
    fields = ("instrument", "cause", "phase", "reason", "content", "changed_by", "changed_at")
    exported = ("instrument__code", "cause", "phase", "reason", "changed_at")

    def visible(self, user: Person) -> QuerySet[InstrumentChange]:
        return InstrumentChange.objects.select_related("instrument", "changed_by")


@admin.register(Offering)
class OfferingAdmin(ScopedAdmin):
    """What was offered, by whom, and what it came to."""

    list_display = (
        "offered_at", "instrument", "wallet", "status", "quantity_shown", "reserve_shown", "price_shown", "sold_shown",
        "page_shown",
    )  # fmt: skip
    list_filter = ("status",)
    ordering = ("-id",)
    fields = (
        "instrument", "wallet", "status", "quantity_shown", "reserve_shown", "set_aside_percent", "small_shown",
        "price_shown", "sold_shown", "reason", "offered_by", "offered_at", "done_at", "page_shown",
    )  # fmt: skip
    readonly_fields = ("quantity_shown", "reserve_shown", "small_shown", "price_shown", "sold_shown", "page_shown")
    exported = ("public_id", "instrument__code", "status", "quantity", "reserve_price", "price", "sold_quantity")

    def visible(self, user: Person) -> QuerySet[Offering]:
        return Offering.objects.select_related("instrument", "wallet", "offered_by")

    @admin.display(description=_("quantity"), ordering="quantity")
    def quantity_shown(self, offering: Offering) -> str:
        return units.lots(offering.quantity)

    @admin.display(description=_("reserve price"), ordering="reserve_price")
    def reserve_shown(self, offering: Offering) -> str:
        return units.price(offering.reserve_price)

    @admin.display(description=_("small: less than"))
    def small_shown(self, offering: Offering) -> str:
        return units.lots(offering.small_below)

    @admin.display(description=_("price"), ordering="price")
    def price_shown(self, offering: Offering) -> str:
        return units.price(offering.price) or "–"

    @admin.display(description=_("sold"), ordering="sold_quantity")
    def sold_shown(self, offering: Offering) -> str:
        return units.lots(offering.sold_quantity)

    @admin.display(description=_("page"))
    def page_shown(self, offering: Offering) -> str:
        """What everybody sees of it."""
        return format_html('<a href="{}">{}</a>', reverse("offering", args=[offering.public_id]), gettext("Open"))
