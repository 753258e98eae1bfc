"""Example jobs, offered on the redeem page for a first job: each computes something worth computing within a minute."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

from django.conf import settings
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from scheduler.models import Redemption


@dataclass(frozen=True)
class Example:
    slug: str
    title: str | Promise
    summary: str | Promise
    kind: str
    file: str
    gpus: int = 1
    walltime_minutes: int = 5

    @property
    def script(self) -> str:
        return _text(self.file)

    @property
    def job_name(self) -> str:
        return self.slug


EXAMPLES = [
    Example(
        "option-price",
        _("Price an option"),
        _("Monte Carlo with its error, checked against Black and Scholes' formula."),
        Redemption.Kind.SCRIPT,
        "option_price.py",
        gpus=2,
    ),
    Example(
        "planets",
        _("A century of planets"),
        _("The giant planets' orbits, and how well two methods conserve energy."),
        Redemption.Kind.SCRIPT,
        "planets.py",
    ),
    Example(
        "heat",
        _("Heat in a rod"),
        _("A differential equation solved on finer and finer grids, against the exact answer."),
        Redemption.Kind.SCRIPT,
        "heat.py",
    ),
    Example(
        "clusters",
        _("Find groups in points"),
        _("k-means from several starts at once, and whether it found the truth."),
        Redemption.Kind.SCRIPT,
        "clusters.py",
        gpus=2,
    ),
    Example(
        "dask-primes",
        _("Primes with Dask"),
        _("Counts primes and twin primes below ten million, shared among Dask workers."),
        Redemption.Kind.DASK,
        "dask_primes.py",
        gpus=2,
    ),
    Example(
        "dask-bootstrap",
        _("Bootstrap with Dask"),
        _("How sure one may be of a median, by resampling on Dask workers."),
        Redemption.Kind.DASK,
        "dask_bootstrap.py",
        gpus=2,
    ),
]


def example_named(slug: str) -> Example | None:
    return next((example for example in EXAMPLES if example.slug == slug), None)


@cache
def _text(file: str) -> str:
    return (Path(settings.BASE_DIR) / "examples" / file).read_text()
