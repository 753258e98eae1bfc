"""What the worker does for redemptions. A message only wakes it: each task reads from Postgres what there is to do."""

import logging

from celery import shared_task
from django.core.cache import cache
from django.utils import timezone
from kombu.exceptions import OperationalError

from scheduler.configured import site
from scheduler.following import follow_redemptions
from scheduler.reconciling import reconcile
from scheduler.settlement import settle_redemption
from scheduler.submission import submit_redemption

# Only to spare Slurm: rounds that meet do no harm, and a cache that forgets this does none either.
ROUND = "redemptions:round"
log = logging.getLogger(__name__)

# A broker that is down must not make anybody wait: one try, and the next round finds the row.
ONE_TRY = {"max_retries": 1, "interval_start": 0.0, "interval_step": 0.0, "interval_max": 0.0}


def wake_submitter(redemption_id: int) -> None:
    """Ask a worker to submit now. It is no loss if nobody hears it."""
    options = submit.app.conf.broker_transport_options | ONE_TRY
    with submit.app.connection_for_write(connect_timeout=1, transport_options=options) as broker:
        try:
            submit.apply_async(args=(redemption_id,), connection=broker, retry=False)  # type: ignore[call-arg]
        except OperationalError as fault:
            log.warning("nobody was told of redemption %s: %s", redemption_id, fault)


@shared_task
def submit(redemption_id: int) -> None:
    """Submit one redemption now rather than at the next round."""
    submit_redemption(redemption_id=redemption_id, site=site(), now=timezone.now())


@shared_task
def follow() -> None:
    """Bring every redemption up to date with its job. While Slurm is slow to answer, one round at a time is enough."""
    if not cache.add(ROUND, "", timeout=30):
        return
    try:
        follow_redemptions(site=site(), now=timezone.now())
    finally:
        cache.delete(ROUND)


@shared_task
def settle(redemption_id: int) -> None:
    """Settle one redemption whose job has ended."""
    settle_redemption(redemption_id=redemption_id, site=site())


@shared_task
def reconcile_jobs() -> None:
    """Compare holds, redemptions and jobs."""
    reconcile(site=site(), now=timezone.now())
