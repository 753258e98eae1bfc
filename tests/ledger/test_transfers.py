"""Issue, grant, send, hold and capture: what moves, what is refused, and what happens at once."""

import threading
from datetime import timedelta

import pytest
from django.db import connection, transaction
from django.utils import timezone

from ledger.errors import (
    BadAmount,
    HoldAlreadyResolved,
    HoldExceeded,
    IdempotencyConflict,
    NotEnough,
    Refusal,
    SeriesExpired,
    WalletFrozen,
    WalletMayNotSell,
)
from ledger.governance.policies import refusal_for
from ledger.holds import capture_hold, expire_holds, place_hold, release_hold
from ledger.models import Account, Entry, Hold, Transfer, Wallet
from ledger.transfers import grant, issue, send
from ledger.wallets import account_of, freeze_wallet, system_wallet, unfreeze_wallet
from tests.clock import clock_ahead
from tests.ledger.builders import given, some_series, some_wallet, the_credits

pytestmark = pytest.mark.django_db(transaction=True)


def balances(*accounts: Account) -> list[tuple[int, int]]:
    return [(a.balance, a.held) for a in (Account.objects.get(id=account.id) for account in accounts)]


def sent(sender: Account, receiver: Account, amount: int, key: str) -> Transfer:
    return send(
        asset_id=sender.asset_id, from_wallet_id=sender.wallet_id, to_wallet_id=receiver.wallet_id,
        amount=amount, now=timezone.now(), scope="test", key=key,
    )  # fmt: skip


def test_issue_and_send_move_whole_amounts():
    ada, bob = given(some_wallet(), some_series(), 100), given(some_wallet("Bob"), some_series(), 5)

    transfer = sent(ada, bob, 30, "a")

    assert balances(ada, bob) == [(70, 0), (35, 0)]
    issuer = Account.objects.get(wallet__role=Wallet.Role.ISSUER, asset=ada.asset)
    assert issuer.balance == -105
    assert sorted(transfer.postings.values_list("amount", flat=True)) == [-30, 30]


def test_the_same_key_answers_the_same_and_another_content_is_named():
    ada, bob = given(some_wallet(), some_series(), 100), given(some_wallet("Bob"), some_series(), 5)

    first, second = sent(ada, bob, 30, "a"), sent(ada, bob, 30, "a")
    with pytest.raises(IdempotencyConflict) as caught:
        sent(ada, bob, 31, "a")

    assert first.id == second.id
    assert caught.value.field == "amount"
    assert balances(ada) == [(70, 0)]


@pytest.mark.parametrize("amount", [0, -1, 1.5, True, 2**63, "7"])
def test_an_amount_is_a_whole_number_above_zero(amount):
    ada, bob = given(some_wallet(), some_series(), 100), given(some_wallet("Bob"), some_series(), 5)

    with pytest.raises(BadAmount):
        sent(ada, bob, amount, "a")

    assert balances(ada, bob) == [(100, 0), (5, 0)]


@pytest.mark.parametrize("key", ["", "x" * 121, "a\nb", "a\0b"])
def test_a_key_is_short_and_printable(key):
    ada, bob = given(some_wallet(), some_series(), 100), given(some_wallet("Bob"), some_series(), 5)

    with pytest.raises(Refusal):
        sent(ada, bob, 1, key)


def in_parallel(count: int, act) -> list[object]:
    """Run `act(i)` in threads that start together; answers results, refusals among them."""
    barrier, results = threading.Barrier(count), [None] * count

    def run(i: int) -> None:
        try:
            barrier.wait(30)
            results[i] = act(i)
        except Refusal as refusal:
            results[i] = refusal
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(i,)) for i in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    return results


def test_64_parallel_transfers_of_one_balance_give_exactly_one_success():
    ada, bob = given(some_wallet(), some_series(), 100), given(some_wallet("Bob"), some_series(), 5)

    results = in_parallel(64, lambda i: sent(ada, bob, 100, f"key-{i}"))

    assert sum(isinstance(result, Transfer) for result in results) == 1
    assert sum(isinstance(result, NotEnough) for result in results) == 63
    assert balances(ada, bob) == [(0, 0), (105, 0)]


def test_one_key_in_parallel_has_one_effect_and_one_answer():
    ada, bob = given(some_wallet(), some_series(), 100), given(some_wallet("Bob"), some_series(), 5)

    results = in_parallel(10, lambda _: sent(ada, bob, 60, "same"))

    assert len({result.id for result in results}) == 1
    assert balances(ada) == [(40, 0)]


def test_opposite_transfers_do_not_deadlock():
    ada, bob = given(some_wallet(), some_series(), 1000), given(some_wallet("Bob"), some_series(), 1000)

    results = in_parallel(32, lambda i: sent(ada, bob, 1, f"k{i}") if i % 2 else sent(bob, ada, 1, f"k{i}"))

    assert all(isinstance(result, Transfer) for result in results)
    assert balances(ada, bob) == [(1000, 0), (1000, 0)]


