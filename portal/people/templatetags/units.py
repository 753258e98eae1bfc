"""Every number is shown with its unit, and no more digits than mean something: the rest is in its title.

    {{ account.balance|gpu_hours }}   12.34 GPU-h        {{ account.balance|credits }}   1,234.50 cr
    {{ order.quantity|lots }}         12.34 GPU-h        {{ order.limit_price|price }}   2.35 cr/GPU-h

Arguments, joined by commas: `bare` leaves the unit to the column's head, `signed` writes + before a rise.
"""

from __future__ import annotations

from datetime import datetime
from decimal import ROUND_DOWN, Decimal
from typing import Any

from django import template
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext, ngettext

from ledger.models import SECONDS_PER_GPU_HOUR, UNITS_PER_CREDIT

register = template.Library()

CENT = Decimal("0.01")
SECONDS_PER_LOT = 36
TICKS_PER_CREDIT = 100
MINUS = "−"


def plain(value: Decimal, *, signed: bool = False) -> str:
    """Two decimals towards zero, so that nobody is shown more than there is."""
    shown = value.quantize(CENT, rounding=ROUND_DOWN)
    if shown == 0 and value != 0:
        return (MINUS if value < 0 else "") + "<0.01"
    sign = MINUS if shown < 0 else "+" if signed and shown > 0 else ""
    return f"{sign}{abs(shown):,.2f}"


def full(value: Decimal) -> str:
    text = f"{value:,.4f}"
    head, _, tail = text.partition(".")
    return f"{head}.{tail.rstrip('0').ljust(2, '0')}".replace("-", MINUS)


def figure(value: Decimal, unit: str, options: str, extra: str = "") -> SafeString:
    wanted = set(options.split(",")) if options else set()
    shown = plain(value, signed="signed" in wanted)
    title = f"{full(value)} {unit}{extra}"
    if "bare" in wanted:
        return format_html('<span class="num" title="{}">{}</span>', title, shown)
    return format_html('<span class="num" title="{}">{} <span class="unit">{}</span></span>', title, shown, unit)


@register.filter
def gpu_hours(gpu_seconds: int | None, options: str = "") -> str:
    """GPU-seconds as GPU-hours."""
    if gpu_seconds is None:
        return ""
    hours = Decimal(gpu_seconds) / SECONDS_PER_GPU_HOUR
    return figure(hours, "GPU-h", options, f" ({gpu_seconds:,} GPU-s)")


@register.filter
def lots(quantity: int | None, options: str = "") -> str:
    """Lots of 0.01 GPU-hour as GPU-hours."""
    return "" if quantity is None else gpu_hours(quantity * SECONDS_PER_LOT, options)


@register.filter
def hundredths(value: int) -> str:
    """Lots or ticks as a field takes them: two decimals, no grouping, whatever the language."""
    return f"{value // 100}.{value % 100:02d}"


@register.filter
def credits(units: int | None, options: str = "") -> str:
    """Ten-thousandths of a credit as credits."""
    return "" if units is None else figure(Decimal(units) / UNITS_PER_CREDIT, "cr", options)


@register.filter
def price(ticks: int | None, options: str = "") -> str:
    """Ticks of 0.01 credit as credits per GPU-hour."""
    return "" if ticks is None else figure(Decimal(ticks) / TICKS_PER_CREDIT, "cr/GPU-h", options)


@register.filter
def amount(value: int | None, asset: Any) -> str:
    """An amount in its own asset's unit."""
    return credits(value) if asset.kind == "CREDITS" else gpu_hours(value)


@register.filter
def signed_amount(value: int | None, asset: Any) -> str:
    return credits(value, "signed") if asset.kind == "CREDITS" else gpu_hours(value, "signed")


@register.filter
def pflop_hours(gpu_seconds: int | None, dense_bf16_tflops: int | None) -> str:
    """GPU-seconds of a class as PFLOP-hours of dense BF16."""
    if gpu_seconds is None or not dense_bf16_tflops:
        return ""
    value = Decimal(gpu_seconds) * dense_bf16_tflops / (SECONDS_PER_GPU_HOUR * 1000)
    return figure(value, "PFLOP-h", "")


@register.filter
def span(seconds: int | None) -> str:
    """A length of time in words, in its largest unit, or its two largest below a day."""
    if seconds is None:
        return ""
    seconds = max(int(seconds), 0)
    if seconds >= 48 * 3600:
        days = seconds // 86400
        return ngettext("%(n)d day", "%(n)d days", days) % {"n": days}
    if seconds >= 3600:
        return gettext("%(h)d h %(m)d min") % {"h": seconds // 3600, "m": seconds % 3600 // 60}
    if seconds >= 60:
        minutes = seconds // 60
        return gettext("%(m)d min") % {"m": minutes}
    return gettext("%(s)d s") % {"s": seconds}


@register.inclusion_tag("_time_left.html", takes_context=True)
def time_left(context: template.Context, asset: Any) -> dict[str, object]:
    """The motif: how much of a series' life is left as a thin bar, with the date in words."""
    now: datetime = context.get("now") or timezone.now()
    return life(asset.starts_at or asset.created_at, asset.expires_at, now)


def life(starts_at: datetime | None, expires_at: datetime | None, now: datetime) -> dict[str, object]:
    if expires_at is None or starts_at is None:
        return {"expires_at": None}
    whole = max((expires_at - starts_at).total_seconds(), 1)
    left = max((expires_at - now).total_seconds(), 0)
    # One unit is a thousandth of the bar; anything left shows at least a grain.
    width = min(1000, max(int(left * 1000 / whole), 8 if left else 0))
    tone = "over" if left == 0 else "soon" if left < 7 * 86400 else ""
    return {
        "expires_at": expires_at,
        "expires_on": date_format(timezone.localtime(expires_at), "DATE_FORMAT"),
        "width": width,
        "tone": tone,
        "left": span(int(left)),
    }
