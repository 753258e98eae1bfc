"""The two engines, and a place for their jobs that both the tests and a Slurm job's user may enter."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from scheduler.engines.local import LocalEngine
from scheduler.engines.slurm import SlurmEngine
from scheduler.submission import Site
from tests.slurm.lab import SlurmLab, why_not_here

ENGINES = [pytest.param("local"), pytest.param("slurm", marks=[pytest.mark.slurm, pytest.mark.xdist_group("slurm")])]


@pytest.fixture(scope="session")
def slurm_lab() -> Iterator[SlurmLab]:
    reason = why_not_here()
    if reason and os.environ.get("CI") == "true":
        pytest.fail(f"CI needs a real Slurm. {reason}")
    if reason:
        pytest.skip(reason)
    lab = SlurmLab()
    try:
        lab.start()
        yield lab
    finally:
        lab.stop()


@pytest.fixture
def jobs_home() -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="hg-jobs-", dir="/tmp"))
    home.chmod(0o711)
    yield home
    LocalEngine(home=home).stop_all()
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def local_site(jobs_home: Path) -> Site:
    return Site(engine=LocalEngine(home=jobs_home, gpus=8), home=jobs_home, doubt=timedelta(seconds=30))


@pytest.fixture
def slurm_site(jobs_home: Path, slurm_lab: SlurmLab) -> Iterator[Site]:
    engine = SlurmEngine(user=slurm_lab.job_user, environment=slurm_lab.environment)
    yield Site(engine=engine, home=jobs_home, job_user=slurm_lab.job_user, doubt=timedelta(seconds=30))
    for job in engine.live_jobs():
        engine.cancel(job.job_id)


@pytest.fixture(params=ENGINES)
def site(request: pytest.FixtureRequest) -> Site:
    site: Site = request.getfixturevalue(f"{request.param}_site")
    return site


@pytest.fixture(scope="session")
def dask_python() -> str:
    """A Python with Dask that a Slurm job's user may run; ours is often in somebody's private home."""
    done = subprocess.run(
        ["runuser", "-u", SlurmLab.job_user, "--", sys.executable, "-c", "import distributed"],
        capture_output=True,
        check=False,
    )
    return sys.executable if done.returncode == 0 else ""
