"""The end of a series: what is left moves to expired, in bounded batches, and running jobs keep what they hold."""

from datetime import timedelta

import pytest
from django.db import transaction
from django.utils import timezone

from ledger.clock import database_now
from ledger.governance.expiry import expire_balances, series_to_sweep
from ledger.holds import capture_hold, place_hold
from ledger.models import Account, Asset, Entry, Hold, Wallet
from ledger.wallets import account_of, system_wallet
from tests.ledger.builders import given, some_series, some_wallet
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def soon_expired(amounts: list[int]) -> tuple[Asset, list[Account]]:
    """A series that expires in a moment, and what so many wallets have of it."""
    series = some_series("H100-SOON", expires_at=timezone.now() + timedelta(seconds=1.5))
    return series, [given(some_wallet(f"Holder {n}"), series, amount) for n, amount in enumerate(amounts)]


def expired_balance(series: Asset) -> int:
    return Account.objects.get(wallet__role=Wallet.Role.EXPIRED, asset=series).balance


def test_a_living_series_is_not_swept():
    series = some_series()
    given(some_wallet(), series, 5)

    assert series_to_sweep() == []
    assert expire_balances(asset_id=series.id) == 0


def test_what_is_left_moves_in_bounded_batches_until_nothing_is_left():
    series, accounts = soon_expired([1, 2, 3, 4, 5])
    wait_until(lambda: series.expires_at <= database_now())

    moved = []
    while count := expire_balances(asset_id=series.id, limit=2):
        moved.append(count)

    assert moved == [2, 2, 1]
    assert expired_balance(series) == 15
    assert all(not Account.objects.get(id=account.id).balance for account in accounts)
    assert Entry.objects.filter(transfer_kind="EXPIRE").count() == 3
    series.refresh_from_db()
    assert series.swept_at is not None
    assert series_to_sweep() == []


def test_a_redemption_that_runs_over_the_expiry_keeps_its_hold_and_what_it_gives_back_expires():
    series, (account,) = soon_expired([100])
    with transaction.atomic():
        hold = place_hold(account_id=account.id, amount=60, reference="redemption:x", now=timezone.now())
    wait_until(lambda: series.expires_at <= database_now())

    assert expire_balances(asset_id=series.id) == 1
    assert expire_balances(asset_id=series.id) == 0
    account.refresh_from_db()
    assert (account.balance, account.held) == (60, 60)
    assert series_to_sweep() == [series.id]
    with transaction.atomic():
        redeemed = system_wallet(Wallet.Role.REDEEMED, now=timezone.now())
        target = account_of(wallet_id=redeemed.id, asset_id=series.id)
        capture_hold(
            hold_id=hold.id, amount=45, to_account_id=target.id, kind="REDEEM", reference="redemption:x",
            now=timezone.now(),
        )  # fmt: skip
    assert expire_balances(asset_id=series.id) == 1
    assert expire_balances(asset_id=series.id) == 0

    assert expired_balance(series) == 40 + 15
    assert Account.objects.get(id=target.id).balance == 45
    assert Hold.objects.get(id=hold.id).status == "CAPTURED"
    assert series_to_sweep() == []
