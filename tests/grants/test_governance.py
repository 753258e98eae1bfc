"""What takes two persons, in the admin: one asks, another decides, and nobody sees what is not theirs."""

import uuid
from datetime import timedelta

import pytest
from django.test import override_settings
from django.urls import reverse

from ledger.governance.capacity import attested
from ledger.models import Account, Approval, Entry, Policy, Posting, Wallet
from ledger.wallets import freeze_wallet
from tests.grants.builders import HOUR, World, a_world, signed_in
from tests.people.builders import Role, now, some_person
from tests.scheduler.builders import drawn_class

pytestmark = pytest.mark.django_db(transaction=True)


def second_admin(world: World):
    person = some_person("Second admin", (Role.DEPARTMENT_ADMIN, world.department))
    return signed_in(person)


def an_operator():
    return signed_in(some_person("Operator", (Role.OPERATOR, None)))


def waiting() -> Approval:
    return Approval.objects.get(status="WAITING")


def decided(client, approval: Approval, how: str = "approve") -> int:
    return client.post(reverse("admin:ledger_approval_change", args=[approval.id]), {how: "1"}).status_code


def test_one_person_freezes_and_two_let_go_again():
    world = a_world("Physics")
    wallet = world.student.wallet
    freeze_wallet(wallet_id=wallet.id, reason="lost laptop", now=now())
    admin, second = signed_in(world.admin), second_admin(world)

    assert admin.post(f"/admin/ledger/wallet/{wallet.id}/unfreeze/", {"reason": ""}).status_code == 422
    admin.post(f"/admin/ledger/wallet/{wallet.id}/unfreeze/", {"reason": "laptop found"})
    approval = waiting()
    assert Wallet.objects.get(id=wallet.id).frozen_at is not None
    assert decided(admin, approval) == 403
    assert decided(second, approval) == 302

    assert Wallet.objects.get(id=wallet.id).frozen_at is None
    page = second.get(reverse("admin:ledger_approval_change", args=[approval.id])).content.decode()
    assert "laptop found" in page
    assert "approved" in page


def test_an_approval_of_another_department_is_not_there():
    world, other = a_world("Physics"), a_world("Biology")
    freeze_wallet(wallet_id=world.student.wallet_id, reason="x", now=now())
    signed_in(world.admin).post(f"/admin/ledger/wallet/{world.student.wallet_id}/unfreeze/", {"reason": "found"})
    stranger = signed_in(other.admin)

    assert stranger.get(reverse("admin:ledger_approval_change", args=[waiting().id])).status_code == 404
    assert decided(stranger, waiting()) == 404
    assert stranger.post(f"/admin/ledger/wallet/{world.student.wallet_id}/rules/", {"reason": "x"}).status_code == 404
    shown = stranger.get(reverse("admin:ledger_approval_changelist")).context["cl"].queryset
    assert not shown.filter(id=waiting().id).exists()


def test_an_issue_above_the_limit_waits_for_a_second_person():
    world = a_world("Physics")
    admin, second = signed_in(world.admin), second_admin(world)
    wallet, key = world.department.wallet, str(uuid.uuid4())
    before = Account.objects.get(wallet=wallet, asset=world.series).balance
    form = {"wallet": wallet.id, "asset": world.series.id, "amount": "20000", "key": key}

    with override_settings(ISSUE_LIMIT_GPU_HOURS=10_000):
        assert admin.post(reverse("admin:issue_tokens"), form | {"confirm": "1"}).status_code == 422
        form["reason"] = "new nodes"
        assert admin.post(reverse("admin:issue_tokens"), form | {"review": "1"}).status_code == 200
        for _ in range(2):
            assert admin.post(reverse("admin:issue_tokens"), form | {"confirm": "1"}).status_code == 302
    assert Account.objects.get(wallet=wallet, asset=world.series).balance == before
    assert decided(second, waiting()) == 302

    assert Account.objects.get(wallet=wallet, asset=world.series).balance == before + 20_000 * HOUR
    assert Approval.objects.filter(kind="ISSUE").count() == 1


