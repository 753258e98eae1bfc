"""The way of a redemption on both engines: what a job gets, what it costs, and what comes back."""

import pytest
from django.utils import timezone

from scheduler.following import follow_redemptions
from scheduler.jobfiles import job_output
from scheduler.models import Redemption
from scheduler.redemptions import cancel_redemption
from scheduler.settlement import settle_redemption
from scheduler.submission import Site
from tests.scheduler.builders import account, redeemed, redeemed_in_all
from tests.scheduler.following import follow_until, until, until_settled

pytestmark = pytest.mark.django_db(transaction=True)
Status = Redemption.Status
TEN_MINUTES = 2 * 600


def test_a_job_that_ends_early_is_charged_for_what_it_used_and_the_rest_is_back(site: Site) -> None:
    redemption = redeemed(site.home, script='#!/bin/bash\necho "gpus $CUDA_VISIBLE_DEVICES"\nsleep 1.2\n')
    assert (account(redemption).held, account(redemption).balance) == (TEN_MINUTES, 360_000)

    until_settled(redemption, site=site)

    assert redemption.status == Status.SETTLED
    assert redemption.outcome == "COMPLETED"
    assert redemption.used_seconds is not None
    assert 1 <= redemption.used_seconds < 10
    assert redemption.charged_amount == redemption.used_seconds * 2
    assert (account(redemption).held, account(redemption).balance) == (0, 360_000 - redemption.charged_amount)
    assert redeemed_in_all(redemption.asset) == redemption.charged_amount
    assert redemption.transfer is not None
    assert redemption.transfer.reference == redemption.reference


def test_the_job_sees_as_many_gpus_as_were_redeemed(site: Site) -> None:
    redemption = redeemed(site.home, gpus=3, script='echo "count $(echo $CUDA_VISIBLE_DEVICES | tr , "\\n" | wc -l)"')

    until_settled(redemption, site=site)

    output = job_output(redemption, home=site.home)
    assert output is not None
    assert output.text == "count 3\n"


def test_its_history_names_every_status_it_came_through(site: Site) -> None:
    redemption = redeemed(site.home, script="sleep 2")

    until(redemption, Status.RUNNING, site=site)
    until_settled(redemption, site=site)

    seen = list(redemption.history.order_by("id").values_list("status", flat=True))
    assert seen == [Status.PENDING, Status.QUEUED, Status.RUNNING, Status.ENDED, Status.SETTLED]
    assert redemption.started_at is not None
    assert redemption.ended_at is not None
    assert redemption.started_at <= redemption.ended_at


def test_a_job_that_fails_is_charged_and_says_how_it_ended(site: Site) -> None:
    redemption = redeemed(site.home, script="echo oops >&2\nsleep 1.1\nexit 3\n")

    until_settled(redemption, site=site)

    assert (redemption.outcome, redemption.exit_code) == ("FAILED", 3)
    assert (redemption.charged_amount or 0) > 0
    output = job_output(redemption, home=site.home)
    assert output is not None
    assert output.text == "oops\n"


def test_a_running_job_that_is_cancelled_is_charged_for_what_it_ran(site: Site) -> None:
    redemption = redeemed(site.home, script="sleep 1000")
    until(redemption, Status.RUNNING, site=site)

    cancel_redemption(redemption_id=redemption.id)
    until_settled(redemption, site=site)

    assert redemption.outcome == "CANCELLED"
    assert redemption.charged_amount == 2 * (redemption.used_seconds or 0)
    assert account(redemption).held == 0
    assert site.engine.live_jobs() == []


def test_a_waiting_job_that_is_cancelled_costs_nothing(site: Site) -> None:
    blocker = redeemed(site.home, gpu="b200", gpus=8, script="sleep 1000")
    until(blocker, Status.RUNNING, site=site)
    waiting = redeemed(site.home, gpu="b200", gpus=8, script="sleep 1000")
    until(waiting, Status.QUEUED, site=site)

    cancel_redemption(redemption_id=waiting.id)
    until_settled(waiting, site=site)

    assert (waiting.status, waiting.charged_amount) == (Status.CANCELLED, 0)
    assert (account(waiting).held, account(waiting).balance) == (0, 360_000)
    cancel_redemption(redemption_id=blocker.id)
    until_settled(blocker, site=site)


