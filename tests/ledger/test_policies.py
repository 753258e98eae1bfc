"""Policies: versions in the log, one function that foretells and enforces, limits over all of an owner's wallets."""

import json
from datetime import timedelta

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.entries import parse
from ledger.errors import BadPolicyChange, LockedUp, PositionLimit, ReceiverNotAllowed, Refusal
from ledger.governance.policies import owner_of, position_limit, positions_of, refusal_for
from ledger.governance.rules import asset_rules, wallet_rules
from ledger.models import Account, Asset, Entry, Policy, Wallet
from ledger.transfers import Move, grant, lock_accounts, post_transfer, send
from ledger.wallets import account_of, freeze_wallet, open_wallet, unfreeze_wallet
from tests.ledger.builders import given as given_amount
from tests.ledger.builders import ruled, some_series, some_wallet
from tests.waiting import in_a_thread, somebody_waits_for_a_lock, wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def sent(asset: Asset, giver: Wallet, receiver: Wallet, amount: int, key: str = "once") -> None:
    send(
        asset_id=asset.id, from_wallet_id=giver.id, to_wallet_id=receiver.id, amount=amount, now=timezone.now(),
        scope=f"test-{giver.id}", key=key,
    )  # fmt: skip


def test_each_change_is_a_version_a_row_and_an_entry_that_reads_back():
    ada = some_wallet()

    freeze_wallet(wallet_id=ada.id, reason="lost laptop", now=timezone.now())
    unfreeze_wallet(wallet_id=ada.id, now=timezone.now())
    until = timezone.now() + timedelta(days=3)
    ruled(ada, locked_until=until, position_limit=7200)

    versions = Policy.objects.filter(subject=f"wallet:{ada.public_id}").order_by("version")
    assert [policy.version for policy in versions] == [1, 2, 3]
    logged = [json.loads(parse(bytes(policy.entry.body)).definition) for policy in versions]
    assert [policy["version"] for policy in logged] == [1, 2, 3]
    assert [wallet_rules(policy).frozen for policy in logged] == [True, False, False]
    assert wallet_rules(logged[2]).locked_until == until
    assert wallet_rules(logged[2]).position_limit == 7200
    assert b"laptop" not in b"".join(bytes(policy.entry.body) for policy in versions)


def test_a_change_that_changes_nothing_is_no_version():
    ada = some_wallet()
    ruled(ada, may_sell=True, position_limit=None)

    assert Policy.objects.filter(subject=f"wallet:{ada.public_id}").count() == 0


def test_policies_cannot_be_edited_or_deleted():
    ada = some_wallet()
    ruled(ada, may_sell=False)

    for act in (lambda: Policy.objects.update(version=7), lambda: Policy.objects.all().delete()):
        with pytest.raises(DatabaseError), transaction.atomic():
            act()


@pytest.mark.parametrize(
    "changes",
    [
        {"position_limit": -1}, {"position_limit": "many"}, {"locked_until": "soon"}, {"locked_until": "2027-01-01"},
        {"receivers": ["nobody"]}, {"receivers": 5}, {"colour": "red"},
        {"owner": "6f0c1d5e-0000-4000-8000-000000000000"},
    ],
)  # fmt: skip
def test_a_policy_that_nobody_could_read_back_is_refused(changes):
    ada = some_wallet()
    with pytest.raises(BadPolicyChange):
        ruled(ada, **changes)

    assert not Policy.objects.filter(subject=f"wallet:{ada.public_id}").exists()


def test_organisations_and_system_wallets_say_in_the_log_that_series_limits_are_not_theirs():
    with transaction.atomic():
        department = open_wallet(kind=Wallet.Kind.DEPARTMENT, name="Physics", now=timezone.now())
    given_amount(some_wallet(), some_series(), 10)
    issuer = Wallet.objects.get(role="ISSUER")

    for wallet in (department, issuer):
        entry = Policy.objects.get(subject=f"wallet:{wallet.public_id}").entry
        rules = wallet_rules(json.loads(parse(bytes(entry.body)).definition))
        assert rules.unlimited
        assert rules.role == (wallet.role or "")


def test_locked_up_tokens_are_not_given_away_until_the_day():
    ada, bob, series = some_wallet(), some_wallet("Bob"), some_series()
    given_amount(ada, series, 100)
    ruled(ada, locked_until=timezone.now() + timedelta(days=1))

    with pytest.raises(LockedUp):
        sent(series, ada, bob, 10)
    ruled(ada, locked_until=timezone.now() - timedelta(seconds=1))
    sent(series, ada, bob, 10)

    assert Account.objects.get(wallet=bob, asset=series).balance == 10


def test_allow_lists_name_who_may_receive():
    ada, bob, eve, series = some_wallet(), some_wallet("Bob"), some_wallet("Eve"), some_series()
    given_amount(ada, series, 100)
    ruled(ada, receivers=[str(bob.public_id)])

    with pytest.raises(ReceiverNotAllowed):
        sent(series, ada, eve, 10)
    sent(series, ada, bob, 10, key="two")
    ruled(series, receivers=[str(eve.public_id)])
    with pytest.raises(ReceiverNotAllowed):
        sent(series, ada, bob, 10, key="three")


