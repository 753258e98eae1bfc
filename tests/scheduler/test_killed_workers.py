"""A worker that dies by SIGKILL, at every point: one job and one settlement each, on both engines."""

from datetime import timedelta

import pytest
from django.utils import timezone

from ledger.models import Transfer
from scheduler.following import follow_redemptions
from scheduler.models import Redemption
from scheduler.settlement import settle_redemption
from scheduler.submission import LEASE, Site, submit_redemption
from tests.killing import killed_before_statement
from tests.scheduler.builders import account, redeemed
from tests.scheduler.dying_worker import POINTS, run_and_die
from tests.scheduler.following import until_settled
from tests.slurm.lab import wait_until

pytestmark = pytest.mark.django_db(transaction=True)
SCRIPT = '#!/bin/bash\necho ran >> "$HOME/ran"\nsleep 3\n'


@pytest.mark.parametrize("point", POINTS)
def test_a_killed_worker_leaves_one_job_and_one_settlement(site: Site, point: str) -> None:
    redemption = redeemed(site.home, script=SCRIPT)

    run_and_die(redemption, point, site)
    # Another worker, once the dead one's lease is over, and again when doubt is.
    later = timezone.now() + LEASE + timedelta(seconds=1)
    follow_redemptions(site=site, now=later)
    follow_redemptions(site=site, now=later + site.doubt + timedelta(seconds=1))
    until_settled(redemption, site=site)

    assert redemption.status == Redemption.Status.SETTLED
    assert (site.home / redemption.slurm_name / "ran").read_text() == "ran\n"
    runs = site.engine.usage(redemption.slurm_name, since=redemption.created_at)
    assert [run.job_id for run in runs] == [redemption.job_id]
    assert Transfer.objects.filter(reference=redemption.reference).count() == 1
    redemption.hold.refresh_from_db()
    assert (redemption.hold.status, redemption.hold.captured_amount) == ("CAPTURED", redemption.charged_amount)
    assert account(redemption).balance == 360_000 - (redemption.charged_amount or 0)
    assert account(redemption).held == 0


def test_before_the_intent_another_worker_starts_over_without_waiting_out_the_doubt(local_site: Site) -> None:
    redemption = redeemed(local_site.home, script=SCRIPT)
    run_and_die(redemption, "before the intent", local_site)

    follow_redemptions(site=local_site, now=timezone.now() + LEASE + timedelta(seconds=1))

    redemption.refresh_from_db()
    assert redemption.status in {Redemption.Status.QUEUED, Redemption.Status.RUNNING}


def test_after_sbatch_the_job_is_found_by_its_name(local_site: Site) -> None:
    redemption = redeemed(local_site.home, script=SCRIPT)
    run_and_die(redemption, "after sbatch", local_site)
    redemption.refresh_from_db()
    assert (redemption.status, redemption.job_id) == (Redemption.Status.SUBMITTING, "")

    follow_redemptions(site=local_site, now=timezone.now() + LEASE + timedelta(seconds=1))

    redemption.refresh_from_db()
    assert redemption.job_id != ""
    assert redemption.intents == 1


def test_a_job_on_this_machine_outlives_its_worker(local_site: Site) -> None:
    redemption = redeemed(local_site.home, script='echo "before"\nsleep 2\necho "after"\n')
    run_and_die(redemption, "while the job runs", local_site)

    until_settled(redemption, site=local_site)

    assert redemption.outcome == "COMPLETED"
    assert (local_site.home / redemption.slurm_name / "output.txt").read_text() == "before\nafter\n"


def test_killed_at_any_statement_of_settling_it_is_settled_once(local_site: Site) -> None:
    redemption = redeemed(local_site.home, script="sleep 1.1")
    until_ended(redemption, local_site)
    points = 0
    while killed_before_statement(points + 1, lambda: settle_redemption(redemption_id=redemption.id, site=local_site)):
        points += 1
        redemption.refresh_from_db()
        charged = redemption.charged_amount or 0
        # All of it or none of it, whatever the instant.
        assert (account(redemption).held, account(redemption).balance) in {
            (redemption.held_amount, 360_000),
            (0, 360_000 - charged),
        }
        if redemption.is_settled:
            break

    settle_redemption(redemption_id=redemption.id, site=local_site)

    assert points > 10
    redemption.refresh_from_db()
    assert redemption.status == Redemption.Status.SETTLED
    assert Transfer.objects.filter(reference=redemption.reference).count() == 1
    assert redemption.runs.count() == 1
    assert redemption.history.filter(status="SETTLED").count() == 1


def test_killed_at_any_statement_of_submitting_it_has_one_job(local_site: Site) -> None:
    points = 0
    while True:
        redemption = redeemed(local_site.home, script=SCRIPT.replace("sleep 3", "sleep 0.2"))
        killed = killed_before_statement(
            points + 1,
            lambda made=redemption: submit_redemption(redemption_id=made.id, site=local_site, now=timezone.now()),
        )
        points += killed
        later = timezone.now() + LEASE + timedelta(seconds=1)
        follow_redemptions(site=local_site, now=later)
        follow_redemptions(site=local_site, now=later + local_site.doubt + timedelta(seconds=1))
        until_settled(redemption, site=local_site)
        assert (local_site.home / redemption.slurm_name / "ran").read_text() == "ran\n"
        assert Transfer.objects.filter(reference=redemption.reference).count() == 1
        if not killed:
            break

    assert points > 5


def until_ended(redemption: Redemption, site: Site) -> None:
    """Until the job has ended and nothing is settled yet."""
    follow_redemptions(site=site, now=timezone.now())
    wait_until(lambda: site.engine.live_jobs() == [], "the job's end")
    Redemption.objects.filter(id=redemption.id).update(status="ENDED", ended_at=timezone.now())
    redemption.refresh_from_db()
