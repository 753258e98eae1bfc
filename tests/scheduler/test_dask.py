"""A program that uses dask.distributed runs on a cluster inside the allocation, and the cluster ends with it."""

import sys
from pathlib import Path

import pytest

from scheduler.engines.slurm import SlurmEngine
from scheduler.jobfiles import job_output
from scheduler.models import Redemption
from scheduler.submission import Site
from tests.scheduler.builders import redeemed
from tests.scheduler.conftest import ENGINES
from tests.scheduler.following import until_settled
from tests.slurm.lab import SlurmLab

pytestmark = pytest.mark.django_db(transaction=True)

PROGRAM = """\
import os
from distributed import Client, get_worker

def device(_):
    return os.environ["CUDA_VISIBLE_DEVICES"]

with Client() as client:
    print("address", client.scheduler.address.split(":")[0])
    print("workers", len(client.scheduler_info()["workers"]))
    print("squares", sum(client.gather(client.map(lambda number: number * number, range(100)))))
    names = sorted(client.run(lambda: os.environ["CUDA_VISIBLE_DEVICES"]).values())
    print("devices", ",".join(names))
"""


@pytest.fixture(params=ENGINES)
def dask_site(request: pytest.FixtureRequest, jobs_home: Path) -> Site:
    """A job's Python must be one its user may run: ours is often in root's own home, and then the job is root's."""
    if request.param == "local":
        local: Site = request.getfixturevalue("local_site")
        return local
    lab: SlurmLab = request.getfixturevalue("slurm_lab")
    if request.getfixturevalue("dask_python"):
        common: Site = request.getfixturevalue("slurm_site")
        return common
    return Site(engine=SlurmEngine(user="root", environment=lab.environment), home=jobs_home)


def test_a_dask_program_runs_on_one_worker_a_gpu_and_the_cluster_ends_with_it(dask_site: Site) -> None:
    redemption = redeemed(
        dask_site.home, kind=Redemption.Kind.DASK, gpus=3, script=PROGRAM, python=sys.executable, walltime_minutes=5
    )

    until_settled(redemption, site=dask_site, seconds=90)

    output = job_output(redemption, home=dask_site.home)
    assert output is not None
    # A loaded machine may close with a worker's last heartbeat in the air, and Dask says so in the same output.
    said = [
        line for line in output.text.splitlines() if line.split(" ")[0] in {"address", "workers", "squares", "devices"}
    ]
    assert said == ["address tls", "workers 3", "squares 328350", "devices 0,1,2"]
    assert redemption.outcome == "COMPLETED"
    assert redemption.charged_amount == 3 * (redemption.used_seconds or 0)
    assert dask_site.engine.live_jobs() == []


def test_a_dask_program_that_fails_makes_its_job_fail(local_site: Site) -> None:
    redemption = redeemed(
        local_site.home, kind=Redemption.Kind.DASK, gpus=1, script="raise SystemExit(4)\n", python=sys.executable
    )

    until_settled(redemption, site=local_site)

    assert (redemption.outcome, redemption.exit_code) == ("FAILED", 4)


def test_a_stranger_on_the_node_cannot_join_the_cluster(local_site: Site) -> None:
    program = """\
import os, subprocess, sys
address = os.environ["DASK_SCHEDULER_ADDRESS"]
clean = {key: value for key, value in os.environ.items() if not key.startswith("DASK_")}
code = "from distributed import Client; Client(%r, timeout=3); print('joined')"
for where in (address, address.replace("tls://", "tcp://")):
    done = subprocess.run([sys.executable, "-c", code % where], env=clean, capture_output=True, text=True)
    print("stranger", "joined" if "joined" in done.stdout else "refused")
"""
    redemption = redeemed(local_site.home, kind=Redemption.Kind.DASK, gpus=1, script=program, python=sys.executable)

    until_settled(redemption, site=local_site)

    output = job_output(redemption, home=local_site.home)
    assert output is not None
    assert [line for line in output.text.splitlines() if line.startswith("stranger")] == ["stranger refused"] * 2