def test_a_waiting_job_says_why_it_waits(site: Site) -> None:
    blocker = redeemed(site.home, gpu="b200", gpus=8, script="sleep 1000")
    until(blocker, Status.RUNNING, site=site)
    waiting = redeemed(site.home, gpu="b200", gpus=1, script="true")

    follow_until(waiting, lambda each: each.reason in {"Resources", "Priority"}, site=site)

    assert waiting.status == Status.QUEUED
    cancel_redemption(redemption_id=blocker.id)
    until_settled(waiting, site=site)


def test_settling_again_changes_nothing(site: Site) -> None:
    redemption = redeemed(site.home, script="sleep 1.1")
    until_settled(redemption, site=site)
    before = (redemption.charged_amount, account(redemption).balance, redemption.history.count())

    assert settle_redemption(redemption_id=redemption.id, site=site)
    follow_redemptions(site=site, now=timezone.now())

    redemption.refresh_from_db()
    assert (redemption.charged_amount, account(redemption).balance, redemption.history.count()) == before


@pytest.mark.slurm
@pytest.mark.xdist_group("slurm")
def test_a_job_killed_at_its_time_limit_by_slurm_is_charged_its_hold_and_no_more(slurm_site: Site) -> None:
    redemption = redeemed(slurm_site.home, walltime_minutes=1, script="sleep 1000")

    until_settled(redemption, site=slurm_site, seconds=150)

    assert redemption.outcome == "TIMEOUT"
    assert (redemption.used_seconds or 0) >= 60
    assert redemption.charged_amount == redemption.held_amount == 120
    assert (account(redemption).held, account(redemption).balance) == (0, 360_000 - 120)


def test_a_job_killed_at_its_time_limit_on_this_machine_is_charged_its_limit(local_site: Site) -> None:
    redemption = redeemed(local_site.home, script="trap '' TERM\nwhile true; do sleep 1; done\n")
    # A minute is the shortest that can be asked for; two seconds show the same.
    Redemption.objects.filter(id=redemption.id).update(walltime_seconds=2)

    until_settled(redemption, site=local_site)

    assert redemption.outcome == "TIMEOUT"
    assert (redemption.used_seconds or 0) >= 2
    assert redemption.charged_amount == 2 * 2
    assert account(redemption).held == 0


def test_the_job_sees_no_secret_of_the_site(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTAL_PROBE_KEY", "not-for-jobs")
    redemption = redeemed(site.home, script="env\n")

    until_settled(redemption, site=site)

    output = job_output(redemption, home=site.home)
    assert output is not None
    assert "CUDA_VISIBLE_DEVICES=" in output.text
    for secret in ("DATABASE_URL", "SECRET_KEY", "REDIS_URL", "not-for-jobs", "HOURGLASS"):
        assert secret not in output.text


def test_directives_in_the_script_have_no_effect(site: Site) -> None:
    script = "#!/bin/bash\r\n#SBATCH --gres=gpu:h100:8\r\n#SBATCH -t 1000\r\n#SBATCH --output=/tmp/elsewhere\r\n" + (
        'echo "$CUDA_VISIBLE_DEVICES" | tr , "\\n" | wc -l\r\n'
    )
    redemption = redeemed(site.home, gpus=1, script=script)

    until_settled(redemption, site=site)

    output = job_output(redemption, home=site.home)
    assert output is not None
    assert output.text.strip() == "1"


def test_a_python_script_needs_no_more_than_its_shebang(site: Site) -> None:
    redemption = redeemed(site.home, script="#!/usr/bin/env python3\nprint(6 * 7)\n")

    until_settled(redemption, site=site)

    output = job_output(redemption, home=site.home)
    assert output is not None
    assert output.text == "42\n"
