"""From a pending row to exactly one job, whatever dies on the way.

A worker claims the row under a new attempt number and a lease. Just before sbatch it commits that it is about to call
it. Until then another worker may start over at once: the first one's commit would fail. From then on the job is looked
up by its name, and submitted again only when both squeue and sacct have denied it for a while.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.db import transaction
from django.db.models import F, QuerySet
from django.utils.translation import gettext_noop

from scheduler.engines import Engine, Job, Phase
from scheduler.errors import EngineError, EngineRefused, EngineUnreachable
from scheduler.jobfiles import write_job_files
from scheduler.models import Redemption
from scheduler.redemptions import close_unused, note_change

log = logging.getLogger(__name__)
Status = Redemption.Status

LEASE = timedelta(seconds=120)
MAX_INTENTS = 5


@dataclass(frozen=True)
class Site:
    """What following needs to know of its surroundings."""

    engine: Engine
    home: Path
    job_user: str = ""
    # How long nobody may have seen a job that may have been submitted, before it is submitted again.
    doubt: timedelta = timedelta(seconds=600)


@transaction.atomic(durable=True)
def claim_redemption(*, redemption_id: int, now: datetime) -> Redemption | None:
    """Take a redemption that waits to be submitted; None means another worker has it, or it has moved on."""
    claimed = (
        Redemption.objects.waiting_to_submit(now)
        .filter(id=redemption_id)
        .update(status=Status.SUBMITTING, attempt=F("attempt") + 1, lease_until=now + LEASE)
    )
    return Redemption.objects.get(id=redemption_id) if claimed else None


def submit_redemption(*, redemption_id: int, site: Site, now: datetime) -> bool:
    """See that the redemption has its one job. False when it could not be said yet, or somebody else is at it."""
    redemption = claim_redemption(redemption_id=redemption_id, now=now)
    if redemption is None:
        return False
    try:
        if redemption.intended_at is not None and not _may_submit_again(redemption, site=site, now=now):
            return Redemption.objects.get(id=redemption_id).status == Status.QUEUED
        site.engine.ready()
        request = write_job_files(redemption, home=site.home, user=site.job_user)
        if not _intend(redemption, now=now):
            return False
        job_id = site.engine.submit(request)
    except EngineRefused as refused:
        return _park(redemption, reason=str(refused), now=now)
    except EngineError as fault:
        _wait(redemption, reason=str(fault))
        return False
    except OSError as fault:
        _wait(redemption, reason=f"The job's files could not be written: {fault.strerror}.")
        return False
    return record_job(redemption, job_id=job_id, now=now, note=gettext_noop("Submitted."))


def _may_submit_again(redemption: Redemption, *, site: Site, now: datetime) -> bool:
    """Look for the job an earlier attempt may have made: adopt it, or wait until it is surely not there."""
    look = site.engine.look([redemption.slurm_name], since=redemption.created_at)
    jobs = look.named(redemption.slurm_name)
    if jobs:
        cancel_duplicates(jobs, engine=site.engine)
        record_job(
            redemption, job_id=jobs[0].job_id, now=now, note=gettext_noop("Found by its name after an interruption.")
        )
        return False
    if not look.complete:
        # The clock of doubt runs only while everybody who might know answers.
        _mine(redemption).update(unseen_since=None)
        raise EngineUnreachable(look.reason)
    if redemption.unseen_since is None or now < redemption.unseen_since + site.doubt:
        since = redemption.unseen_since or now
        _mine(redemption).update(
            unseen_since=since,
            lease_until=now,
            reason=gettext_noop("Slurm is asked whether it has the job after an interruption."),
        )
        return False
    if redemption.cancel_requested_at is not None:
        _close_unseen(redemption, now=now)
        return False
    if redemption.intents >= MAX_INTENTS:
        _park(redemption, reason=f"It was submitted {MAX_INTENTS} times and no job was ever seen.", now=now)
        return False
    return True


def cancel_duplicates(jobs: list[Job], *, engine: Engine) -> int:
    """Keep the oldest job of a name and end the others; answers how many were live."""
    younger = [job for job in jobs[1:] if job.phase != Phase.ENDED]
    for job in younger:
        log.error("job %s has the name of %s: cancelled", job.job_id, jobs[0].job_id)
        engine.cancel(job.job_id)
    return len(younger)


@transaction.atomic(durable=True)
def _intend(redemption: Redemption, *, now: datetime) -> bool:
    """Commit that sbatch is about to be called; False when a later attempt or a cancellation has come between."""
    return bool(
        _mine(redemption)
        .filter(cancel_requested_at__isnull=True)
        .update(intended_at=now, intents=F("intents") + 1, unseen_since=None)
    )


@transaction.atomic(durable=True)
def record_job(redemption: Redemption, *, job_id: str, now: datetime, note: str) -> bool:
    """Write down the job; False when the attempt was fenced off meanwhile (then the job is found by its name)."""
    if not _mine(redemption).update(
        status=Status.QUEUED, job_id=job_id, submitted_at=now, reason="", lease_until=None, unseen_since=None
    ):
        return False
    redemption.refresh_from_db()
    note_change(redemption, now=now, note=note)
    return True


@transaction.atomic(durable=True)
def _wait(redemption: Redemption, *, reason: str) -> None:
    """Let another look come soon: back to pending if nothing was submitted, else still in doubt."""
    if (
        not _mine(redemption)
        .filter(intended_at=None)
        .update(status=Status.PENDING, lease_until=None, reason=reason[:300])
    ):
        _mine(redemption).update(lease_until=F("created_at"), reason=reason[:300])


@transaction.atomic(durable=True)
def _close_unseen(redemption: Redemption, *, now: datetime) -> None:
    locked = _mine(redemption).select_for_update().first()
    if locked is not None:
        close_unused(locked, now=now, note=gettext_noop("Cancelled: no job was ever seen."))


@transaction.atomic(durable=True)
def _park(redemption: Redemption, *, reason: str, now: datetime) -> bool:
    """Leave it to a person: the engine said no, or too much went wrong. There is no job."""
    if _mine(redemption).update(
        status=Status.PARKED, reason=reason[:300], lease_until=None, intended_at=None, unseen_since=None
    ):
        redemption.refresh_from_db()
        note_change(redemption, now=now, note=reason)
        if redemption.cancel_requested_at is not None:
            close_unused(redemption, now=now, note=gettext_noop("Cancelled: it was never submitted."))
    return False


@transaction.atomic(durable=True)
def retry_redemption(*, redemption_id: int, now: datetime) -> bool:
    """Try a parked redemption again, as an operator decides; False when it is not parked."""
    if not Redemption.objects.filter(id=redemption_id, status=Status.PARKED, cancel_requested_at=None).update(
        status=Status.PENDING, reason="", intents=0, intended_at=None, unseen_since=None, job_id=""
    ):
        return False
    note_change(Redemption.objects.get(id=redemption_id), now=now, note=gettext_noop("To be tried again."))
    return True


def _mine(redemption: Redemption) -> QuerySet[Redemption]:
    """The row, if it is still this attempt's to write."""
    return Redemption.objects.filter(id=redemption.id, status=Status.SUBMITTING, attempt=redemption.attempt)
