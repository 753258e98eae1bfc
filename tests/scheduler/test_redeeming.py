"""What may be redeemed, what is held for it, and the same confirmation twice."""

import threading
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.utils import timezone

from ledger.errors import Refusal
from ledger.holds import place_hold
from ledger.models import Asset, Hold, Wallet
from ledger.wallets import freeze_wallet
from scheduler.errors import JobScriptChanged, RedemptionConflict
from scheduler.models import Redemption
from scheduler.redemptions import planned_job, redeem_tokens
from tests.scheduler.builders import drawn_class, drawn_series, drawn_user, drawn_wallet, drawn_wish, place

pytestmark = pytest.mark.django_db


@pytest.fixture
def asset() -> Asset:
    return drawn_series()


@pytest.fixture
def wallet(asset: Asset) -> Wallet:
    return drawn_wallet(asset, gpu_hours=10)


def test_redeeming_holds_gpus_times_walltime_and_shows_the_script_it_will_submit(asset: Asset, wallet: Wallet) -> None:
    wish, user = drawn_wish(wallet, asset, gpus=4, walltime_minutes=30), drawn_user(wallet)
    planned = planned_job(wish, place=place(), now=timezone.now())

    redemption = redeem_tokens(wish, user_id=user.id, place=place(), shown_digest=planned.digest)

    assert redemption.held_amount == planned.amount == 4 * 1800
    assert (redemption.hold.amount, redemption.hold.reference) == (7200, f"redemption:{wish.public_id}")
    assert wallet.accounts.get(asset=asset).held == 7200
    assert redemption.job_script == planned.job_script
    assert "--gres=gpu:h100:4" in planned.job_script
    assert planned.left == 36_000 - 7200


def test_the_same_confirmation_again_answers_the_same_redemption(asset: Asset, wallet: Wallet) -> None:
    wish, user = drawn_wish(wallet, asset), drawn_user(wallet)

    first = redeem_tokens(wish, user_id=user.id, place=place())
    second = redeem_tokens(wish, user_id=user.id, place=place())

    assert first.id == second.id
    assert Hold.objects.count() == 1


def test_the_same_confirmation_for_something_else_is_a_conflict(asset: Asset, wallet: Wallet) -> None:
    wish, user = drawn_wish(wallet, asset), drawn_user(wallet)
    redeem_tokens(wish, user_id=user.id, place=place())

    with pytest.raises(RedemptionConflict):
        redeem_tokens(drawn_wish(wallet, asset, public_id=wish.public_id, gpus=1), user_id=user.id, place=place())
    with pytest.raises(RedemptionConflict):
        redeem_tokens(wish, user_id=drawn_user().id, place=place())


