"""The worker's sign of life, and what it keeps of prices."""

from celery import shared_task
from django.conf import settings
from django.utils import timezone

from ledger.clock import database_now
from ledger.proof.configured import configured_sealer
from market.prices.candles import fold_all
from market.prices.concentration import count_concentrations
from market.prices.flags import flag_own_with_own, scan_all
from market.prices.lending import lend_references
from market.prices.publishing import publish_index
from market.prices.reference import record_all
from portal.reports.health import beat
from scheduler.configured import engine
from scheduler.errors import EngineError


@shared_task
def heartbeat() -> None:
    """Say that the worker lives, and whether it reaches the engine."""
    problem = ""
    try:
        engine().ready()
    except EngineError as error:
        problem = str(error)
    beat(engine=settings.HOURGLASS_ENGINE, problem=problem, now=timezone.now())


@shared_task
def keep_prices() -> int:
    """Fold new trades into candles, then look through them for what is suspicious. Killed anywhere, it goes on."""
    folded = fold_all()
    scan_all()
    return folded


@shared_task
def look_at_owners() -> int:
    """Flag trades between wallets that turned out to be one owner's."""
    return flag_own_with_own()


@shared_task
def record_references() -> int:
    """Store the reference prices that have changed, and give them to bands that have nothing to measure by."""
    stored = record_all()
    lend_references(now=database_now())
    return stored


@shared_task
def publish_prices() -> int:
    """Publish and sign what is due of the index, of all trades there are: a worker that was away folds them first."""
    keep_prices()
    return publish_index(configured_sealer(), now=database_now())


@shared_task
def count_holdings() -> int:
    """Count how series are held, those whose figures are an hour old."""
    return count_concentrations(now=database_now())
