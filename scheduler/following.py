"""Keeping rows in step with their jobs: what waits is submitted, states follow, what has ended is settled."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial

from django.db import transaction
from django.utils.translation import gettext_noop

from scheduler.engines import Job, Look, Phase
from scheduler.errors import EngineError
from scheduler.models import Redemption
from scheduler.redemptions import note_change
from scheduler.settlement import settle_redemption
from scheduler.submission import Site, cancel_duplicates, submit_redemption

log = logging.getLogger(__name__)
Status = Redemption.Status

# Names in one call of squeue and sacct: a command line has room for many more.
CHUNK = 100
# How long both squeue and sacct must deny a job they once had before a person is asked.
LOST_AFTER = timedelta(hours=6)


@dataclass(frozen=True)
class Followed:
    """What one round did."""

    submitted: int
    changed: int
    settled: int


def follow_redemptions(*, site: Site, now: datetime) -> Followed:
    """One round over everything that is not settled. May run twice at once, and at any time again."""
    waiting = Redemption.objects.waiting_to_submit(now).order_by("id").values_list("id", flat=True)
    submitted = sum(
        [_go_on(partial(submit_redemption, redemption_id=each, site=site, now=now)) for each in list(waiting)]
    )
    changed = 0
    active = list(Redemption.objects.with_job().order_by("id"))
    for start in range(0, len(active), CHUNK):
        changed += _go_on(partial(_follow, active[start : start + CHUNK], site=site, now=now))
    ended = Redemption.objects.filter(status=Status.ENDED).order_by("id").values_list("id", flat=True)
    settled = sum([_go_on(partial(settle_redemption, redemption_id=each, site=site)) for each in list(ended)])
    return Followed(submitted=submitted, changed=changed, settled=settled)


def _go_on(step: Callable[[], int]) -> int:
    """One redemption's trouble keeps no other waiting: it is logged, and met again in the next round."""
    try:
        return step()
    except Exception:
        log.exception("a redemption could not be followed")
        return 0


def _follow(redemptions: Sequence[Redemption], *, site: Site, now: datetime) -> int:
    names = [redemption.slurm_name for redemption in redemptions]
    try:
        look = site.engine.look(names, since=min(redemption.created_at for redemption in redemptions))
    except EngineError as fault:
        # The jobs run on; only what we know of them is out of date.
        ids = [redemption.id for redemption in redemptions]
        Redemption.objects.with_job().filter(id__in=ids).update(reason=str(fault)[:300])
        return 0
    return sum([_follow_one(redemption, look=look, site=site, now=now) for redemption in redemptions])


def _follow_one(redemption: Redemption, *, look: Look, site: Site, now: datetime) -> bool:
    jobs = look.named(redemption.slurm_name)
    if not jobs:
        return _miss(redemption, look=look, now=now)
    job = next((job for job in jobs if job.job_id == redemption.job_id), jobs[0])
    try:
        if len(jobs) > 1:
            cancel_duplicates([job, *(other for other in jobs if other is not job)], engine=site.engine)
        if redemption.cancel_requested_at is not None and job.phase != Phase.ENDED:
            site.engine.cancel(job.job_id)
    except EngineError as fault:
        log.warning("redemption %s: %s", redemption.public_id, fault)
    return _change(redemption, status=_status(job), reason=job.reason, started_at=job.started_at, now=now)


def _miss(redemption: Redemption, *, look: Look, now: datetime) -> bool:
    """No record is not "no job": accounting may be late by seconds, or down for hours. Long after, a person looks."""
    status, started_at = Status(redemption.status), redemption.started_at
    if not look.complete:
        Redemption.objects.with_job().filter(id=redemption.id).update(unseen_since=None)
        return _change(redemption, status=status, reason=look.reason, started_at=started_at, now=now)
    if redemption.unseen_since is None:
        Redemption.objects.with_job().filter(id=redemption.id).update(unseen_since=now)
    elif now >= redemption.unseen_since + LOST_AFTER:
        reason = gettext_noop(
            "Slurm has known nothing of the job for hours, neither in its queue nor in its accounting."
        )
        return _change(redemption, status=Status.PARKED, reason=reason, started_at=started_at, now=now)
    reason = gettext_noop("Slurm does not know the job at present.")
    return _change(redemption, status=status, reason=reason, started_at=started_at, now=now)


def _status(job: Job) -> Redemption.Status:
    return {Phase.WAITING: Status.QUEUED, Phase.RUNNING: Status.RUNNING, Phase.ENDED: Status.ENDED}[job.phase]


@transaction.atomic(durable=True)
def _change(redemption: Redemption, *, status: str, reason: str, started_at: datetime | None, now: datetime) -> bool:
    """Write what is new, if nobody has moved the row since it was read."""
    moved = status != redemption.status
    if not moved and reason == redemption.reason and started_at == redemption.started_at:
        return False
    values = {"status": status, "reason": reason[:300], "started_at": started_at or redemption.started_at}
    if status == Status.ENDED:
        values["ended_at"] = now
    if reason == "":
        values["unseen_since"] = None
    same = Redemption.objects.filter(id=redemption.id, status=redemption.status, attempt=redemption.attempt)
    if not same.update(**values):
        return False
    if moved:
        redemption.refresh_from_db()
        note_change(redemption, now=now, note=reason if status == Status.PARKED else "")
    return moved
