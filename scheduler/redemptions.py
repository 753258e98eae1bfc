"""Redeeming: from what a person asks to a row with its hold, and the row's changes of status."""

import hashlib
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from uuid import UUID

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from ledger.clock import assert_in_transaction, database_now
from ledger.errors import NotEnough, SeriesExpired
from ledger.holds import place_hold, release_hold
from ledger.models import Account, Asset
from ledger.wallets import account_of
from scheduler.errors import BadField, CannotCancel, JobScriptChanged, RedemptionConflict, RedemptionRefused
from scheduler.models import Redemption, RedemptionChange, ResourceClass
from scheduler.rendering import JOB_NAME, JobFields, render_job_script
from scheduler.scripts import clean_script, has_shebang

Status = Redemption.Status


@dataclass(frozen=True)
class JobPlace:
    """Where this site's jobs are kept and what runs them: settings, not anybody's choice."""

    home: Path
    python: str


@dataclass(frozen=True)
class Wish:
    """What a person asks for, checked by `planned_job`."""

    public_id: UUID
    wallet_id: int
    asset_id: int
    kind: str
    gpus: int
    walltime_minutes: int
    job_name: str
    script: str
    slurm_account: str


@dataclass(frozen=True)
class PlannedJob:
    """What confirming would do."""

    wish: Wish
    asset: Asset
    resource_class: ResourceClass
    script: str
    job_script: str
    amount: int
    available: int

    @property
    def left(self) -> int:
        return self.available - self.amount

    @property
    def digest(self) -> str:
        """Says which job script was shown."""
        return hashlib.sha256(self.job_script.encode()).hexdigest()


def planned_job(wish: Wish, *, place: JobPlace, now: datetime) -> PlannedJob:
    """Check the wish and render its job script; reads only. Raises a Refusal that names the field."""
    asset = Asset.objects.filter(id=wish.asset_id, kind=Asset.Kind.POOL).first()
    if asset is None:
        raise RedemptionRefused(_("Choose the series to redeem."), field="asset")
    resource_class = ResourceClass.objects.filter(code=asset.resource_class).first()
    if resource_class is None:
        raise RedemptionRefused(_("No machines are set up for this series yet."), field="asset")
    _check_wish(wish, asset=asset, resource_class=resource_class, now=now)
    script = clean_script(wish.script)
    job_script = render_job_script(
        JobFields(
            public_id=wish.public_id,
            kind=wish.kind,
            partition=resource_class.partition,
            qos=resource_class.qos_by_priority.get(asset.priority, ""),
            slurm_account=wish.slurm_account,
            gres_type=resource_class.gres_type,
            constraint=resource_class.constraint,
            gpus=wish.gpus,
            cpus=wish.gpus * resource_class.cpus_per_gpu,
            memory_gb=wish.gpus * resource_class.memory_gb_per_gpu,
            walltime_minutes=wish.walltime_minutes,
            directory=place.home / f"hg-{wish.public_id}",
            python=place.python,
            has_shebang=has_shebang(script),
        )
    )
    account = Account.objects.filter(wallet_id=wish.wallet_id, asset_id=asset.id).first()
    available = account.available if account else 0
    amount = wish.gpus * wish.walltime_minutes * 60
    if amount > available:
        raise NotEnough(
            _("This would hold %(asked)s GPU-h, and the wallet has %(available)s GPU-h available.")
            % {"asked": _hours(amount), "available": _hours(available)},
            field="walltime_minutes",
        )
    return PlannedJob(
        wish=wish, asset=asset, resource_class=resource_class, script=script, job_script=job_script, amount=amount,
        available=available,
    )  # fmt: skip


@transaction.atomic(durable=True)
def redeem_tokens(wish: Wish, *, user_id: int, place: JobPlace, shown_digest: str | None = None) -> Redemption:
    """Hold the tokens and queue the job. The same wish again answers the same redemption.

    Raises a Refusal for what cannot be redeemed, JobScriptChanged when the job script is no longer the one with
    `shown_digest`, and RedemptionConflict when the wish's id was used for another.
    """
    now = database_now()
    known = Redemption.objects.filter(public_id=wish.public_id).first()
    if known is not None:
        return _same(known, wish, user_id=user_id)
    planned = planned_job(wish, place=place, now=now)
    if shown_digest is not None and shown_digest != planned.digest:
        raise JobScriptChanged(_("The job script has changed since it was shown. Look at it again and confirm."))
    account = account_of(wallet_id=wish.wallet_id, asset_id=planned.asset.id)
    reference = f"redemption:{wish.public_id}"
    # Two confirmations at once wait here for the account; the second then finds the first's row.
    hold = place_hold(account_id=account.id, amount=planned.amount, reference=reference, now=now)
    known = Redemption.objects.filter(public_id=wish.public_id).first()
    if known is not None:
        release_hold(hold_id=hold.id, now=now)
        return _same(known, wish, user_id=user_id)
    redemption = Redemption.objects.create(
        public_id=wish.public_id,
        wallet_id=wish.wallet_id,
        asset=planned.asset,
        hold=hold,
        resource_class=planned.resource_class,
        user_id=user_id,
        kind=wish.kind,
        gpus=wish.gpus,
        walltime_seconds=wish.walltime_minutes * 60,
        job_name=wish.job_name,
        slurm_account=wish.slurm_account,
        script=planned.script,
        job_script=planned.job_script,
        created_at=now,
    )
    note_change(redemption, now=now, note=gettext_noop("Tokens held."))
    return redemption


