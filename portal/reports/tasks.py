"""The worker's sign of life."""

from celery import shared_task
from django.conf import settings
from django.utils import timezone

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
