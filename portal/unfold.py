"""How the admin looks: the site's ink and sand, and a list of its pages by what one comes to do."""

from typing import Any

from django.http import HttpRequest
from django.templatetags.static import static
from django.urls import reverse_lazy
from django.utils.translation import gettext_lazy as _


def _governs(request: HttpRequest) -> bool:
    from portal.people.access import may_govern

    return may_govern(request.user)


def _reads_everything(request: HttpRequest) -> bool:
    from portal.people.access import reads_everything

    return reads_everything(request.user)


def _uploads(request: HttpRequest) -> bool:
    return "/grantupload/" in request.path and not request.path.endswith(("/issue/", "/grant/"))


def _page(title: Any, icon: str, name: str, **more: Any) -> dict[str, Any]:
    return {"title": title, "icon": icon, "link": reverse_lazy(f"admin:{name}")} | more


UNFOLD: dict[str, Any] = {
    "SITE_TITLE": "Hourglass",
    "SITE_HEADER": "Hourglass",
    "SITE_SUBHEADER": _("Administration"),
    "SITE_URL": "/",
    "SITE_SYMBOL": "hourglass_bottom",
    "SITE_FAVICONS": [{"rel": "icon", "type": "image/svg+xml", "href": lambda _request: static("favicon.svg")}],
    "DASHBOARD_CALLBACK": "portal.waiting.start_page",
    "STYLES": [lambda _request: static("css/admin.css")],
    "BORDER_RADIUS": "6px",
    "COLORS": {
        "base": {
            "50": "oklch(98.3% .005 85)",
            "100": "oklch(96.2% .007 85)",
            "200": "oklch(91.5% .01 85)",
            "300": "oklch(86% .012 85)",
            "400": "oklch(71% .014 85)",
            "500": "oklch(53% .014 265)",
            "600": "oklch(44% .016 265)",
            "700": "oklch(36% .016 265)",
            "800": "oklch(27% .015 265)",
            "900": "oklch(20.8% .014 265)",
            "950": "oklch(16.5% .012 265)",
        },
        "primary": {
            "50": "oklch(97.5% .02 85)",
            "100": "oklch(95% .035 85)",
            "200": "oklch(90% .06 84)",
            "300": "oklch(85% .09 83)",
            "400": "oklch(80% .11 82)",
            "500": "oklch(72% .115 80)",
            "600": "oklch(49% .095 72)",
            "700": "oklch(43% .085 70)",
            "800": "oklch(37% .07 68)",
            "900": "oklch(31% .055 66)",
            "950": "oklch(24% .04 66)",
        },
    },
    "SIDEBAR": {
        "show_search": True,
        "navigation": [
            {
                "items": [
                    _page(_("What waits"), "inbox", "index"),
                ]
            },
            {
                "title": _("Tokens"),
                "separator": True,
                "items": [
                    _page(_("Issue"), "add_circle", "issue_tokens", permission=_governs),
                    _page(_("Grant"), "redeem", "grant_tokens", permission=_governs),
                    _page(_("Grant by CSV"), "upload_file", "grants_grantupload_changelist", active=_uploads),
                    _page(_("Series"), "hourglass_empty", "ledger_asset_changelist"),
                    _page(_("Capacity"), "storage", "ledger_capacity_changelist"),
                    _page(_("Approvals"), "how_to_vote", "ledger_approval_changelist"),
                ],
            },
            {
                "title": _("People"),
                "separator": True,
                "items": [
                    _page(_("Wallets"), "account_balance_wallet", "ledger_wallet_changelist"),
                    _page(_("People"), "group", "people_user_changelist"),
                    _page(_("Roles"), "badge", "people_membership_changelist"),
                    _page(_("Organisations"), "domain", "people_organisation_changelist"),
                    _page(_("Cohorts"), "school", "institutes_cohort_changelist"),
                    _page(_("Enrolments"), "how_to_reg", "institutes_enrolment_changelist"),
                ],
            },
            {
                "title": _("Market"),
                "separator": True,
                "items": [
                    _page(_("Instruments"), "candlestick_chart", "market_instrument_changelist"),
                    _page(_("Changes of instruments"), "history", "market_instrumentchange_changelist"),
                    _page(_("Offerings"), "campaign", "market_offering_changelist"),
                    _page(_("Orders"), "list_alt", "market_order_changelist"),
                    _page(_("Trades"), "swap_horiz", "market_trade_changelist"),
                    _page(_("Suspicious trades"), "flag", "market_tradeflag_changelist", permission=_reads_everything),
                ],
            },
            {
                "title": _("Jobs"),
                "separator": True,
                "items": [
                    _page(_("Redemptions"), "memory", "scheduler_redemption_changelist"),
                    _page(_("Resource classes"), "dns", "scheduler_resourceclass_changelist"),
                ],
            },
            {
                "title": _("Ledger"),
                "separator": True,
                "items": [
                    _page(_("Entries"), "receipt_long", "ledger_entry_changelist"),
                    _page(_("Accounts"), "account_balance", "ledger_account_changelist"),
                    _page(_("Holds"), "lock", "ledger_hold_changelist"),
                    _page(_("Policies"), "policy", "ledger_policy_changelist"),
                    _page(_("Checkpoints"), "verified", "ledger_checkpoint_changelist"),
                ],
            },
        ],
    },
}
