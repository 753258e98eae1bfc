"""Exactly one job, whatever is late, lost or done twice."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from scheduler.engines import Phase
from scheduler.errors import EngineRefused, EngineUnreachable
from scheduler.following import LOST_AFTER, follow_redemptions
from scheduler.models import Redemption
from scheduler.redemptions import cancel_redemption
from scheduler.submission import LEASE, MAX_INTENTS, Site, claim_redemption, retry_redemption, submit_redemption
from tests.scheduler.builders import account, redeemed
from tests.scheduler.fake_slurm import FakeSlurm, run

pytestmark = pytest.mark.django_db(transaction=True)
Status = Redemption.Status
DOUBT = timedelta(seconds=60)


@pytest.fixture
def slurm() -> FakeSlurm:
    return FakeSlurm()


@pytest.fixture
def site(slurm: FakeSlurm, jobs_home: Path) -> Site:
    return Site(engine=slurm, home=jobs_home, doubt=DOUBT)


def fails(times: int = 1) -> "object":
    left = [times]

    def fail() -> None:
        if left[0]:
            left[0] -= 1
            raise EngineUnreachable("sbatch did not answer within 40 s.")

    return fail


def test_a_redemption_is_claimed_once(site: Site) -> None:
    redemption, now = redeemed(site.home), timezone.now()

    first = claim_redemption(redemption_id=redemption.id, now=now)
    second = claim_redemption(redemption_id=redemption.id, now=now)

    assert first is not None
    assert first.attempt == 1
    assert second is None


def test_a_claim_passes_on_when_its_lease_is_over(site: Site) -> None:
    redemption, now = redeemed(site.home), timezone.now()
    claim_redemption(redemption_id=redemption.id, now=now)

    again = claim_redemption(redemption_id=redemption.id, now=now + LEASE)

    assert again is not None
    assert again.attempt == 2


def test_a_redemption_submitted_twice_at_once_makes_one_job(site: Site, slurm: FakeSlurm) -> None:
    redemption, now = redeemed(site.home), timezone.now()
    slurm.at_submit = lambda: submit_redemption(redemption_id=redemption.id, site=site, now=now)

    assert submit_redemption(redemption_id=redemption.id, site=site, now=now)
    assert not submit_redemption(redemption_id=redemption.id, site=site, now=now)

    assert slurm.submitted == [redemption.slurm_name]


def test_a_worker_that_slept_through_its_lease_is_fenced_off_before_sbatch(site: Site, slurm: FakeSlurm) -> None:
    redemption, now = redeemed(site.home), timezone.now()

    def another_takes_over() -> None:
        slurm.at_ready = lambda: None
        assert submit_redemption(redemption_id=redemption.id, site=site, now=now + LEASE)

    slurm.at_ready = another_takes_over

    assert not submit_redemption(redemption_id=redemption.id, site=site, now=now)

    assert slurm.submitted == [redemption.slurm_name]
    redemption.refresh_from_db()
    assert (redemption.status, redemption.attempt, redemption.job_id) == (Status.QUEUED, 2, "1")


def test_a_worker_that_slept_between_intent_and_sbatch_makes_a_duplicate_that_is_cancelled(
    site: Site, slurm: FakeSlurm
) -> None:
    redemption, now = redeemed(site.home), timezone.now()
    later = now + LEASE

    def others_take_over() -> None:
        slurm.at_submit = lambda: None
        submit_redemption(redemption_id=redemption.id, site=site, now=later)
        assert submit_redemption(redemption_id=redemption.id, site=site, now=later + DOUBT)

    slurm.at_submit = others_take_over
    submit_redemption(redemption_id=redemption.id, site=site, now=now)

    follow_redemptions(site=site, now=later + DOUBT)

    assert slurm.submitted == [redemption.slurm_name] * 2
    redemption.refresh_from_db()
    assert redemption.job_id == "1"
    assert slurm.cancelled == ["2"]


def test_a_lost_answer_leaves_doubt_and_the_job_is_adopted_by_name(site: Site, slurm: FakeSlurm) -> None:
    redemption, now = redeemed(site.home), timezone.now()

    def made_but_not_said() -> None:
        slurm.add(redemption.slurm_name)
        raise EngineUnreachable("sbatch did not answer within 40 s.")

    slurm.at_submit = made_but_not_said
    assert not submit_redemption(redemption_id=redemption.id, site=site, now=now)
    redemption.refresh_from_db()
    assert (redemption.status, redemption.reason) == (Status.SUBMITTING, "sbatch did not answer within 40 s.")

    assert submit_redemption(redemption_id=redemption.id, site=site, now=now)

    redemption.refresh_from_db()
    assert (redemption.status, redemption.job_id, redemption.intents) == (Status.QUEUED, "1", 1)


def test_of_two_jobs_the_older_is_adopted_and_the_younger_cancelled(site: Site, slurm: FakeSlurm) -> None:
    redemption, now = redeemed(site.home), timezone.now()

    def made_twice() -> None:
        slurm.add(redemption.slurm_name)
        slurm.add(redemption.slurm_name)
        raise EngineUnreachable("no answer")

    slurm.at_submit = made_twice
    submit_redemption(redemption_id=redemption.id, site=site, now=now)

    submit_redemption(redemption_id=redemption.id, site=site, now=now)

    redemption.refresh_from_db()
    assert redemption.job_id == "1"
    assert slurm.cancelled == ["2"]


def test_it_is_submitted_again_only_when_nobody_has_seen_it_for_the_time_of_doubt(site: Site, slurm: FakeSlurm) -> None:
    redemption, now = redeemed(site.home), timezone.now()
    slurm.at_submit = fails()  # type: ignore[assignment]
    submit_redemption(redemption_id=redemption.id, site=site, now=now)

    for seconds in (0, 30, 59):
        assert not submit_redemption(redemption_id=redemption.id, site=site, now=now + timedelta(seconds=seconds))
    assert slurm.submitted == []

    assert submit_redemption(redemption_id=redemption.id, site=site, now=now + timedelta(seconds=60))
    assert slurm.submitted == [redemption.slurm_name]


def test_the_time_of_doubt_runs_only_while_accounting_answers(site: Site, slurm: FakeSlurm) -> None:
    redemption, now = redeemed(site.home), timezone.now()
    slurm.at_submit = fails()  # type: ignore[assignment]
    submit_redemption(redemption_id=redemption.id, site=site, now=now)
    submit_redemption(redemption_id=redemption.id, site=site, now=now)

    slurm.accounting_is_up = False
    assert not submit_redemption(redemption_id=redemption.id, site=site, now=now + timedelta(hours=2))
    redemption.refresh_from_db()
    assert redemption.reason == "Slurm's accounting does not answer."
    slurm.accounting_is_up = True
    assert not submit_redemption(redemption_id=redemption.id, site=site, now=now + timedelta(hours=2))

    assert slurm.submitted == []
    assert submit_redemption(redemption_id=redemption.id, site=site, now=now + timedelta(hours=2) + DOUBT)


def test_while_the_controller_is_down_it_waits_and_says_so(site: Site, slurm: FakeSlurm) -> None:
    redemption, now = redeemed(site.home), timezone.now()
    slurm.controller_is_up = False

    follow_redemptions(site=site, now=now)

    redemption.refresh_from_db()
    assert (redemption.status, redemption.reason) == (Status.PENDING, "Slurm's controller does not answer.")
    assert redemption.intents == 0
    slurm.controller_is_up = True
    follow_redemptions(site=site, now=now)
    redemption.refresh_from_db()
    assert (redemption.status, redemption.reason) == (Status.QUEUED, "")


def test_what_slurm_refuses_is_parked_with_its_words_and_may_be_tried_again(site: Site, slurm: FakeSlurm) -> None:
    redemption, now = redeemed(site.home), timezone.now()

    def refuse() -> None:
        raise EngineRefused("Slurm refused the job: Invalid qos specification")

    slurm.at_submit = refuse
    follow_redemptions(site=site, now=now)
    redemption.refresh_from_db()
    assert (redemption.status, redemption.reason) == (
        Status.PARKED,
        "Slurm refused the job: Invalid qos specification",
    )

    slurm.at_submit = lambda: None
    assert retry_redemption(redemption_id=redemption.id, now=now)
    follow_redemptions(site=site, now=now)

    redemption.refresh_from_db()
    assert redemption.status == Status.QUEUED


def test_after_five_submissions_without_a_job_it_is_parked(site: Site, slurm: FakeSlurm) -> None:
    redemption, now = redeemed(site.home), timezone.now()
    slurm.at_submit = fails(100)  # type: ignore[assignment]

    for minute in range(20):
        submit_redemption(redemption_id=redemption.id, site=site, now=now + timedelta(minutes=minute))

    redemption.refresh_from_db()
    assert (redemption.status, redemption.intents) == (Status.PARKED, MAX_INTENTS)


def test_cancelled_before_it_was_submitted_it_is_over_at_once(site: Site, slurm: FakeSlurm) -> None:
    redemption, now = redeemed(site.home), timezone.now()

    cancel_redemption(redemption_id=redemption.id)

    redemption.refresh_from_db()
    assert (redemption.status, redemption.charged_amount) == (Status.CANCELLED, 0)
    assert account(redemption).held == 0
    assert not submit_redemption(redemption_id=redemption.id, site=site, now=now)
    assert slurm.submitted == []


def test_cancelled_while_a_worker_is_about_to_submit_it_is_never_submitted(site: Site, slurm: FakeSlurm) -> None:
    redemption, now = redeemed(site.home), timezone.now()
    slurm.at_ready = lambda: cancel_redemption(redemption_id=redemption.id)

    assert not submit_redemption(redemption_id=redemption.id, site=site, now=now)

    assert slurm.submitted == []
    redemption.refresh_from_db()
    assert redemption.status == Status.CANCELLED


def test_cancelled_while_in_doubt_it_ends_when_the_doubt_does(site: Site, slurm: FakeSlurm) -> None:
    redemption, now = redeemed(site.home), timezone.now()
    slurm.at_submit = fails()  # type: ignore[assignment]
    submit_redemption(redemption_id=redemption.id, site=site, now=now)

    cancel_redemption(redemption_id=redemption.id)
    redemption.refresh_from_db()
    assert redemption.status == Status.SUBMITTING
    follow_redemptions(site=site, now=now)
    follow_redemptions(site=site, now=now + DOUBT)

    redemption.refresh_from_db()
    assert redemption.status == Status.CANCELLED
    assert account(redemption).held == 0
    assert slurm.submitted == []


def test_cancelled_while_in_doubt_a_job_that_turns_up_is_ended(site: Site, slurm: FakeSlurm) -> None:
    redemption, now = redeemed(site.home), timezone.now()
    slurm.at_submit = fails()  # type: ignore[assignment]
    submit_redemption(redemption_id=redemption.id, site=site, now=now)
    cancel_redemption(redemption_id=redemption.id)

    slurm.add(redemption.slurm_name, Phase.RUNNING)
    follow_redemptions(site=site, now=now)
    assert slurm.cancelled == ["1"]
    slurm.end("1", run("CANCELLED", elapsed=7))
    follow_redemptions(site=site, now=now)

    redemption.refresh_from_db()
    assert (redemption.status, redemption.charged_amount) == (Status.SETTLED, 14)


def test_a_job_nobody_knows_any_more_keeps_its_tokens_held(site: Site, slurm: FakeSlurm) -> None:
    redemption, now = redeemed(site.home), timezone.now()
    follow_redemptions(site=site, now=now)

    slurm.sees_jobs = False
    follow_redemptions(site=site, now=now)

    redemption.refresh_from_db()
    assert (redemption.status, redemption.reason) == (Status.QUEUED, "Slurm does not know the job at present.")
    assert account(redemption).held == redemption.held_amount


def test_with_accounting_down_an_ended_job_waits_to_be_settled(site: Site, slurm: FakeSlurm) -> None:
    redemption, now = redeemed(site.home), timezone.now()
    follow_redemptions(site=site, now=now)
    slurm.end("1", run(elapsed=30))
    slurm.accounting_is_up = False

    follow_redemptions(site=site, now=now)
    redemption.refresh_from_db()
    assert (redemption.status, redemption.reason) == (Status.QUEUED, "Slurm's accounting does not answer.")
    slurm.accounting_is_up = True
    follow_redemptions(site=site, now=now)

    redemption.refresh_from_db()
    assert (redemption.status, redemption.charged_amount) == (Status.SETTLED, 60)


def test_a_job_denied_for_hours_is_parked_and_its_tokens_can_be_had_back(site: Site, slurm: FakeSlurm) -> None:
    redemption, now = redeemed(site.home), timezone.now()
    follow_redemptions(site=site, now=now)
    slurm.sees_jobs = False
    follow_redemptions(site=site, now=now)
    slurm.accounting_is_up = False
    follow_redemptions(site=site, now=now + LOST_AFTER)
    slurm.accounting_is_up = True
    follow_redemptions(site=site, now=now + LOST_AFTER)
    redemption.refresh_from_db()
    assert redemption.status == Status.QUEUED

    follow_redemptions(site=site, now=now + 2 * LOST_AFTER)

    redemption.refresh_from_db()
    assert redemption.status == Status.PARKED
    assert account(redemption).held == redemption.held_amount
    cancel_redemption(redemption_id=redemption.id)
    assert account(redemption).held == 0


def test_one_redemptions_trouble_keeps_no_other_waiting(site: Site, slurm: FakeSlurm) -> None:
    first, second = redeemed(site.home), redeemed(site.home)
    troubles = iter([RuntimeError("a fault of ours")])

    def fail_once() -> None:
        for trouble in troubles:
            raise trouble

    slurm.at_ready = fail_once
    follow_redemptions(site=site, now=timezone.now())

    first.refresh_from_db()
    second.refresh_from_db()
    assert (first.status, second.status) == (Status.SUBMITTING, Status.QUEUED)
