"""Granting a whole file: checked and kept as a draft, shown, then granted in one transaction or not at all."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from ledger.clock import database_now
from ledger.errors import Refusal
from ledger.models import SECONDS_PER_GPU_HOUR, UNITS_PER_CREDIT, Account, Asset, Wallet
from ledger.transfers import grant_step
from portal.grants.errors import BadUpload, LineRefused, Problem, UploadDecided
from portal.grants.models import GrantUpload
from portal.grants.parsing import Line, parse
from portal.people.access import Person, departments_administered, people_listed, reads_everything
from portal.people.models import User

Status = GrantUpload.Status
MOST_PROBLEMS = 50


def uploads_of(user: Person) -> QuerySet[GrantUpload]:
    """What the admin lists: the uploads of one's departments; everything for who reads everything."""
    if reads_everything(user):
        return GrantUpload.objects.all()
    return GrantUpload.objects.filter(wallet__in=departments_administered(user).values("wallet"))


def units_of(amount: Decimal, asset: Asset) -> int:
    """GPU-hours or credits, with at most two decimals, as the asset's smallest unit."""
    return int(amount * (UNITS_PER_CREDIT if asset.kind == Asset.Kind.CREDITS else SECONDS_PER_GPU_HOUR))


@transaction.atomic(durable=True)
def upload_grants(*, user: User, wallet: Wallet, file_name: str, data: bytes, now: datetime) -> GrantUpload:
    """Check every line and keep the file as a draft. Raises BadUpload, naming each line that is wrong."""
    lines, problems = parse(data)
    checked, more = _checked(user, wallet, lines, now=now)
    problems = sorted(problems + more)
    if problems:
        text = ngettext(
            "Nothing was taken: %(count)d line is wrong.",
            "Nothing was taken: %(count)d lines are wrong.",
            len(problems),
        )
        raise BadUpload(text % {"count": len(problems)}, problems[:MOST_PROBLEMS])
    name = file_name.rpartition("/")[2][-100:]
    return GrantUpload.objects.create(wallet=wallet, user=user, file_name=name, lines=checked, uploaded_at=now)


def _checked(
    user: User, wallet: Wallet, lines: list[Line], *, now: datetime
) -> tuple[list[dict[str, Any]], list[Problem]]:
    people = {
        person.email: person
        for person in people_listed(user).filter(email__in={line.email for line in lines}, is_active=True)
    }
    assets = {asset.code: asset for asset in Asset.objects.filter(code__in={line.series for line in lines})}
    checked, problems = [], []
    for line in lines:
        person, asset = people.get(line.email), assets.get(line.series)
        problem = _problem(wallet, line, person, asset, now=now)
        if problem is not None:
            problems.append(Problem(line.number, problem))
        elif person is not None and asset is not None:
            checked.append(
                {
                    "line": line.number,
                    "email": person.email,
                    "name": person.name,
                    "wallet_id": person.wallet_id,
                    "asset_id": asset.id,
                    "code": asset.code,
                    "amount": units_of(line.amount, asset),
                }
            )
    return checked, problems


def _problem(wallet: Wallet, line: Line, person: User | None, asset: Asset | None, *, now: datetime) -> str | None:
    # Somebody of another department and nobody at all are told alike.
    if person is None or person.wallet_id is None:
        return _("nobody in your departments has the address %(email)s.") % {"email": line.email[:80]}
    if person.wallet_id == wallet.id:
        return _("a wallet cannot grant to itself.")
    if asset is None:
        return _("there is no series %(code)s.") % {"code": line.series}
    if asset.expires_at is not None and asset.expires_at <= now:
        return _("%(code)s has expired.") % {"code": line.series}
    return None


def outcome(upload: GrantUpload) -> list[dict[str, Any]]:
    """What granting the draft would do to its wallet, a row for each asset."""
    totals: dict[int, int] = defaultdict(int)
    people: dict[int, int] = defaultdict(int)
    for line in upload.lines:
        totals[line["asset_id"]] += line["amount"]
        people[line["asset_id"]] += 1
    assets = Asset.objects.in_bulk(totals)
    available = {
        account.asset_id: account.available
        for account in Account.objects.filter(wallet_id=upload.wallet_id, asset_id__in=totals)
    }
    return [
        {
            "asset": assets[asset_id],
            "lines": people[asset_id],
            "total": total,
            "available": available.get(asset_id, 0),
            "after": available.get(asset_id, 0) - total,
        }
        for asset_id, total in sorted(totals.items())
    ]


@transaction.atomic(durable=True)
def grant_upload(*, upload_id: int) -> GrantUpload:
    """Grant every line of a draft. One that is refused undoes all of them and is named."""
    now = database_now()
    upload = GrantUpload.objects.select_for_update().get(id=upload_id)
    if upload.status != Status.DRAFT:
        raise UploadDecided(_("This upload is %(status)s already.") % {"status": upload.get_status_display()})
    for line in upload.lines:
        try:
            transfer = grant_step(
                asset_id=line["asset_id"],
                from_wallet_id=upload.wallet_id,
                to_wallet_id=line["wallet_id"],
                amount=line["amount"],
                now=now,
                scope="grant-upload",
                key=f"{upload.id}:{line['line']}",
            )
        except Refusal as refusal:
            raise LineRefused(
                _("Line %(line)d could not be granted, so none was: %(why)s")
                % {"line": line["line"], "why": refusal.message}
            ) from refusal
        line["entry"] = transfer.id
    upload.status, upload.decided_at = Status.GRANTED, now
    upload.save(update_fields=["status", "decided_at", "lines"])
    return upload


@transaction.atomic(durable=True)
def discard_upload(*, upload_id: int, now: datetime) -> GrantUpload:
    """Take a draft off the list; nothing has moved."""
    upload = GrantUpload.objects.select_for_update().get(id=upload_id)
    if upload.status == Status.DRAFT:
        upload.status, upload.decided_at = Status.DISCARDED, now
        upload.save(update_fields=["status", "decided_at"])
    return upload
