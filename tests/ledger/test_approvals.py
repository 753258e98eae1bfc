"""What takes two persons: the database knows that they are two, and that it is decided once."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction
from django.utils import timezone

from ledger.errors import ApprovalDecided, NotApproved, NotEnough, Refusal
from ledger.governance.approvals import approve, ask_approval, reject
from ledger.models import Account, Approval, Entry, Policy, Wallet
from ledger.wallets import freeze_wallet
from portal.people.models import User
from tests.ledger.builders import approved, given, some_series, some_wallet, two_persons

pytestmark = pytest.mark.django_db(transaction=True)


def forced_content(amount: int = 30) -> dict[str, int]:
    series, ada, bob = some_series(), some_wallet(), some_wallet("Bob")
    given(ada, series, 100)
    freeze_wallet(wallet_id=ada.id, reason="court order", now=timezone.now())
    return {"asset": series.id, "from": ada.id, "to": bob.id, "amount": amount}


def asked(content: dict, kind: str = Approval.Kind.FORCE, **fields) -> Approval:
    return ask_approval(
        kind=kind, content=content, reason="court order 7", requester_id=two_persons()[0], now=timezone.now(), **fields
    )


def decided(approval: Approval, by: int) -> Approval:
    return approve(approval_id=approval.id, approver_id=by, now=timezone.now())


def test_nothing_happens_until_another_person_approves():
    content = forced_content()
    asks, approves = two_persons()

    approval = asked(content)
    assert not Entry.objects.filter(transfer_kind="FORCE").exists()
    with pytest.raises(NotApproved):
        decided(approval, asks)
    done = decided(approval, approves)

    forced = Entry.objects.get(transfer_kind="FORCE")
    assert (done.status, done.entry_id) == ("APPROVED", forced.id)
    assert forced.reference == f"approval:{approval.public_id}"
    assert Account.objects.get(wallet_id=content["to"], asset_id=content["asset"]).balance == 30


def test_the_database_refuses_one_person_in_two_roles():
    approval = asked(forced_content())
    asks, approves = two_persons()

    with pytest.raises(IntegrityError), transaction.atomic():
        Approval.objects.filter(id=approval.id).update(status="APPROVED", approver_id=asks, decided_at=timezone.now())
    decided(approval, approves)
    for change in ({"reason": "other"}, {"status": "REJECTED"}, {"content": {}}):
        with pytest.raises(DatabaseError), transaction.atomic():
            Approval.objects.filter(id=approval.id).update(**change)
    with pytest.raises(DatabaseError), transaction.atomic():
        Approval.objects.all().delete()


def test_it_is_decided_once_also_by_many_at_once():
    approval = asked(forced_content())
    two_persons()
    deciders = [User.objects.create(email=f"d{n}@example.org").id for n in range(8)]
    gate = threading.Barrier(8)

    def press(number: int) -> str:
        gate.wait(20)
        act = approve if number % 2 else reject
        try:
            return act(approval_id=approval.id, approver_id=deciders[number], now=timezone.now()).status
        except ApprovalDecided:
            return "late"
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(press, range(8)))

    assert answers.count("late") == 7
    assert Entry.objects.filter(transfer_kind="FORCE").count() == answers.count("APPROVED")


def test_what_would_be_refused_is_refused_when_it_is_asked_for():
    with pytest.raises(NotEnough):
        asked(forced_content(amount=101))
    with pytest.raises(Refusal):
        asked({"wallet": some_wallet().id, "changes": {"colour": "red"}}, Approval.Kind.POLICY)
    with pytest.raises(NotApproved):
        ask_approval(
            kind="FORCE", content=forced_content(), reason=" ", requester_id=two_persons()[0], now=timezone.now()
        )

    assert not Approval.objects.filter(kind__in=["FORCE", "POLICY"]).exists()


def test_the_same_request_twice_is_one():
    content = forced_content()
    from uuid import uuid4

    name = uuid4()
    assert asked(content, public_id=name).id == asked(content, public_id=name).id


def test_a_lost_wallet_is_frozen_and_its_holder_has_everything_in_the_new_one():
    series, other = some_series(), some_series("H100-OTHER")
    lost, new = some_wallet("Ada, lost"), some_wallet("Ada")
    given(lost, series, 100)
    given(lost, other, 7)

    done = approved(Approval.Kind.RECOVER, {"wallet": lost.id, "to": new.id})

    assert Wallet.objects.get(id=lost.id).frozen_at is not None
    assert not Account.objects.filter(wallet=lost, balance__gt=0).exists()
    assert dict(Account.objects.filter(wallet=new).values_list("asset__code", "balance")) == {
        series.code: 100, other.code: 7,
    }  # fmt: skip
    moved = Entry.objects.filter(transfer_kind="RECOVER")
    assert {entry.reference for entry in moved} == {f"approval:{done.public_id}"}
    assert Policy.objects.get(subject=f"wallet:{lost.public_id}").approval_id == done.id


def test_a_pause_and_its_lifting_are_policies_by_two():
    series = some_series()

    approved(Approval.Kind.POLICY, {"asset": series.id, "changes": {"paused": True}})
    series.refresh_from_db()
    assert series.paused_at is not None
    approved(Approval.Kind.POLICY, {"asset": series.id, "changes": {"paused": False}})
    series.refresh_from_db()

    assert series.paused_at is None
    assert Policy.objects.filter(subject=f"asset:{series.code}").count() == 2
