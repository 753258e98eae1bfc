"""The order ticket. People type credits a GPU-hour and GPU-hours; the market counts ticks and lots."""

from decimal import Decimal
from typing import Any
from uuid import uuid4

from django import forms
from django.utils.translation import gettext_lazy as _

from market.models import HIGHEST_PRICE, LARGEST_QUANTITY, LOTS_PER_GPU_HOUR, TICKS_PER_CREDIT, Order

CENT = Decimal("0.01")


class Figure(forms.NumberInput):
    """Figures are typed with two decimals; phones show their keys for them."""

    def __init__(self, unit: str) -> None:
        super().__init__(attrs={"step": "0.01", "min": "0.01", "inputmode": "decimal", "data-unit": unit})


class TicketForm(forms.Form):
    """One order, as typed."""

    side = forms.ChoiceField(label=_("Side"), choices=Order.Side.choices, widget=forms.RadioSelect, initial="BUY")
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
    time_in_force = forms.ChoiceField(
        label=_("Time in force"),
        choices=[
            (Order.TimeInForce.GTC, _("Until cancelled (GTC)")),
            (Order.TimeInForce.IOC, _("Now or never (IOC)")),
        ],
        initial=Order.TimeInForce.GTC,
    )
    # Sending the same ticket twice places one order.
    client_order_id = forms.CharField(max_length=80, widget=forms.HiddenInput, initial=lambda: f"web-{uuid4().hex}")

    def clean_client_order_id(self) -> str:
        given: str = self.cleaned_data["client_order_id"]
        if not given.isprintable():
            raise forms.ValidationError(_("Reload the page and try again."))
        return given

    def order(self) -> dict[str, Any]:
        """What was typed, in ticks and lots: exact, or the form would not be valid."""
        return {
            "side": self.cleaned_data["side"],
            "limit_price": int(self.cleaned_data["limit_price"] * TICKS_PER_CREDIT),
            "quantity": int(self.cleaned_data["quantity"] * LOTS_PER_GPU_HOUR),
            "time_in_force": self.cleaned_data["time_in_force"],
        }