def test_a_position_limit_counts_all_wallets_of_the_beneficial_owner():
    ada, second, bob, series = some_wallet(), some_wallet("Ada's other"), some_wallet("Bob"), some_series()
    given_amount(bob, series, 1000)
    ruled(second, owner=str(ada.public_id))
    ruled(series, position_limit=100)

    sent(series, bob, ada, 60, key="one")
    with pytest.raises(PositionLimit):
        sent(series, bob, second, 41, key="two")
    sent(series, bob, second, 40, key="three")

    assert positions_of([ada.id], series.id) == {ada.id: 100}
    assert owner_of(second) == ada.id


def test_a_department_is_not_bound_by_the_series_limit_but_by_its_own():
    series, bob = some_series(), some_wallet("Bob")
    with transaction.atomic():
        department = open_wallet(kind=Wallet.Kind.DEPARTMENT, name="Physics", now=timezone.now())
    given_amount(bob, series, 1000)
    ruled(series, position_limit=10)

    sent(series, bob, department, 500, key="one")
    ruled(department, position_limit=600)
    with pytest.raises(PositionLimit):
        sent(series, bob, department, 101, key="two")


def test_a_policy_change_waits_for_a_transfer_that_has_read_the_old_one():
    ada, bob, series = some_wallet(), some_wallet("Bob"), some_series()
    account = given_amount(ada, series, 100)
    target = account_of(wallet_id=bob.id, asset_id=series.id)
    with transaction.atomic():
        lock_accounts([account.id, target.id])
        freezing = in_a_thread(lambda: freeze_wallet(wallet_id=ada.id, reason="x", now=timezone.now()))
        wait_until(somebody_waits_for_a_lock)
        post_transfer(kind="SEND", moves=[Move(account.id, -5), Move(target.id, 5)], now=timezone.now())
    freezing.join(20)

    moved = Entry.objects.filter(transfer_kind="SEND").latest("id")
    frozen = Policy.objects.get(subject=f"wallet:{ada.public_id}").entry
    assert moved.id < frozen.id


wallets = st.fixed_dictionaries(
    {},
    optional={
        "frozen": st.booleans(), "may_sell": st.booleans(), "position_limit": st.sampled_from([0, 5, 50, 500]),
        "locked_until": st.sampled_from(["2020-01-01T00:00:00+00:00", "2090-01-01T00:00:00+00:00"]),
        "receivers": st.sampled_from(["bob", "eve", "both"]),
    },
)  # fmt: skip
assets = st.fixed_dictionaries(
    {},
    optional={
        "paused": st.booleans(), "position_limit": st.sampled_from([0, 5, 50, 500]),
        "locked_until": st.sampled_from(["2020-01-01T00:00:00+00:00", "2090-01-01T00:00:00+00:00"]),
        "receivers": st.sampled_from(["bob", "eve", "both"]),
    },
)  # fmt: skip


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture], derandomize=True)
@given(giver=wallets, receiver=wallets, asset=assets, amount=st.integers(1, 60), granted=st.booleans())
def test_what_is_foretold_is_what_is_enforced(giver, receiver, asset, amount, granted):
    ada, bob, eve = some_wallet(), some_wallet("Bob"), some_wallet("Eve")
    series = some_series(f"S-{ada.id}")
    given_amount(ada, series, 50)
    names = {"bob": [str(bob.public_id)], "eve": [str(eve.public_id)], "both": [str(bob.public_id), str(eve.public_id)]}
    for what, changes in ((ada, giver), (bob, receiver), (series, asset)):
        if changes:
            listed = {"receivers": names[changes["receivers"]]} if "receivers" in changes else {}
            ruled(what, **(changes | listed))
    kind = "GRANT" if granted else "SEND"

    now = timezone.now()
    position = positions_of([bob.id], series.id)[bob.id] + amount if position_limit(series, bob) is not None else None
    foretold = refusal_for(kind=kind, asset=series, wallet=ada, gives=True, now=now, other=bob) or refusal_for(
        kind=kind, asset=series, wallet=bob, gives=False, now=now, other=ada, position=position
    )
    expected = foretold.code if foretold else ("not_enough" if amount > 50 else None)
    act = grant if granted else send
    try:
        act(
            asset_id=series.id, from_wallet_id=ada.id, to_wallet_id=bob.id, amount=amount, now=now,
            scope=f"test-{ada.id}", key="one",
        )  # fmt: skip
        happened = None
    except Refusal as refusal:
        happened = refusal.code

    assert happened == expected


def test_rules_of_another_type_are_refused_by_whoever_reads_the_log():
    for policy in ({"frozen": 1}, {"position_limit": True}, {"owner": 5}, {"expires_at": "2027-01-01"}, {"new": 1}):
        with pytest.raises(ValueError):
            wallet_rules(policy)
        with pytest.raises(ValueError):
            asset_rules(policy, is_credits=False, expires_at=None)
