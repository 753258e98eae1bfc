"""What every page's frame shows: the main pages, who I am and for which wallet I act."""

from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.functional import SimpleLazyObject
from django.utils.translation import gettext_lazy as _

from portal.people.access import acting_wallet_or_none, may_use_admin, wallet_choices

MAIN = [
    ("market", _("Market")),
    ("wallet", _("Wallet")),
    ("redeem", _("Redeem")),
    ("institutes", _("Institutes")),
    ("explorer", _("Explorer")),
]


def acting(request: HttpRequest) -> dict[str, object]:
    """Lazy: pages without the frame, such as fragments, ask nothing."""
    if not hasattr(request, "user"):
        return {"nav": [], "wallet_choices": []}
    return {
        "nav": SimpleLazyObject(lambda: main_pages(request.path)),
        "wallet_choices": SimpleLazyObject(lambda: wallet_choices(request)),
        "acting_wallet": SimpleLazyObject(lambda: acting_wallet_or_none(request)),
        "may_use_admin": SimpleLazyObject(lambda: may_use_admin(request.user)),
    }


def main_pages(path: str) -> list[dict[str, object]]:
    pages = []
    for name, label in MAIN:
        try:
            url = reverse(name)
        except NoReverseMatch:
            continue
        pages.append({"url": url, "label": label, "current": path.startswith(url)})
    return pages