def test_capacity_is_attested_by_two_and_a_rejection_moves_nothing():
    world = a_world("Physics")
    admin, operator = signed_in(world.admin), an_operator()
    machines = world.series.resource_class
    row = drawn_class(machines)
    before = len(attested(machines))
    form = {
        "resource_class": row.id, "gpus": "8", "starts_on": "2026-01-01", "ends_on": "2026-12-31", "reason": "rack 4",
    }  # fmt: skip

    assert operator.post(reverse("admin:ledger_capacity_add"), form | {"gpus": "-1"}).status_code == 422
    operator.post(reverse("admin:ledger_capacity_add"), form)
    assert decided(operator, waiting()) == 403
    assert decided(admin, waiting(), "reject") == 302
    assert len(attested(machines)) == before
    operator.post(reverse("admin:ledger_capacity_add"), form)
    assert decided(admin, waiting()) == 302

    assert len(attested(machines)) == before + 1


def test_rules_of_a_wallet_and_of_a_series():
    world = a_world("Physics")
    admin, second, operator = signed_in(world.admin), second_admin(world), an_operator()
    wallet = world.researcher.wallet
    day = (now() + timedelta(days=9)).date().isoformat()
    rules = {"may_sell": "on", "locked_until": day, "position_limit": "500", "receivers": "", "reason": "bonus"}

    assert admin.post(f"/admin/ledger/wallet/{wallet.id}/rules/", rules | {"receivers": "nobody"}).status_code == 422
    admin.post(f"/admin/ledger/wallet/{wallet.id}/rules/", rules)
    decided(second, waiting())
    wallet.refresh_from_db()
    assert (wallet.position_limit, wallet.locked_until.date().isoformat()) == (500 * HOUR, day)
    operator.post(f"/admin/ledger/asset/{world.series.id}/rules/", {"paused": "on", "reason": "audit"})
    decided(admin, waiting())

    world.series.refresh_from_db()
    assert world.series.paused_at is not None
    assert Policy.objects.filter(subject=f"asset:{world.series.code}").count() == 1
    assert admin.get(reverse("admin:ledger_asset_change", args=[world.series.id])).status_code == 200
    assert admin.get(reverse("admin:ledger_wallet_change", args=[wallet.id])).status_code == 200
    assert admin.get(reverse("admin:ledger_policy_changelist")).status_code == 200


def test_a_forced_transfer_a_recovery_and_a_correction():
    world = a_world("Physics")
    admin, second = signed_in(world.admin), second_admin(world)
    student, researcher = world.student.wallet, world.researcher.wallet
    had = Account.objects.get(wallet=student, asset=world.series).balance
    grant = Posting.objects.filter(account__wallet=student, account__asset=world.series, amount__gt=0).latest(
        "transfer_id"
    )

    forced = {
        "to_wallet": researcher.id, "asset": world.series.id, "amount": "1", "reason": "court", "key": uuid.uuid4(),
    }  # fmt: skip
    admin.post(f"/admin/ledger/wallet/{student.id}/force/", forced)
    decided(second, waiting())
    assert Account.objects.get(wallet=student, asset=world.series).balance == had - HOUR
    admin.post(f"/admin/ledger/wallet/{student.id}/recover/", {"to_wallet": researcher.id, "reason": "lost"})
    decided(second, waiting())
    assert Account.objects.get(wallet=student, asset=world.series).balance == 0
    refused = admin.post(f"/admin/ledger/entry/{grant.transfer_id}/correct/", {"reason": "wrong person"})
    assert refused.status_code == 422

    kinds = set(Entry.objects.filter(kind="TRANSFER").values_list("transfer_kind", flat=True))
    assert {"FORCE", "RECOVER"} <= kinds


def test_an_auditor_reads_approvals_and_decides_none():
    world = a_world("Physics")
    freeze_wallet(wallet_id=world.student.wallet_id, reason="x", now=now())
    signed_in(world.admin).post(f"/admin/ledger/wallet/{world.student.wallet_id}/unfreeze/", {"reason": "found"})
    auditor = signed_in(some_person("Auditor", (Role.AUDITOR, None)))

    assert auditor.get(reverse("admin:ledger_approval_change", args=[waiting().id])).status_code == 200
    assert decided(auditor, waiting()) == 403
    for address in ("ledger_capacity_add", "issue_tokens"):
        assert auditor.post(reverse(f"admin:{address}"), {}).status_code == 403


def test_the_start_page_says_what_waits_for_the_other():
    world = a_world("Physics")
    freeze_wallet(wallet_id=world.student.wallet_id, reason="x", now=now())
    signed_in(world.admin).post(f"/admin/ledger/wallet/{world.student.wallet_id}/unfreeze/", {"reason": "laptop found"})
    address = reverse("admin:ledger_approval_change", args=[waiting().id])

    assert address in second_admin(world).get("/admin/").content.decode()
    assert address not in signed_in(world.admin).get("/admin/").content.decode()
