"""What a job costs, and that it is paid once."""

import threading
from pathlib import Path

import pytest
from django.db import IntegrityError, connection, transaction
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from ledger.models import Transfer
from scheduler.charging import charge_for
from scheduler.following import follow_redemptions
from scheduler.models import JobRun, Redemption
from scheduler.settlement import settle_redemption, write_settlement
from scheduler.submission import Site
from tests.scheduler.builders import account, redeemed
from tests.scheduler.fake_slurm import FakeSlurm, run

STATES = ["COMPLETED", "FAILED", "TIMEOUT", "CANCELLED", "NODE_FAIL", "PREEMPTED", "OUT_OF_MEMORY"]


def test_an_early_end_costs_what_it_used() -> None:
    assert charge_for([run(elapsed=90)], gpus=4, walltime_seconds=600).amount == 360


def test_what_runs_over_the_limit_is_not_charged() -> None:
    assert charge_for([run("TIMEOUT", elapsed=686)], gpus=4, walltime_seconds=600).amount == 2400


def test_all_runs_of_a_requeued_job_are_charged_together() -> None:
    runs = [run("PREEMPTED", elapsed=100), run("COMPLETED", elapsed=200, submit=500)]

    assert charge_for(runs, gpus=2, walltime_seconds=600).amount == 600


def test_what_a_failed_node_took_is_not_charged() -> None:
    runs = [run("NODE_FAIL", elapsed=400), run("COMPLETED", elapsed=50, submit=500)]

    charge = charge_for(runs, gpus=2, walltime_seconds=600)

    assert (charge.amount, charge.seconds, charge.used_seconds) == (100, [0, 50], 450)


@given(
    runs=st.lists(st.tuples(st.sampled_from(STATES), st.integers(0, 10**7)), max_size=6),
    gpus=st.integers(1, 64),
    walltime=st.integers(1, 10**6),
)
def test_a_charge_is_never_negative_nor_above_the_hold(runs: list[tuple[str, int]], gpus: int, walltime: int) -> None:
    drawn = [run(state, elapsed=elapsed, submit=number) for number, (state, elapsed) in enumerate(runs)]

    charge = charge_for(drawn, gpus=gpus, walltime_seconds=walltime)

    assert 0 <= charge.amount <= gpus * walltime
    assert charge.amount % gpus == 0
    if all(each.is_free for each in drawn):
        assert charge.amount == 0


@pytest.fixture
def ended(jobs_home: Path) -> Redemption:
    """A redemption of 2 GPUs for 10 minutes whose job has ended; its runs are not known yet."""
    slurm = FakeSlurm()
    site = Site(engine=slurm, home=jobs_home)
    redemption = redeemed(jobs_home)
    follow_redemptions(site=site, now=timezone.now())
    slurm.end("1")
    follow_redemptions(site=site, now=timezone.now())
    redemption.refresh_from_db()
    assert redemption.status == Redemption.Status.ENDED
    return redemption


@pytest.mark.django_db(transaction=True)
def test_a_failed_node_gives_everything_back(ended: Redemption) -> None:
    write_settlement(redemption_id=ended.id, runs=[run("NODE_FAIL", elapsed=300)])

    ended.refresh_from_db()
    assert (ended.status, ended.charged_amount, ended.transfer) == (Redemption.Status.SETTLED, 0, None)
    assert (account(ended).held, account(ended).balance) == (0, 360_000)


@pytest.mark.django_db(transaction=True)
def test_every_run_is_kept_with_what_was_charged_for_it(ended: Redemption) -> None:
    write_settlement(
        redemption_id=ended.id, runs=[run("PREEMPTED", elapsed=700), run("COMPLETED", elapsed=20, submit=900)]
    )

    runs = (
        JobRun.objects.filter(redemption=ended)
        .order_by("id")
        .values_list("state", "elapsed_seconds", "charged_seconds")
    )
    assert list(runs) == [("PREEMPTED", 700, 600), ("COMPLETED", 20, 20)]
    ended.refresh_from_db()
    assert ended.charged_amount == ended.held_amount == 1200


@pytest.mark.django_db(transaction=True)
def test_sixteen_workers_settling_at_once_settle_once(ended: Redemption) -> None:
    barrier = threading.Barrier(16)

    def settle() -> None:
        barrier.wait()
        write_settlement(redemption_id=ended.id, runs=[run(elapsed=60)])
        connection.close()

    workers = [threading.Thread(target=settle) for _ in range(16)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    ended.refresh_from_db()
    assert (ended.status, ended.charged_amount) == (Redemption.Status.SETTLED, 120)
    assert Transfer.objects.filter(reference=ended.reference).count() == 1
    assert account(ended).balance == 360_000 - 120


@pytest.mark.django_db(transaction=True)
def test_without_the_jobs_own_record_nothing_is_settled(ended: Redemption, jobs_home: Path) -> None:
    stranger = FakeSlurm(runs={ended.slurm_name: [run(job_id="77", elapsed=60)]})

    settled = settle_redemption(redemption_id=ended.id, site=Site(engine=stranger, home=jobs_home))

    assert not settled
    ended.refresh_from_db()
    assert (ended.status, ended.reason) == (Redemption.Status.ENDED, "Slurm's accounting does not have the job yet.")
    assert account(ended).held == ended.held_amount


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(
    "values",
    [
        {"charged_amount": 1201},
        {"status": "SETTLED"},
        {"status": "QUEUED", "job_id": ""},
        {"status": "SUBMITTING", "lease_until": None},
        {"gpus": 0},
        {"job_name": "two\nlines"},
    ],
    ids=str,
)
def test_the_database_refuses_what_cannot_be(ended: Redemption, values: dict[str, object]) -> None:
    with pytest.raises(IntegrityError), transaction.atomic():
        Redemption.objects.filter(id=ended.id).update(**values)
