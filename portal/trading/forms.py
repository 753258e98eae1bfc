"""The order ticket. People type credits a GPU-hour and GPU-hours; the market counts ticks and lots."""

from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from market.models import HIGHEST_PRICE, LARGEST_QUANTITY, LOTS_PER_GPU_HOUR, TICKS_PER_CREDIT, Order

CENT = Decimal("0.01")


class Figure(forms.NumberInput):
    """Figures are typed with two decimals; phones show their keys for them."""

    def __init__(self, unit: str) -> None:
        super().__init__(attrs={"step": "0.01", "min": "0.01", "inputmode": "decimal", "data-unit": unit})


class TicketForm(forms.Form):
    """One order, as typed."""

    # A market order leaves the hidden limit empty.
    use_required_attribute = False

    side = forms.ChoiceField(label=_("Side"), choices=Order.Side.choices, widget=forms.RadioSelect, initial="BUY")
    kind = forms.ChoiceField(
        label=_("Kind"),
        choices=[(Order.Kind.LIMIT, _("Limit")), (Order.Kind.MARKET, pgettext_lazy("kind of order", "Market"))],
        widget=forms.RadioSelect,
        initial=Order.Kind.LIMIT,
        required=False,
    )
    quantity = forms.DecimalField(
        label=_("Quantity (GPU-h)"),
        min_value=CENT,
        max_value=Decimal(LARGEST_QUANTITY) / LOTS_PER_GPU_HOUR,
        decimal_places=2,
        max_digits=12,
        widget=Figure("GPU-h"),
    )
    limit_price = forms.DecimalField(
        label=_("Limit price (cr/GPU-h)"),
        min_value=CENT,
        max_value=Decimal(HIGHEST_PRICE) / TICKS_PER_CREDIT,
        decimal_places=2,
        max_digits=12,
        widget=Figure("cr/GPU-h"),
    )
    # Of a market order: the protection limit that the preview has shown, in ticks.
    protection = forms.IntegerField(
        required=False, min_value=1, max_value=HIGHEST_PRICE, widget=forms.HiddenInput(attrs={"id": None})
    )
    time_in_force = forms.ChoiceField(
        label=_("Time in force"),
        choices=[
            (Order.TimeInForce.GTC, _("Until cancelled (GTC)")),
            (Order.TimeInForce.GTD, _("Until a day (GTD)")),
            (Order.TimeInForce.IOC, _("Now or never (IOC)")),
            (Order.TimeInForce.FOK, _("All now or nothing (FOK)")),
        ],
        initial=Order.TimeInForce.GTC,
    )
    last_day = forms.DateField(
        label=_("Last day (UTC)"),
        required=False,
        widget=forms.DateInput(attrs={"type": "date"}),
        help_text=_("For an order until a day."),
    )
    post_only = forms.BooleanField(
        label=_("Only add to the book"), required=False, help_text=_("Rejected where it would trade at once.")
    )
    self_trade = forms.ChoiceField(
        label=_("If it meets an order of your own"),
        required=False,
        choices=[
            (Order.SelfTrade.CANCEL_NEWEST, _("cancel this one")),
            (Order.SelfTrade.CANCEL_OLDEST, _("cancel the older one")),
            (Order.SelfTrade.CANCEL_BOTH, _("cancel both")),
            (Order.SelfTrade.DECREMENT, _("take both down by the smaller one")),
        ],
    )
    # Sending the same ticket twice places one order.
    client_order_id = forms.CharField(max_length=80, widget=forms.HiddenInput, initial=lambda: f"web-{uuid4().hex}")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["limit_price"].required = self.data.get("kind") != Order.Kind.MARKET

    def clean_client_order_id(self) -> str:
        given: str = self.cleaned_data["client_order_id"]
        if not given.isprintable():
            raise forms.ValidationError(_("Reload the page and try again."))
        return given

    def clean_kind(self) -> str:
        kind: str = self.cleaned_data["kind"] or Order.Kind.LIMIT
        return kind

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        if self.at_market:
            return data
        if data.get("time_in_force") == Order.TimeInForce.GTD and not data.get("last_day"):
            self.add_error("last_day", _("Say until which day."))
        if data.get("post_only") and data.get("time_in_force") in {Order.TimeInForce.IOC, Order.TimeInForce.FOK}:
            self.add_error("post_only", _("An order that is now or never cannot wait in the book."))
        return data

    @property
    def at_market(self) -> bool:
        return bool(self.cleaned_data.get("kind") == Order.Kind.MARKET)

    def order(self, protection: int | None = None) -> dict[str, Any]:
        """What was typed, in ticks and lots: exact, or the form would not be valid. A market order never waits."""
        data = self.cleaned_data
        if self.at_market:
            assert protection is not None
            all_or_nothing = data["time_in_force"] == Order.TimeInForce.FOK
            return {
                "side": data["side"],
                "kind": Order.Kind.MARKET,
                "limit_price": protection,
                "quantity": lots(data["quantity"]),
                "time_in_force": Order.TimeInForce.FOK if all_or_nothing else Order.TimeInForce.IOC,
                "self_trade": data["self_trade"] or Order.SelfTrade.CANCEL_NEWEST,
            }
        until = None
        if data["time_in_force"] == Order.TimeInForce.GTD:
            until = datetime.combine(data["last_day"], time.min, tzinfo=UTC) + timedelta(days=1)
        return {
            "side": data["side"],
            "limit_price": ticks(data["limit_price"]),
            "quantity": lots(data["quantity"]),
            "time_in_force": data["time_in_force"],
            "post_only": data["post_only"],
            "self_trade": data["self_trade"] or Order.SelfTrade.CANCEL_NEWEST,
            "expires_at": until,
        }


class AmendForm(forms.Form):
    """New terms of an open order."""

    quantity = forms.DecimalField(min_value=Decimal(0), max_digits=12, decimal_places=2, widget=Figure("GPU-h"))
    limit_price = forms.DecimalField(min_value=CENT, max_digits=12, decimal_places=2, widget=Figure("cr/GPU-h"))

    def terms(self) -> dict[str, int]:
        return {
            "quantity": lots(self.cleaned_data["quantity"]),
            "limit_price": ticks(self.cleaned_data["limit_price"]),
        }


def ticks(price: Decimal) -> int:
    return int(price * TICKS_PER_CREDIT)


def lots(quantity: Decimal) -> int:
    return int(quantity * LOTS_PER_GPU_HOUR)