@transaction.atomic(durable=True)
def held(account: Account, amount: int, **fields: object) -> Hold:
    return place_hold(account_id=account.id, amount=amount, reference="test", now=timezone.now(), **fields)


@transaction.atomic(durable=True)
def captured(hold: Hold, amount: int) -> Transfer | None:
    redeemed = system_wallet(Wallet.Role.REDEEMED, now=timezone.now())
    target = account_of(wallet_id=redeemed.id, asset_id=hold.account.asset_id)
    return capture_hold(
        hold_id=hold.id, amount=amount, to_account_id=target.id, kind=Entry.TransferKind.REDEEM,
        reference="test", now=timezone.now(),
    )  # fmt: skip


def test_a_hold_counts_when_placed_and_a_capture_gives_back_the_rest():
    ada, bob = given(some_wallet(), some_series(), 100), given(some_wallet("Bob"), some_series(), 5)

    hold = held(ada, 80)
    with pytest.raises(NotEnough):
        sent(ada, bob, 21, "too much")
    with pytest.raises(NotEnough):
        held(ada, 21)
    captured(hold, 30)

    assert balances(ada) == [(70, 0)]
    with pytest.raises(HoldAlreadyResolved):
        captured(hold, 1)


def test_a_capture_of_more_is_refused_and_of_nothing_is_a_release():
    ada = given(some_wallet(), some_series(), 100)
    first, second = held(ada, 50), held(ada, 50)

    with pytest.raises(HoldExceeded):
        captured(first, 51)
    assert captured(first, 0) is None
    with transaction.atomic():
        release_hold(hold_id=second.id, now=timezone.now())

    assert balances(ada) == [(100, 0)]


def test_two_resolutions_at_once_one_wins():
    ada = given(some_wallet(), some_series(), 100)
    hold = held(ada, 50)

    results = in_parallel(8, lambda _: captured(hold, 10))

    assert sum(isinstance(result, Transfer) for result in results) == 1
    assert sum(isinstance(result, HoldAlreadyResolved) for result in results) == 7
    assert balances(ada) == [(90, 0)]


def test_holds_expire_by_the_databases_time():
    ada = given(some_wallet(), some_series(), 100)
    held(ada, 50, expires_at=timezone.now() - timedelta(seconds=5))
    held(ada, 10, expires_at=timezone.now() + timedelta(days=1))

    assert expire_holds() == 1
    assert balances(ada) == [(100, 10)]


def test_a_frozen_wallet_neither_gives_nor_receives_until_unfrozen():
    ada, bob = given(some_wallet(), some_series(), 100), given(some_wallet("Bob"), some_series(), 5)
    freeze_wallet(wallet_id=ada.wallet_id, reason="asked for", now=timezone.now())

    for act in (lambda: sent(ada, bob, 1, "a"), lambda: sent(bob, ada, 1, "b"), lambda: held(ada, 1)):
        with pytest.raises(WalletFrozen):
            act()
    unfreeze_wallet(wallet_id=ada.wallet_id, now=timezone.now())

    assert sent(ada, bob, 1, "c")


def test_an_allowance_may_be_redeemed_but_not_sent():
    student = given(some_wallet("Stu", may_sell=False), some_series(), 100)
    bob = given(some_wallet("Bob"), some_series(), 5)

    with pytest.raises(WalletMayNotSell):
        sent(student, bob, 1, "a")

    captured(held(student, 10), 4)
    assert balances(student) == [(96, 0)]


def test_an_expired_series_moves_no_more_but_settles():
    series = some_series(expires_at=timezone.now() + timedelta(days=1))
    ada, bob = given(some_wallet(), series, 100), given(some_wallet("Bob"), series, 5)
    later = timezone.now() + timedelta(days=2)

    with clock_ahead(timedelta(days=2)), pytest.raises(SeriesExpired):
        grant(
            asset_id=series.id, from_wallet_id=ada.wallet_id, to_wallet_id=bob.wallet_id, amount=1,
            scope="test", key="late",
        )  # fmt: skip

    assert refusal_for(kind="REDEEM", asset=series, wallet=ada.wallet, gives=True, now=later) is None


def test_credits_are_one_asset_however_often_asked_for():
    results = in_parallel(8, lambda _: the_credits().id)

    assert len(set(results)) == 1


def test_a_refused_issue_leaves_nothing_behind():
    series = some_series(expires_at=timezone.now() + timedelta(days=1))
    wallet = some_wallet()
    before = Entry.objects.count()

    with clock_ahead(timedelta(days=2)), pytest.raises(SeriesExpired):
        issue(asset_id=series.id, wallet_id=wallet.id, amount=5, scope="test", key="late")

    assert Entry.objects.count() == before
    assert not Account.objects.filter(wallet=wallet).exists()
