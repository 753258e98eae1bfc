"""What an operator sets of an instrument, drawn with Unfold's widgets."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING, Any, TypeAlias

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from ledger.models import Wallet
from market.instruments import MODES
from market.models import HIGHEST_FEE, HIGHEST_PRICE, LOTS_PER_GPU_HOUR, TICKS_PER_CREDIT, Instrument
from market.rules import LONGEST_SECONDS
from portal.grants.forms import ReasonForm, WalletField, department_wallets
from portal.people.access import Person

if TYPE_CHECKING:
    from django.utils.functional import _StrPromise

# Said when it is shown, in the reader's language.
Said: TypeAlias = "str | _StrPromise"


def _whole(label: Said, least: int, most: int, *, required: bool = True, help_text: Said = "") -> forms.IntegerField:
    return forms.IntegerField(
        label=label, min_value=least, max_value=most, required=required, help_text=help_text,
        widget=UnfoldAdminIntegerFieldWidget(),
    )  # fmt: skip


class ModeForm(ReasonForm):
    phase = forms.ChoiceField(
        label=_("Mode"),
        choices=[(phase.value, phase.label) for phase in MODES],
        widget=UnfoldAdminSelectWidget(),
    )


class RulesForm(ReasonForm):
    """A hundred basis points are one percent."""

    maker_fee_bp = _whole(_("Maker fee (basis points)"), 0, HIGHEST_FEE)
    taker_fee_bp = _whole(
        _("Taker fee (basis points)"), 0, HIGHEST_FEE, help_text=_("At least the maker fee. A hundred are one percent.")
    )
    static_band_bp = _whole(
        _("Band around the reference price (basis points)"), 1, 9_999, required=False, help_text=_("Empty for none.")
    )
    dynamic_band_bp = _whole(
        _("Band around the last trade (basis points)"), 1, 9_999, required=False, help_text=_("Empty for none.")
    )
    reference_price = _whole(
        _("Reference price (0.01 cr/GPU-h)"), 1, HIGHEST_PRICE, required=False,
        help_text=_("Every auction sets it anew."),
    )  # fmt: skip
    collect_seconds = _whole(_("An auction collects for (seconds)"), 0, LONGEST_SECONDS)
    no_cancel_seconds = _whole(_("And then lets nobody cancel for (seconds)"), 0, LONGEST_SECONDS)


def _hundredths(label: Said, least: str, help_text: Said = "") -> forms.DecimalField:
    return forms.DecimalField(
        label=label, min_value=Decimal(least), max_digits=12, decimal_places=2, help_text=help_text,
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal"}),
    )  # fmt: skip


class OfferForm(ReasonForm):
    """Prices in credits and quantities in GPU-hours, as people say them."""

    instrument = forms.ModelChoiceField(
        label=_("Series"), queryset=Instrument.objects.none(), widget=UnfoldAdminSelectWidget(), empty_label=None
    )
    wallet = WalletField(
        label=_("Department"), queryset=Wallet.objects.none(), widget=UnfoldAdminSelectWidget(), empty_label=None
    )
    quantity = _hundredths(_("Quantity (GPU-h)"), "0.01")
    reserve_price = _hundredths(_("Reserve price (cr/GPU-h)"), "0.01", _("Below it nothing is sold."))
    set_aside_percent = _whole(_("Set aside for small holders (percent)"), 0, 100)
    small_below = _hundredths(_("Small: who has less than (GPU-h)"), "0", _("Of all series together."))
    collect_seconds = _whole(_("The auction collects for (seconds)"), 0, LONGEST_SECONDS)
    no_cancel_seconds = _whole(_("And then lets nobody cancel for (seconds)"), 0, LONGEST_SECONDS)

    def __init__(self, *args: Any, user: Person, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        closed = Instrument.Phase.CLOSED
        self.fields["instrument"].queryset = Instrument.objects.exclude(phase=closed).order_by("code")  # type: ignore[attr-defined]
        self.fields["wallet"].queryset = department_wallets(user)  # type: ignore[attr-defined]

    def terms(self) -> dict[str, Any]:
        """In lots and ticks: exact, or the form would not be valid."""
        data = self.cleaned_data
        return {
            "instrument_id": data["instrument"].id,
            "wallet_id": data["wallet"].id,
            "quantity": int(data["quantity"] * LOTS_PER_GPU_HOUR),
            "reserve_price": int(data["reserve_price"] * TICKS_PER_CREDIT),
            "set_aside_percent": data["set_aside_percent"],
            "small_below": int(data["small_below"] * LOTS_PER_GPU_HOUR),
            "collect_seconds": data["collect_seconds"],
            "no_cancel_seconds": data["no_cancel_seconds"],
            "reason": data["reason"],
        }
