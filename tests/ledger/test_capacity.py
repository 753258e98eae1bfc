"""Issuing never exceeds what the attested GPUs can deliver before the tokens expire."""

import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from ledger.assets import define_pool_series
from ledger.errors import BadAmount, NotDeliverable
from ledger.governance.capacity import attested as attested_of
from ledger.governance.capacity import issuable
from ledger.models import Account, Approval, Asset, Capacity, Entry
from ledger.transfers import issue
from tests.ledger.builders import approved, attested, some_wallet

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = 3600


def series(code: str, *, starts_at: datetime, expires_at: datetime, resource_class: str = "b200") -> Asset:
    return define_pool_series(
        code=code, resource_class=resource_class, gpu_type="b200", gpu_memory_gb=180, network_gbps=800,
        priority="normal", dense_bf16_tflops=2250, starts_at=starts_at, expires_at=expires_at, now=timezone.now(),
    )  # fmt: skip


def issued(asset: Asset, amount: int, key: str = "one") -> None:
    issue(asset_id=asset.id, wallet_id=some_wallet().id, amount=amount, scope="test", key=f"{asset.code}-{key}")


def test_nothing_is_issued_of_a_class_whose_capacity_nobody_attested():
    now = timezone.now()
    asset = series("B1", starts_at=now - timedelta(days=1), expires_at=now + timedelta(days=1))

    with pytest.raises(NotDeliverable):
        issued(asset, 1)

    assert not Entry.objects.filter(transfer_kind="ISSUE").exists()


def test_as_much_is_issued_as_the_gpus_can_deliver_and_no_second_more():
    start = timezone.now() + timedelta(hours=1)
    attested("b200", gpus=4, starts_at=start, ends_at=start + timedelta(hours=10))
    asset = series("B1", starts_at=start, expires_at=start + timedelta(hours=10))

    with pytest.raises(NotDeliverable):
        issued(asset, 40 * HOUR + 1, key="too much")
    assert issuable(asset, timezone.now()) == 40 * HOUR
    issued(asset, 40 * HOUR)
    with pytest.raises(NotDeliverable):
        issued(asset, 1, key="one more")
    assert issuable(asset, timezone.now()) == 0


def test_series_of_one_class_share_its_capacity_in_every_stretch_of_time():
    start = timezone.now() + timedelta(hours=1)
    attested("b200", gpus=1, starts_at=start, ends_at=start + timedelta(hours=20))
    early = series("B1", starts_at=start, expires_at=start + timedelta(hours=10))
    whole = series("B2", starts_at=start, expires_at=start + timedelta(hours=20))
    late = series("B3", starts_at=start + timedelta(hours=10), expires_at=start + timedelta(hours=20))

    issued(early, 8 * HOUR)
    issued(late, 9 * HOUR)

    assert issuable(whole, timezone.now()) == 3 * HOUR
    assert issuable(early, timezone.now()) == 2 * HOUR
    assert issuable(late, timezone.now()) == 1 * HOUR
    issued(whole, 3 * HOUR)
    assert [issuable(one, timezone.now()) for one in (early, whole, late)] == [0, 0, 0]


def test_a_new_version_takes_the_place_of_the_old_and_withdrawing_refuses_only_new_issues():
    start = timezone.now() + timedelta(hours=1)
    first = attested("b200", gpus=4, starts_at=start, ends_at=start + timedelta(hours=10))
    asset = series("B1", starts_at=start, expires_at=start + timedelta(hours=10))
    issued(asset, 20 * HOUR)
    name = str(Capacity.objects.get(entry=first.entry).attestation)

    attested("b200", gpus=3, starts_at=start, ends_at=start + timedelta(hours=10), attestation=name)
    assert issuable(asset, timezone.now()) == 10 * HOUR
    attested("b200", gpus=0, starts_at=start, ends_at=start + timedelta(hours=10), attestation=name)

    assert attested_of("b200") == []
    with pytest.raises(NotDeliverable):
        issued(asset, 1, key="more")
    assert Account.objects.get(wallet__kind="PERSON", asset=asset).balance == 20 * HOUR
    assert list(Capacity.objects.order_by("version").values_list("version", flat=True)) == [1, 2, 3]


@pytest.mark.parametrize(
    ("gpus", "hours"), [(-1, 1), (True, 1), (10**7, 1), (1, 0), (1, -1)]
)  # fmt: skip
def test_capacity_that_makes_no_sense_is_refused(gpus, hours):
    start = timezone.now()
    with pytest.raises(BadAmount):
        attested("b200", gpus=gpus, starts_at=start, ends_at=start + timedelta(hours=hours))

    assert not Capacity.objects.exists()


def test_capacity_takes_two_persons_in_the_database():
    attested("b200", gpus=1)
    row = Capacity.objects.get()
    assert row.approval.approver_id != row.approval.requester_id

    with pytest.raises(DatabaseError), transaction.atomic():
        Capacity.objects.update(gpus=100)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ledger_capacity (attestation, version, resource_class, gpus, starts_at, ends_at, entry_id,"
            " made_at) SELECT gen_random_uuid(), 1, 'b200', 9, now(), now() + '1 day', entry_id, now()"
            " FROM ledger_capacity"
        )


def test_of_many_issues_at_once_only_as_many_as_can_be_delivered():
    start = timezone.now() + timedelta(hours=1)
    attested("b200", gpus=1, starts_at=start, ends_at=start + timedelta(hours=10))
    assets = [series(f"B{n}", starts_at=start, expires_at=start + timedelta(hours=10)) for n in range(2)]
    wallet = some_wallet()
    gate = threading.Barrier(16)

    def press(number: int) -> bool:
        gate.wait(20)
        try:
            issue(asset_id=assets[number % 2].id, wallet_id=wallet.id, amount=HOUR, scope="race", key=str(number))
        except NotDeliverable:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(16) as threads:
        made = list(threads.map(press, range(16)))

    assert made.count(True) == 10
    assert sum(Account.objects.filter(wallet=wallet).values_list("balance", flat=True)) == 10 * HOUR


def test_an_issue_above_the_limit_is_carried_out_when_another_person_approves():
    attested("b200", gpus=10)
    now = timezone.now()
    asset = series("B1", starts_at=now, expires_at=now + timedelta(days=2))
    wallet = some_wallet()

    done = approved(Approval.Kind.ISSUE, {"asset": asset.id, "wallet": wallet.id, "amount": 5 * HOUR})

    assert Account.objects.get(wallet=wallet, asset=asset).balance == 5 * HOUR
    assert done.entry is not None
    assert done.entry.reference == f"approval:{done.public_id}"
