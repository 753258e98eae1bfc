"""Figures of the public price pages, each with its unit and no more digits than mean something."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal
from fractions import Fraction

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString

from ledger.models import SECONDS_PER_GPU_HOUR
from market.prices.models import Concentration
from portal.people.templatetags.units import CENT, MINUS

register = template.Library()


@register.filter
def units_per(value: int | None, unit: str) -> str:
    """1/10,000 credit as credits per something: `{{ price|units_per:"GPU-h" }}`; without a unit it is the column's."""
    if value is None:
        return format_html('<span class="faint">{}</span>', "–")
    # A price is told to the nearest hundredth; amounts, which are somebody's, are never rounded up.
    exact = Decimal(value) / 10_000
    shown, title = f"{exact.quantize(CENT, rounding=ROUND_HALF_UP):,.2f}", f"{exact:,.4f} cr"
    if not unit:
        return format_html('<span class="num" title="{}">{}</span>', title, shown)
    return format_html(
        '<span class="num" title="{0}/{2}">{1} <span class="unit">cr/{2}</span></span>', title, shown, unit
    )


@register.filter
def share(hundredths: int) -> SafeString:
    """Hundredths of a percent as a percentage."""
    return format_html('<span class="num">{} <span class="unit">%</span></span>', f"{hundredths / 100:.1f}")


@register.filter
def ratio(value: Fraction | None) -> SafeString:
    """A pure number with two decimals, the rest in its title."""
    if value is None:
        return format_html('<span class="faint">{}</span>', "–")
    return format_html('<span class="num" title="{}">{}</span>', f"{float(value):.6f}", f"{float(value):.2f}")


@register.filter
def beyond(value: Fraction | None) -> SafeString:
    """A difference from a whole as a percentage with its sign."""
    if value is None:
        return format_html('<span class="faint">{}</span>', "–")
    percent = round(float(value) * 100, 1)
    sign = MINUS if percent < 0 else "+" if percent > 0 else ""
    return format_html('<span class="num">{}{} <span class="unit">%</span></span>', sign, f"{abs(percent):.1f}")


@register.filter
def hundredths_of_one(value: int) -> SafeString:
    """A number from 0 to 1 that is kept in ten-thousandths."""
    return format_html('<span class="num">{}</span>', f"{value / 10_000:.2f}")


@register.filter
def idle_share(row: Concentration) -> SafeString:
    """The idle part of a series as a percentage, the amount in its title."""
    percent = 100 * row.idle / row.held if row.held else 0
    title = f"{row.idle / SECONDS_PER_GPU_HOUR:,.2f} GPU-h"
    return format_html('<span class="num" title="{}">{} <span class="unit">%</span></span>', title, f"{percent:.1f}")
