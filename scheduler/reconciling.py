"""Comparing holds, redemptions and the engine's jobs, and counting each kind of difference."""

import logging
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q

from ledger.models import Hold
from scheduler.engines import Job, Phase
from scheduler.errors import EngineError
from scheduler.models import JobRun, Reconciliation, Redemption
from scheduler.submission import Site, cancel_duplicates

log = logging.getLogger(__name__)
Status = Redemption.Status

# Rows and jobs are read one after the other: what is younger than this may just be on its way.
SETTLED_WITHIN = timedelta(minutes=5)
SEEN_WITHIN = timedelta(minutes=2)


@dataclass
class Differences:
    """How many of each kind; all zero is as it should be."""

    hold_without_redemption: int = 0
    redemption_without_hold: int = 0
    redemption_without_job: int = 0
    job_without_redemption: int = 0
    settled_but_running: int = 0
    duplicate_jobs: int = 0
    ended_not_settled: int = 0
    used_over_held: int = 0
    parked: int = 0

    @property
    def total(self) -> int:
        return sum(asdict(self).values())


def reconcile(*, site: Site, now: datetime) -> Differences:
    """Look at everything once. Ends jobs that nothing is held for; everything else is counted for a person."""
    differences = Differences()
    _compare_rows(differences, now=now)
    try:
        _compare_jobs(differences, site=site, now=now)
        complete = True
    except EngineError as fault:
        log.warning("jobs were not compared: %s", fault)
        complete = False
    _keep(differences, complete=complete, now=now)
    return differences


def _compare_rows(differences: Differences, *, now: datetime) -> None:
    settled = [Status.SETTLED, Status.CANCELLED]
    holds = Hold.objects.filter(status=Hold.Status.OPEN, reference__startswith="redemption:")
    differences.hold_without_redemption = holds.filter(
        Q(redemption__isnull=True) | Q(redemption__status__in=settled)
    ).count()
    unsettled = Redemption.objects.unsettled()
    differences.redemption_without_hold = (
        unsettled.exclude(hold__status=Hold.Status.OPEN)
        | unsettled.exclude(hold__amount=F("gpus") * F("walltime_seconds"))
    ).count()
    differences.ended_not_settled = Redemption.objects.filter(
        status=Status.ENDED, ended_at__lt=now - SETTLED_WITHIN
    ).count()
    differences.used_over_held = (
        JobRun.objects.filter(elapsed_seconds__gt=F("redemption__walltime_seconds"))
        .values("redemption_id").distinct().count()
    )  # fmt: skip
    differences.parked = Redemption.objects.filter(status=Status.PARKED).count()


def _compare_jobs(differences: Differences, *, site: Site, now: datetime) -> None:
    by_name: dict[str, list[Job]] = {}
    for job in site.engine.live_jobs():
        by_name.setdefault(job.name, []).append(job)
    for name, jobs in by_name.items():
        jobs.sort(key=lambda job: (job.submitted_at, len(job.job_id), job.job_id))
        redemption = _named(name)
        if redemption is None:
            # Perhaps another site's, on the same Slurm: not ours to end.
            log.error("jobs %s belong to no redemption", [job.job_id for job in jobs])
            differences.job_without_redemption += 1
        elif redemption.is_settled:
            log.error("redemption %s is settled and has live jobs: cancelled", redemption.public_id)
            differences.settled_but_running += 1
            for job in jobs:
                site.engine.cancel(job.job_id)
        elif len(jobs) > 1:
            own = [job for job in jobs if job.job_id == redemption.job_id]
            others = [job for job in jobs if job.job_id != redemption.job_id]
            differences.duplicate_jobs += cancel_duplicates(own + others, engine=site.engine)
    for redemption in Redemption.objects.with_job().filter(submitted_at__lt=now - SEEN_WITHIN).order_by("id"):
        if redemption.slurm_name in by_name:
            continue
        look = site.engine.look([redemption.slurm_name], since=redemption.created_at)
        jobs = look.named(redemption.slurm_name)
        lost = not jobs or (redemption.status == Status.RUNNING and all(job.phase == Phase.WAITING for job in jobs))
        differences.redemption_without_job += look.complete and lost


@transaction.atomic(durable=True)
def _keep(differences: Differences, *, complete: bool, now: datetime) -> None:
    Reconciliation.objects.create(at=now, complete=complete, differences=asdict(differences))


def _named(name: str) -> Redemption | None:
    try:
        public_id = UUID(name.removeprefix("hg-"))
    except ValueError:
        return None
    return Redemption.objects.filter(public_id=public_id).first()
