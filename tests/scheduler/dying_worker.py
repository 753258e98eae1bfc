"""A worker in a process of its own that kills itself with SIGKILL at a named point.

python -m tests.scheduler.dying_worker REDEMPTION_ID POINT SITE
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from scheduler.engines import Engine, Job, JobRequest, Look, Run
    from scheduler.models import Redemption
    from scheduler.submission import Site

POINTS = ["before the intent", "before sbatch", "after sbatch", "while the job runs"]
ROOT = Path(__file__).resolve().parent.parent.parent


def run_and_die(redemption: "Redemption", point: str, site: "Site") -> None:
    """Start the worker and wait for its violent end."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.scheduler.dying_worker", str(redemption.id), point, described(site)],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == -signal.SIGKILL, f"the worker ended otherwise: {done.stdout}{done.stderr}"


def described(site: "Site") -> str:
    engine = site.engine
    values = {"home": str(site.home), "user": site.job_user, "environment": getattr(engine, "environment", None)}
    return json.dumps(values)


class Dying:
    """An engine that is there until the point is reached."""

    def __init__(self, engine: "Engine", point: str) -> None:
        self.engine, self.point = engine, point

    def die_at(self, point: str) -> None:
        if self.point == point:
            os.kill(os.getpid(), signal.SIGKILL)

    def ready(self) -> None:
        self.engine.ready()
        self.die_at("before the intent")

    def submit(self, request: "JobRequest") -> str:
        self.die_at("before sbatch")
        job_id = self.engine.submit(request)
        self.die_at("after sbatch")
        return job_id

    def look(self, names: Sequence[str], *, since: datetime) -> "Look":
        return self.engine.look(names, since=since)

    def live_jobs(self) -> list["Job"]:
        return self.engine.live_jobs()

    def cancel(self, job_id: str) -> None:
        self.engine.cancel(job_id)

    def usage(self, name: str, *, since: datetime) -> list["Run"]:
        return self.engine.usage(name, since=since)


def main(redemption_id: int, point: str, values: dict[str, object]) -> None:
    import django

    django.setup()
    from django.utils import timezone

    from scheduler.engines.local import LocalEngine
    from scheduler.engines.slurm import SlurmEngine
    from scheduler.following import follow_redemptions
    from scheduler.models import Redemption
    from scheduler.submission import Site

    home, user = Path(str(values["home"])), str(values["user"])
    environment = values["environment"]
    engine: Engine = LocalEngine(home=home)
    if isinstance(environment, dict):
        engine = SlurmEngine(user=user, environment=environment)
    site = Site(engine=Dying(engine, point), home=home, job_user=user)
    deadline = time.monotonic() + 50
    while time.monotonic() < deadline:
        follow_redemptions(site=site, now=timezone.now())
        if Redemption.objects.get(id=redemption_id).status == Redemption.Status.RUNNING:
            os.kill(os.getpid(), signal.SIGKILL)
        time.sleep(0.1)


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")
    main(int(sys.argv[1]), sys.argv[2], json.loads(sys.argv[3]))
