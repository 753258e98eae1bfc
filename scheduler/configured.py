"""The engine and the job folders that this site's settings name: read at the edge, by tasks, commands and views."""

import sys
from datetime import timedelta
from pathlib import Path

from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from scheduler.engines import Engine
from scheduler.engines.local import LocalEngine
from scheduler.engines.slurm import SlurmEngine
from scheduler.redemptions import JobPlace
from scheduler.submission import Site


def jobs_home() -> Path:
    return Path(settings.HOURGLASS_JOBS_DIR).absolute()


def job_place() -> JobPlace:
    return JobPlace(home=jobs_home(), python=settings.HOURGLASS_JOB_PYTHON or sys.executable)


def engine() -> Engine:
    if settings.HOURGLASS_ENGINE == "slurm":
        return SlurmEngine(user=settings.HOURGLASS_JOB_USER, environment=settings.HOURGLASS_SLURM_ENVIRONMENT)
    if settings.HOURGLASS_ENGINE == "local":
        return LocalEngine(home=jobs_home(), gpus=settings.HOURGLASS_LOCAL_GPUS)
    raise ImproperlyConfigured("HOURGLASS_ENGINE must be slurm or local.")


def site() -> Site:
    return Site(
        engine=engine(),
        home=jobs_home(),
        job_user=settings.HOURGLASS_JOB_USER if settings.HOURGLASS_ENGINE == "slurm" else "",
        doubt=timedelta(seconds=settings.HOURGLASS_DOUBT_SECONDS),
    )
