"""What may be issued: never more than the attested GPUs can deliver until the tokens expire (see deliverable)."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

from django.db import connection
from django.db.models import F, Max, OuterRef, Subquery
from django.utils.translation import gettext as _

from ledger.clock import assert_in_transaction
from ledger.entries import capacity_body
from ledger.errors import BadAmount
from ledger.governance.deliverable import Attested, Outstanding, shortfall, supply
from ledger.governance.governing import canonical_json, utc_text
from ledger.log import write_entry
from ledger.models import Approval, Asset, Capacity, Entry

_OUTSTANDING = """
SELECT s.id, s.starts_at, s.expires_at, coalesce(-sum(a.balance), 0)::bigint
FROM ledger_asset s
LEFT JOIN (ledger_account a JOIN ledger_wallet w ON w.id = a.wallet_id AND w.role IN ('ISSUER', 'REDEEMED', 'EXPIRED'))
    ON a.asset_id = s.id
WHERE s.resource_class = %s AND s.expires_at > %s
GROUP BY s.id ORDER BY s.expires_at, s.id
"""


def attest_capacity(
    *,
    resource_class: str,
    gpus: int,
    starts_at: datetime,
    ends_at: datetime,
    approval: Approval,
    now: datetime,
    attestation: UUID | None = None,
) -> Capacity:
    """Say that so many GPUs of the class will serve from one instant to another; 0 GPUs withdraw an attestation.

    With `attestation` it is a new version of one said before. Lowering what was attested is always possible, as
    hardware breaks: what is issued stays, and nothing more is issued until it can be delivered again.
    """
    assert_in_transaction()
    if isinstance(gpus, bool) or not isinstance(gpus, int) or not 0 <= gpus <= 1_000_000:
        raise BadAmount(_("The number of GPUs is a whole number from 0 to 1,000,000."), field="gpus")
    if ends_at <= starts_at:
        raise BadAmount(_("Capacity ends after it starts."), field="ends_at")
    queue_for(resource_class)
    attestation = attestation or uuid4()
    known = Capacity.objects.filter(attestation=attestation)
    if known.exclude(resource_class=resource_class).exists():
        raise BadAmount(_("That attestation is for another resource class."), field="resource_class")
    version = (known.aggregate(newest=Max("version"))["newest"] or 0) + 1
    subject = f"capacity:{attestation}"
    said = {
        "resource_class": resource_class,
        "gpus": gpus,
        "starts_at": utc_text(starts_at),
        "ends_at": utc_text(ends_at),
        "version": version,
    }
    body = capacity_body(subject=subject, capacity=canonical_json(said), recorded_at=now)
    entry = write_entry(kind=Entry.Kind.CAPACITY, body=body, now=now, reference=subject)
    return Capacity.objects.create(
        attestation=attestation,
        version=version,
        resource_class=resource_class,
        gpus=gpus,
        starts_at=starts_at,
        ends_at=ends_at,
        entry=entry,
        approval=approval,
        made_at=now,
    )


def attested(resource_class: str) -> list[Attested]:
    """The newest version of each attestation of the class: from, to, GPUs."""
    newest = Capacity.objects.filter(attestation=OuterRef("attestation")).order_by("-version").values("version")[:1]
    rows = Capacity.objects.filter(resource_class=resource_class, gpus__gt=0).annotate(newest=Subquery(newest))
    return list(
        rows.filter(version=F("newest")).order_by("starts_at", "id").values_list("starts_at", "ends_at", "gpus")
    )


def outstanding(resource_class: str, now: datetime) -> list[tuple[int, Outstanding]]:
    """Of each series of the class that has not expired: its id, start, expiry, and GPU-seconds still to be redeemed."""
    with connection.cursor() as cursor:
        cursor.execute(_OUTSTANDING, [resource_class, now])
        rows: Sequence[tuple[int, datetime, datetime, int]] = cursor.fetchall()
    return [(id_, (starts_at, expires_at, int(amount))) for id_, starts_at, expires_at, amount in rows]


def issuable(asset: Asset, now: datetime) -> int:
    """How many more GPU-seconds of the series could be issued now."""
    assert asset.expires_at is not None
    capacity, due = attested(asset.resource_class), outstanding(asset.resource_class, now)
    if shortfall([claim for _, claim in due], capacity, now):
        return 0
    most = supply(capacity, now, asset.expires_at)
    more = [(starts, ends, amount + (most if id_ == asset.id else 0)) for id_, (starts, ends, amount) in due]
    return most - shortfall(more, capacity, now)


def queue_for(resource_class: str) -> None:
    """Wait for whoever issues or attests this class now, until they have committed."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [f"capacity\n{resource_class}"])
