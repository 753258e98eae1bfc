"""Small parts of a page: icons and the tone of a status."""

from __future__ import annotations

from django import template
from django.templatetags.static import static
from django.utils.html import format_html
from django.utils.safestring import SafeString

register = template.Library()


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """A Lucide icon from our sprite: silent to screen readers unless it carries a label."""
    href = f"{static('vendor/lucide/sprite.svg')}#{name}"
    if label:
        return format_html('<svg class="icon" role="img" aria-label="{}"><use href="{}"></use></svg>', label, href)
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}"></use></svg>', href)


TONES = {
    "good": {"RUNNING", "SETTLED", "ENDED", "FILLED", "OPEN", "CAPTURED", "OK", "CONTINUOUS", "USABLE"},
    "attention": {"PENDING", "SUBMITTING", "QUEUED", "PARKED", "HALTED", "PARTLY", "SOON", "WARN", "AUCTION"},
    "fault": {"FAILED", "REFUSED", "FROZEN", "FAULT", "DOWN"},
}


@register.filter
def tone(status: str) -> str:
    """Which of the four tones a status has: good, attention, fault, or none for neutral."""
    return next((name for name, words in TONES.items() if str(status) in words), "")
