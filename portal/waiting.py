"""The admin's start page: what waits for this person, from every section, within their reach."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from django.db.models import F
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.utils.html import strip_tags
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ledger.models import Account, Approval, Asset
from ledger.proof.numbering import unsealed_count
from market.models import Instrument
from portal.grants.approving import approvals_of
from portal.grants.models import GrantUpload
from portal.grants.uploads import uploads_of
from portal.institutes.models import Cohort
from portal.people.access import (
    Person,
    departments_administered,
    may_ask,
    may_watch_health,
    organisations_read,
    people_listed,
    reads_everything,
    wallets_governed,
    wallets_listed,
)
from portal.people.templatetags.units import gpu_hours
from scheduler.models import Redemption

SOON = timedelta(days=21)
FEW_STUDENTS = 5
MANY_UNSEALED = 1000


def start_page(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Unfold calls this for the admin's index."""
    user, now = request.user, timezone.now()
    department_wallets = departments_administered(user).values("wallet")
    accounts = Account.objects.filter(wallet__in=department_wallets, balance__gt=0).select_related("wallet", "asset")
    context |= {
        "title": _("Administration"),
        "waiting": [
            *_approvals(user),
            *_drafts(user),
            *_parked(user),
            *_halted(),
            *_frozen(user),
            *_short(user),
            *_expiring(user, now),
        ]
        + (_health() if may_watch_health(user) else []),
        "figures": _figures(user),
        "departments": accounts.order_by("wallet__name", "asset__code"),
        "now": now,
    }
    return context


def _item(icon: str, url: str, what: str, why: str, *, urgent: bool = False) -> dict[str, Any]:
    return {"icon": icon, "url": url, "what": what, "why": why, "urgent": urgent}


def _drafts(user: Person) -> list[dict[str, Any]]:
    drafts = uploads_of(user).filter(status=GrantUpload.Status.DRAFT).order_by("uploaded_at", "id")[:10]

    def many(count: int) -> str:
        return ngettext("%(n)d grant waits in it.", "%(n)d grants wait in it.", count) % {"n": count}

    return [
        _item(
            "upload_file",
            reverse("admin:grants_grantupload_change", args=[draft.id]),
            _("Confirm or discard %(file)s") % {"file": draft.file_name},
            ngettext("%(n)d grant waits in it.", "%(n)d grants wait in it.", len(draft.lines))
            % {"n": len(draft.lines)},
        )
        for draft in drafts
    ]


def _parked(user: Person) -> list[dict[str, Any]]:
    found = Redemption.objects.filter(status=Redemption.Status.PARKED)
    if not reads_everything(user):
        found = found.filter(wallet__in=wallets_governed(user).values("id"))
    return [
        _item(
            "engineering",
            reverse("admin:scheduler_redemption_change", args=[redemption.id]),
            _("Look at the redemption “%(name)s”") % {"name": redemption.job_name},
            redemption.reason or _("It is parked for a person."),
            urgent=True,
        )
        for redemption in found.order_by("created_at", "id")[:10]
    ]


def _halted() -> list[dict[str, Any]]:
    found = Instrument.objects.filter(phase=Instrument.Phase.HALTED).order_by("code")[:10]
    return [
        _item(
            "pause_circle",
            reverse("admin:market_instrument_change", args=[instrument.id]),
            _("%(code)s is halted") % {"code": instrument.code},
            instrument.halted_reason,
        )
        for instrument in found
    ]


def _approvals(user: Person) -> list[dict[str, Any]]:
    """What somebody else asked for and this person may decide."""
    if not may_ask(user):
        return []
    found = approvals_of(user).filter(status=Approval.Status.WAITING).exclude(requester_id=user.pk)
    return [
        _item(
            "how_to_vote",
            reverse("admin:ledger_approval_change", args=[approval.id]),
            _("Decide: %(kind)s") % {"kind": approval.get_kind_display()},
            approval.reason,
        )
        for approval in found.order_by("id")[:10]
    ]


