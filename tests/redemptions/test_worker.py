"""A real Celery worker and beat, as processes of their own: a message wakes them, and without one they find the row."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ledger.models import Asset
from portal.people.models import User
from portal.redemptions.tasks import wake_submitter
from scheduler.models import Redemption
from scheduler.redemptions import redeem_tokens
from tests.conftest import ROOT
from tests.scheduler.builders import account, drawn_wish, place
from tests.slurm.lab import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def start(jobs_home: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []

    def start(*words: str, follow_seconds: str = "3600") -> subprocess.Popen[bytes]:
        environment = os.environ | {"HOURGLASS_JOBS_DIR": str(jobs_home), "HOURGLASS_FOLLOW_SECONDS": follow_seconds}
        process = subprocess.Popen(
            [sys.executable, "-m", "celery", "-A", "portal.celery", *words], cwd=ROOT, env=environment,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture
def redemption(ada: User, series: Asset, jobs_home: Path) -> Redemption:
    assert ada.wallet is not None
    wish = drawn_wish(ada.wallet, series, script="sleep 1.2")
    return redeem_tokens(wish, user_id=ada.id, place=place(jobs_home))


def has_settled(redemption: Redemption) -> bool:
    redemption.refresh_from_db()
    return redemption.is_settled


def test_a_message_wakes_the_worker_that_submits_and_rounds_settle(
    start: Callable[..., object], redemption: Redemption, tmp_path: Path
) -> None:
    start("worker", "--pool=solo", "--without-gossip", "--without-mingle")
    wake_submitter(redemption.id)
    wait_until(lambda: Redemption.objects.filter(id=redemption.id).exclude(job_id="").exists(), "the job", 60)

    start("beat", "--schedule", str(tmp_path / "beat"), follow_seconds="0.5")
    wait_until(lambda: has_settled(redemption), "the settlement", 60)

    assert redemption.outcome == "COMPLETED"
    assert account(redemption).held == 0


def test_without_any_message_the_next_round_finds_the_row(
    start: Callable[..., object], redemption: Redemption, tmp_path: Path
) -> None:
    start(
        "worker", "--pool=solo", "--without-gossip", "--without-mingle", "--beat",
        "--schedule", str(tmp_path / "beat"), follow_seconds="0.5",
    )  # fmt: skip

    wait_until(lambda: has_settled(redemption), "the settlement", 90)

    assert redemption.outcome == "COMPLETED"
    assert redemption.intents == 1
