"""Each kind of difference between holds, redemptions and jobs is counted; jobs that nothing is held for are ended."""

import uuid
from dataclasses import asdict
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import transaction
from django.utils import timezone

from ledger.holds import place_hold, release_hold
from scheduler.engines import Phase
from scheduler.following import follow_redemptions
from scheduler.models import Reconciliation, Redemption
from scheduler.reconciling import reconcile
from scheduler.redemptions import cancel_redemption
from scheduler.settlement import write_settlement
from scheduler.submission import Site
from tests.scheduler.builders import account, redeemed
from tests.scheduler.fake_slurm import FakeSlurm, run

pytestmark = pytest.mark.django_db
Status = Redemption.Status
SOON = timedelta(minutes=10)


@pytest.fixture
def slurm() -> FakeSlurm:
    return FakeSlurm()


@pytest.fixture
def site(slurm: FakeSlurm, jobs_home: Path) -> Site:
    return Site(engine=slurm, home=jobs_home)


@pytest.fixture
def queued(site: Site) -> Redemption:
    redemption = redeemed(site.home)
    follow_redemptions(site=site, now=timezone.now())
    redemption.refresh_from_db()
    return redemption


def counted(site: Site) -> dict[str, int]:
    """The kinds that were found, and how many."""
    differences = reconcile(site=site, now=timezone.now() + SOON)
    return {kind: count for kind, count in asdict(differences).items() if count}


def test_when_all_is_well_nothing_is_counted(site: Site, queued: Redemption) -> None:
    assert counted(site) == {}


def test_a_hold_that_no_redemption_explains(site: Site, queued: Redemption) -> None:
    with transaction.atomic():
        place_hold(account_id=account(queued).id, amount=5, reference=f"redemption:{uuid.uuid4()}", now=timezone.now())

    assert counted(site) == {"hold_without_redemption": 1}


def test_a_redemption_whose_hold_is_gone(site: Site, queued: Redemption) -> None:
    with transaction.atomic():
        release_hold(hold_id=queued.hold_id, now=timezone.now())

    assert counted(site) == {"redemption_without_hold": 1}


def test_a_redemption_whose_job_nobody_knows(site: Site, slurm: FakeSlurm, queued: Redemption) -> None:
    slurm.jobs.clear()

    assert counted(site) == {"redemption_without_job": 1}
    assert account(queued).held == queued.held_amount


def test_a_missing_job_is_not_counted_while_accounting_is_down(
    site: Site, slurm: FakeSlurm, queued: Redemption
) -> None:
    slurm.jobs.clear()
    slurm.accounting_is_up = False

    assert counted(site) == {}


def test_a_job_of_no_redemption_is_counted_and_left_alone(site: Site, slurm: FakeSlurm) -> None:
    slurm.add(f"hg-{uuid.uuid4()}")
    slurm.add("hg-not-an-id")

    assert counted(site) == {"job_without_redemption": 2}
    assert slurm.cancelled == []


def test_a_settled_redemption_with_a_live_job(site: Site, slurm: FakeSlurm) -> None:
    redemption = redeemed(site.home)
    cancel_redemption(redemption_id=redemption.id)
    slurm.add(redemption.slurm_name, Phase.RUNNING)

    assert counted(site) == {"settled_but_running": 1}
    assert slurm.cancelled == ["1"]


def test_a_second_job_of_one_redemption(site: Site, slurm: FakeSlurm, queued: Redemption) -> None:
    slurm.add(queued.slurm_name)

    assert counted(site) == {"duplicate_jobs": 1}
    assert slurm.cancelled == ["2"]


def test_an_ended_job_that_stays_unsettled(site: Site, slurm: FakeSlurm, queued: Redemption) -> None:
    slurm.end("1")
    follow_redemptions(site=site, now=timezone.now())

    assert counted(site) == {"ended_not_settled": 1}


def test_a_job_that_used_more_than_was_held(site: Site, slurm: FakeSlurm, queued: Redemption) -> None:
    slurm.end("1")
    follow_redemptions(site=site, now=timezone.now())
    write_settlement(redemption_id=queued.id, runs=[run("TIMEOUT", elapsed=686)])

    assert counted(site) == {"used_over_held": 1}


def test_a_parked_redemption(site: Site) -> None:
    redemption = redeemed(site.home)
    Redemption.objects.filter(id=redemption.id).update(status=Status.PARKED)

    assert counted(site) == {"parked": 1}


def test_what_was_found_is_kept_even_when_slurm_is_down(site: Site, slurm: FakeSlurm, queued: Redemption) -> None:
    slurm.controller_is_up = False
    Redemption.objects.filter(id=queued.id).update(status=Status.PARKED)

    reconcile(site=site, now=timezone.now())

    kept = Reconciliation.objects.latest()
    assert kept.complete is False
    assert kept.differences["parked"] == 1