@pytest.mark.django_db(transaction=True)
def test_eight_confirmations_at_once_make_one_redemption(asset: Asset, wallet: Wallet) -> None:
    wish, user = drawn_wish(wallet, asset), drawn_user(wallet)
    ids: list[int] = []
    barrier = threading.Barrier(8)

    def confirm() -> None:
        barrier.wait()
        try:
            ids.append(redeem_tokens(wish, user_id=user.id, place=place()).id)
        finally:
            connection.close()

    threads = [threading.Thread(target=confirm) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(ids) == 8
    assert len(set(ids)) == 1
    assert wallet.accounts.get(asset=asset).held == 1200
    assert Hold.objects.filter(status="OPEN").count() == 1


@pytest.mark.django_db(transaction=True)
def test_ten_jobs_at_once_for_the_tokens_of_three_leave_three(asset: Asset, wallet: Wallet) -> None:
    user = drawn_user(wallet)
    # Ten GPU-hours; each asks for three.
    wishes = [drawn_wish(wallet, asset, gpus=3, walltime_minutes=60) for _ in range(10)]
    outcomes: list[str] = []
    barrier = threading.Barrier(10)

    def confirm(number: int) -> None:
        barrier.wait()
        try:
            redeem_tokens(wishes[number], user_id=user.id, place=place())
            outcomes.append("redeemed")
        except Refusal as refusal:
            outcomes.append(refusal.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=confirm, args=[number]) for number in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["not_enough"] * 7 + ["redeemed"] * 3
    assert wallet.accounts.get(asset=asset).held == 3 * 3 * 3600


HOSTILE: list[tuple[str, Any]] = [
    *(("job_name", value) for value in (
        "ok\ntouch PWNED", "", "a" * 65, "a b", "$(id)", "`id`", "a;b", "../x", "naïve", "--wrap=id\n", "a\r", "x\x00",
        "名字", "a%b", "a|b", "name\u2028x", "&", "'", '"', "<script>",
    )),
    *(("gpus", value) for value in (0, -1, 9, 999_999_999, "1", 1.0, True, None, 2**63)),
    *(("walltime_minutes", value) for value in (
        0, -1, 2881, "UNLIMITED", "infinite", "10:99", "99-00:00:00", "00:10:00\ncurl evil", 1.5, True, 2**63,
    )),
    *(("kind", value) for value in ("", "script", "HETJOB", "SCRIPT\n")),
    *(("script", value) for value in ("", "a\0", "\x7fELF\x02", "x" * 300_000)),
    *(("slurm_account", value) for value in ("a b", "x\n#SBATCH --uid=0", "")),
    ("asset_id", 0),
]  # fmt: skip


@pytest.mark.parametrize(("field", "value"), HOSTILE, ids=lambda value: ascii(value)[:30])
def test_a_hostile_wish_is_refused_and_holds_nothing(field: str, value: Any, asset: Asset, wallet: Wallet) -> None:
    wish = drawn_wish(wallet, asset, **{field: value})

    with pytest.raises(Refusal) as refusal:
        redeem_tokens(wish, user_id=drawn_user().id, place=place())

    assert refusal.value.field in {field, "asset"}
    assert not Redemption.objects.exists()
    assert wallet.accounts.get(asset=asset).held == 0


def test_nothing_a_person_types_is_in_the_job_script(asset: Asset, wallet: Wallet) -> None:
    wish = drawn_wish(
        wallet, asset, job_name="marker-in-name", script="#!/bin/sh\n#SBATCH --marker\nmarker-in-script\n"
    )

    planned = planned_job(wish, place=place(), now=timezone.now())

    assert "marker" not in planned.job_script


def test_one_cannot_redeem_more_than_is_available(asset: Asset, wallet: Wallet) -> None:
    from django.db import transaction

    with transaction.atomic():
        place_hold(
            account_id=wallet.accounts.get(asset=asset).id, amount=30_000, reference="order:1", now=timezone.now()
        )

    with pytest.raises(Refusal) as refusal:
        redeem_tokens(drawn_wish(wallet, asset, gpus=8, walltime_minutes=30), user_id=drawn_user().id, place=place())

    assert refusal.value.code == "not_enough"
    assert "4.00 GPU-h" in str(refusal.value)
    assert "1.67 GPU-h" in str(refusal.value)


def test_a_series_that_has_not_started_cannot_be_redeemed_yet(wallet: Wallet) -> None:
    future = drawn_series("H100-NEXT", starts_at=timezone.now() + timedelta(days=3))

    with pytest.raises(Refusal, match="can be redeemed from"):
        redeem_tokens(drawn_wish(wallet, future), user_id=drawn_user().id, place=place())


def test_a_frozen_wallet_redeems_nothing(asset: Asset, wallet: Wallet) -> None:
    freeze_wallet(wallet_id=wallet.id, reason="review", now=timezone.now())

    with pytest.raises(Refusal) as refusal:
        redeem_tokens(drawn_wish(wallet, asset), user_id=drawn_user().id, place=place())

    assert refusal.value.code == "wallet_frozen"


def test_a_series_without_machines_says_so(wallet: Wallet) -> None:
    machines = drawn_class()
    machines.code = "elsewhere"
    machines.save()
    machines.refresh_from_db()

    with pytest.raises(Refusal, match="No machines are set up"):
        redeem_tokens(drawn_wish(wallet, Asset.objects.get(code="H100-TEST")), user_id=drawn_user().id, place=place())


def test_a_script_that_was_shown_otherwise_is_not_submitted(asset: Asset, wallet: Wallet) -> None:
    wish = drawn_wish(wallet, asset, public_id=uuid.uuid4())

    with pytest.raises(JobScriptChanged):
        redeem_tokens(wish, user_id=drawn_user().id, place=place(), shown_digest="0" * 64)

    assert not Redemption.objects.exists()