def _frozen(user: Person) -> list[dict[str, Any]]:
    found = wallets_listed(user).exclude(frozen_at=None).order_by("frozen_at", "id")[:10]
    return [
        _item(
            "ac_unit",
            reverse("admin:ledger_wallet_change", args=[wallet.id]),
            _("%(name)s is frozen") % {"name": wallet.name},
            wallet.frozen_reason,
        )
        for wallet in found
    ]


def _short(user: Person) -> list[dict[str, Any]]:
    """Cohorts whose institute covers only a few students more."""
    cohorts = Cohort.objects.filter(
        institute__in=organisations_read(user).values("id"), ends_at__gt=timezone.now()
    ).select_related("institute", "asset")
    pairs = {(cohort.institute.wallet_id, cohort.asset_id) for cohort in cohorts}
    accounts = Account.objects.filter(wallet__in={pair[0] for pair in pairs}, asset__in={pair[1] for pair in pairs})
    available = {(account.wallet_id, account.asset_id): account.available for account in accounts}
    items = []
    for cohort in cohorts.order_by("ends_at", "id"):
        covers = available.get((cohort.institute.wallet_id, cohort.asset_id), 0) // cohort.allowance
        if covers < FEW_STUDENTS:
            what = _("Grant %(institute)s more of %(code)s") % {
                "institute": cohort.institute.name,
                "code": cohort.asset.code,
            }
            why = ngettext(
                "%(name)s can take in %(n)d more student.", "%(name)s can take in %(n)d more students.", covers
            ) % {"name": cohort.name, "n": covers}
            items.append(_item("school", reverse("admin:grant_tokens"), what, why, urgent=covers == 0))
    return items[:10]


def _expiring(user: Person, now: datetime) -> list[dict[str, Any]]:
    """What a department still holds of series that are soon worth nothing."""
    accounts = Account.objects.filter(
        wallet__in=departments_administered(user).values("wallet"),
        balance__gt=F("held"),
        asset__kind=Asset.Kind.POOL,
        asset__expires_at__gt=now,
        asset__expires_at__lt=now + SOON,
    ).select_related("asset", "wallet")
    return [
        _item(
            "hourglass_bottom",
            reverse("admin:grant_tokens"),
            _("Give out %(code)s of %(name)s") % {"code": account.asset.code, "name": account.wallet.name},
            _("%(amount)s expires on %(date)s.")
            % {"amount": _plain(account.available), "date": f"{account.asset.expires_at:%Y-%m-%d}"},
        )
        for account in accounts.order_by("asset__expires_at", "id")[:10]
    ]


def _health() -> list[dict[str, Any]]:
    unsealed = unsealed_count()
    if unsealed < MANY_UNSEALED:
        return []
    what = _("The sealer is behind")
    why = _("%(n)d entries are not sealed yet.") % {"n": unsealed}
    return [_item("lock_clock", reverse("status"), what, why, urgent=True)]


def _figures(user: Person) -> list[dict[str, Any]]:
    redemptions = Redemption.objects.filter(status__in=["QUEUED", "RUNNING"])
    if not reads_everything(user):
        redemptions = redemptions.filter(wallet__in=wallets_governed(user).values("id"))
    return [
        {"label": _("People"), "value": people_listed(user).count(), "url": reverse("admin:people_user_changelist")},
        {
            "label": _("Wallets"),
            "value": wallets_listed(user).count(),
            "url": reverse("admin:ledger_wallet_changelist"),
        },
        {
            "label": _("Jobs waiting or running"),
            "value": redemptions.count(),
            "url": reverse("admin:scheduler_redemption_changelist"),
        },
        {
            "label": _("Open instruments"),
            "value": Instrument.objects.filter(phase=Instrument.Phase.CONTINUOUS).count(),
            "url": reverse("admin:market_instrument_changelist"),
        },
    ]


def _plain(gpu_seconds: int) -> str:
    return strip_tags(gpu_hours(gpu_seconds))
