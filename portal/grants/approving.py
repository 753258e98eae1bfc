"""What takes two persons, as the admin shows it: who may see and decide it, and what it says in words."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db.models import Q, QuerySet
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.translation import gettext as _

from ledger.models import SECONDS_PER_GPU_HOUR, UNITS_PER_CREDIT, Approval, Asset, Transfer, Wallet
from portal.people.access import Person, may_ask, reads_everything, wallets_governed
from portal.people.templatetags import units

Words = list[tuple[str, str]]


def approvals_of(user: Person) -> QuerySet[Approval]:
    """What the person may read: of one's own wallets, and what is of no wallet at all."""
    found = Approval.objects.select_related("requester", "approver")
    if reads_everything(user):
        return found
    own = list(wallets_governed(user).values_list("id", flat=True))
    return found.filter(Q(content__of__in=own) | Q(content__of__isnull=True))


def may_decide(user: Person, approval: Approval) -> bool:
    """Anybody who may ask for it and did not."""
    return (
        may_ask(user)
        and approval.status == Approval.Status.WAITING
        and approval.requester_id != user.pk
        and approvals_of(user).filter(id=approval.id).exists()
    )


def is_above_limit(asset: Asset, amount: int) -> bool:
    """Whether one person may not issue so much alone."""
    if asset.kind == Asset.Kind.CREDITS:
        limit: int = settings.ISSUE_LIMIT_CREDITS * UNITS_PER_CREDIT
    else:
        limit = settings.ISSUE_LIMIT_GPU_HOURS * SECONDS_PER_GPU_HOUR
    return amount > limit


def what_it_does(approval: Approval) -> Words:
    """What will happen when it is approved, a line each."""
    content = approval.content
    words: Words = []
    for name, label in (("wallet", _("Wallet")), ("from", _("From")), ("to", _("To"))):
        if name in content:
            words.append((label, Wallet.objects.get(id=content[name]).name))
    if "asset" in content:
        asset = Asset.objects.get(id=content["asset"])
        words.append((_("Series"), asset.code))
        if "amount" in content:
            words.append((_("Amount"), units.amount(content["amount"], asset)))
    if approval.kind == Approval.Kind.CAPACITY:
        words += _capacity(content)
    words += [(str(name), _shown(value)) for name, value in content.get("changes", {}).items()]
    if "transfer" in content:
        words.append((_("Corrects"), str(Transfer.objects.get(id=content["transfer"]))))
    return words


def _capacity(content: dict[str, Any]) -> Words:
    return [
        (_("Resource class"), content["resource_class"]),
        (_("GPUs"), str(content["gpus"])),
        (_("From"), _shown(content["starts_at"])),
        (_("To"), _shown(content["ends_at"])),
    ]


def _shown(value: Any) -> str:
    """A rule's value for a person: instants in UTC, nothing as a dash."""
    if value is None:
        return "–"
    if isinstance(value, bool):
        return _("yes") if value else _("no")
    if isinstance(value, list):
        return ", ".join(map(str, value))
    at = parse_datetime(value) if isinstance(value, str) else None
    return str(value) if at is None else f"{date_format(at, 'DATETIME_FORMAT')} UTC"