@transaction.atomic(durable=True)
def cancel_redemption(*, redemption_id: int) -> Redemption:
    """Ask for the job to be ended. One that surely was never submitted is over at once, with all its tokens back."""
    now = database_now()
    redemption = Redemption.objects.select_for_update().get(id=redemption_id)
    if redemption.is_settled or redemption.status == Status.ENDED:
        raise CannotCancel(_("This job has already ended."))
    if redemption.cancel_requested_at is None:
        redemption.cancel_requested_at = now
        redemption.save(update_fields=["cancel_requested_at"])
        note_change(redemption, now=now, note=gettext_noop("Cancelling was asked for."))
    never_submitted = redemption.intended_at is None and not redemption.job_id
    if never_submitted and redemption.status in {Status.PENDING, Status.SUBMITTING}:
        close_unused(redemption, now=now, note=gettext_noop("Cancelled before it was submitted."))
    elif redemption.status == Status.PARKED:
        # No job is known. Should one turn up after all, reconciling ends it.
        close_unused(redemption, now=now, note=gettext_noop("Cancelled while it was parked."))
    return redemption


def close_unused(redemption: Redemption, *, now: datetime, note: str) -> None:
    """End a locked redemption that used nothing: all its tokens go back. A worker still at it is fenced off."""
    release_hold(hold_id=redemption.hold_id, now=now)
    redemption.status = Status.CANCELLED
    redemption.attempt += 1
    redemption.charged_amount = 0
    redemption.used_seconds = redemption.used_seconds or 0
    redemption.settled_at = now
    redemption.reason = ""
    redemption.save()
    note_change(redemption, now=now, note=note)


def note_change(redemption: Redemption, *, now: datetime, note: str = "") -> None:
    """Write down the status that the redemption has come to."""
    assert_in_transaction()
    RedemptionChange.objects.create(
        redemption=redemption, status=redemption.status, attempt=redemption.attempt, note=note[:300], at=now
    )


def _check_wish(wish: Wish, *, asset: Asset, resource_class: ResourceClass, now: datetime) -> None:
    assert asset.expires_at is not None
    if asset.expires_at <= now:
        raise SeriesExpired(
            _("%(code)s has expired and is worth nothing any more.") % {"code": asset.code}, field="asset"
        )
    if asset.starts_at is not None and asset.starts_at > now:
        raise RedemptionRefused(
            _("%(code)s can be redeemed from %(day)s.") % {"code": asset.code, "day": f"{asset.starts_at:%Y-%m-%d}"},
            field="asset",
        )
    if asset.priority not in resource_class.qos_by_priority:
        raise RedemptionRefused(_("No machines are set up for this series' priority yet."), field="asset")
    if wish.kind not in Redemption.Kind.values:
        raise BadField(_("Choose a script or a Dask program."), field="kind")
    if not re.fullmatch(JOB_NAME, wish.job_name, re.ASCII):
        raise BadField(_("A job's name is 1 to 64 letters, digits, hyphens or underscores."), field="job_name")
    if type(wish.gpus) is not int or not 1 <= wish.gpus <= resource_class.gpus_per_node:
        raise BadField(
            _("A job takes 1 to %(most)s GPUs: those of one node.") % {"most": resource_class.gpus_per_node},
            field="gpus",
        )
    longest = resource_class.max_walltime_minutes
    if type(wish.walltime_minutes) is not int or not 1 <= wish.walltime_minutes <= longest:
        raise BadField(_("A job runs for 1 to %(most)s whole minutes.") % {"most": longest}, field="walltime_minutes")


def _same(known: Redemption, wish: Wish, *, user_id: int) -> Redemption:
    """The redemption that this very wish made before."""
    same = (
        known.user_id == user_id
        and known.wallet_id == wish.wallet_id
        and known.asset_id == wish.asset_id
        and known.kind == wish.kind
        and known.gpus == wish.gpus
        and known.walltime_seconds == wish.walltime_minutes * 60
        and known.job_name == wish.job_name
        and known.script == clean_script(wish.script)
    )
    if not same:
        raise RedemptionConflict(_("This confirmation was used before, for something else. Start again from the form."))
    return known


def _hours(seconds: int) -> str:
    return f"{seconds / 3600:,.2f}"
