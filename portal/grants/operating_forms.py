"""What an operator sets of an instrument, drawn with Unfold's widgets."""

from __future__ import annotations

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminIntegerFieldWidget, UnfoldAdminSelectWidget

from market.instruments import MODES
from market.models import HIGHEST_FEE, HIGHEST_PRICE
from market.rules import LONGEST_SECONDS
from portal.grants.forms import ReasonForm


def _whole(
    label: object, least: int, most: int, *, required: bool = True, help_text: object = ""
) -> forms.IntegerField:
    return forms.IntegerField(
        label=label, min_value=least, max_value=most, required=required, help_text=help_text,
        widget=UnfoldAdminIntegerFieldWidget(),
    )  # type: ignore[call-overload]  # fmt: skip


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
