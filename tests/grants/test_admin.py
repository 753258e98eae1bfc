"""The admin: a department admin's reach ends at their departments, auditors read, ledger rows are only read."""

import csv
import io
import re
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from allauth.mfa.totp.internal.auth import TOTP
from django.contrib import admin as django_admin
from django.db import DatabaseError, connection, transaction
from django.urls import reverse

from ledger.models import Account, Entry, Posting, Wallet
from market.instruments import open_instrument
from market.models import Instrument, InstrumentChange
from portal.people.access import people_listed, wallets_listed
from portal.people.models import Membership, Organisation
from scheduler.models import ResourceClass
from tests.grants.builders import HOUR, a_world, signed_in
from tests.institutes.builders import balance
from tests.people.builders import Role, now, some_person
from tests.scheduler.builders import drawn_class

pytestmark = pytest.mark.django_db(transaction=True)
MODELS = [
    "people_user", "people_organisation", "people_membership", "ledger_wallet", "ledger_account", "ledger_entry",
    "institutes_cohort", "institutes_joincode", "institutes_enrolment",
]  # fmt: skip


def objects_of(world) -> dict[str, int]:
    """One object of each kind that belongs to the department alone."""
    entry = Posting.objects.filter(account__wallet=world.student.wallet).latest("transfer_id").transfer_id
    return {
        "people_user": world.student.id,
        "people_organisation": world.institute.id,
        "people_membership": world.researcher.memberships.get().id,
        "ledger_wallet": world.student.wallet_id,
        "ledger_account": Account.objects.get(wallet=world.student.wallet, asset=world.series).id,
        "ledger_entry": entry,
        "institutes_cohort": world.cohort.id,
        "institutes_joincode": world.cohort.codes.get().id,
        "institutes_enrolment": world.cohort.enrolments.get().id,
    }


def test_lists_pages_and_typed_addresses_end_at_ones_own_departments():
    world, other = a_world("Physics"), a_world("Biology")
    mine, theirs = objects_of(world), objects_of(other)
    client = signed_in(world.admin)

    for model in MODELS:
        page = client.get(reverse(f"admin:{model}_changelist"))
        assert page.status_code == 200, model
        shown = {found.pk for found in page.context["cl"].queryset}
        assert mine[model] in shown, model
        assert theirs[model] not in shown, model
        assert page.context["cl"].result_count == len(shown), model
        assert page.context["cl"].full_result_count in (len(shown), None), model
        assert client.get(reverse(f"admin:{model}_change", args=[mine[model]])).status_code == 200, model
        foreign = client.get(reverse(f"admin:{model}_change", args=[theirs[model]]))
        missing = client.get(reverse(f"admin:{model}_change", args=[987654]))
        assert (foreign.status_code, missing.status_code) == (404, 404), model
        assert client.get(reverse(f"admin:{model}_history", args=[theirs[model]])).status_code == 404, model


def test_filters_offer_and_find_only_ones_own():
    world, other = a_world("Physics"), a_world("Biology")
    client = signed_in(world.admin)

    page = client.get(reverse("admin:institutes_enrolment_changelist"))
    assert world.cohort.name in page.content.decode()
    assert other.cohort.name not in page.content.decode()

    typed = client.get(reverse("admin:institutes_enrolment_changelist"), {"cohort__id__exact": other.cohort.id})
    assert typed.context["cl"].result_count == 0
    searched = client.get(reverse("admin:people_user_changelist"), {"q": "Biology"})
    assert searched.context["cl"].result_count == 0


@pytest.mark.parametrize(
    "query",
    [
        {"user__password__startswith": "pbkdf2"},
        {"wallet__owner__password__contains": "a"},
        {"_connector": "OR 1=1) --"},
        {"o": "password"},
        {"_to_field": "password"},
        {"e": "1"},
    ],
)
def test_a_list_filters_by_nothing_but_what_it_offers(query):
    world, other = a_world("Physics"), a_world("Biology")
    client = signed_in(world.admin)

    answer = client.get(reverse("admin:people_user_changelist"), query)

    assert answer.status_code in (200, 302, 400)
    assert other.student.email not in answer.content.decode()


def test_counts_on_the_start_page_are_of_ones_own():
    world = a_world("Physics")
    before = signed_in(world.admin).get("/admin/").content.decode()
    a_world("Biology")
    after = signed_in(world.admin).get("/admin/").content.decode()

    figures = re.compile(r'tracking-tight text-important">(\d+)<')
    assert figures.findall(before)[:2] == figures.findall(after)[:2]
    assert figures.findall(after)[:2] == [
        str(people_listed(world.admin).count()),
        str(wallets_listed(world.admin).count()),
    ]


def test_the_start_page_says_what_waits():
    world = a_world("Physics")
    signed_in(world.admin).post(f"/admin/ledger/wallet/{world.student.wallet_id}/freeze/", {"reason": "lost laptop"})

    page = signed_in(world.admin).get("/admin/").content.decode()

    assert "Student Physics is frozen" in page
    assert "lost laptop" in page


@pytest.mark.parametrize("role", [Role.RESEARCHER, Role.STUDENT, Role.INSTITUTE_LEAD])
def test_the_admin_is_not_for_others(role):
    world = a_world()
    organisation = world.institute if role == Role.INSTITUTE_LEAD else world.department
    client = signed_in(some_person("Rita", (role, organisation)))

    assert client.get("/admin/ledger/wallet/", follow=True).status_code == 403


def test_where_a_second_step_is_asked_for_the_admin_waits_for_it(settings):
    settings.ADMIN_REQUIRES_SECOND_STEP = True
    world = a_world()
    client = signed_in(world.admin)

    refused = client.get("/admin/ledger/wallet/", follow=True)
    assert refused.redirect_chain[-1][0] == "/accounts/2fa/"
    assert "asks for a second step" in refused.content.decode()

    TOTP.activate(world.admin, "JBSWY3DPEHPK3PXP")
    assert client.get("/admin/ledger/wallet/").status_code == 200


def test_the_admin_has_a_content_policy_of_its_own_and_the_site_a_stricter_one():
    world = a_world()
    client = signed_in(world.admin)

    inside = client.get("/admin/").headers["Content-Security-Policy"]
    outside = client.get("/").headers["Content-Security-Policy"]

    assert "script-src 'self' 'unsafe-eval';" in inside
    assert "unsafe" not in outside
    for policy in (inside, outside):
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "form-action 'self'" in policy


def test_an_operator_founds_a_department_and_an_admin_defines_a_series_that_can_be_traded():
    drawn_class()
    operator = signed_in(some_person("Olga", (Role.OPERATOR, None)))
    form = {"kind": "DEPARTMENT", "name": "Chemistry", "slug": "chemistry", "slurm_account": "chem"}
    for spoiled in ({"slug": "a b"}, {"name": ""}, {"slurm_account": "x\n#SBATCH"}, {"kind": "SECT"}):
        assert operator.post("/admin/people/organisation/add/", form | spoiled).status_code == 422
    operator.post("/admin/people/organisation/add/", form)
    chemistry = Organisation.objects.get(slug="chemistry")
    assert chemistry.wallet.kind == Wallet.Kind.DEPARTMENT
    assert operator.post("/admin/people/organisation/add/", form).status_code == 422

    admin = signed_in(some_person("Cleo", (Role.DEPARTMENT_ADMIN, chemistry)))
    day = now().date()
    series = {
        "code": "H100-2027Q2",
        "resource_class": ResourceClass.objects.get().id,
        "priority": "normal",
        "starts_on": day.isoformat(),
        "ends_on": (day + timedelta(days=90)).isoformat(),
    }
    for spoiled in ({"ends_on": "9999-12-31"}, {"priority": "best"}, {"code": "h100"}, {"starts_on": "0000-00-00"}):
        assert admin.post("/admin/ledger/asset/add/", series | spoiled).status_code == 422, spoiled
    admin.post("/admin/ledger/asset/add/", series)
    assert Instrument.objects.get().code == "H100-2027Q2"
    assert admin.post("/admin/ledger/asset/add/", series | {"priority": "high"}).status_code == 422


def test_issuing_shows_before_and_does_once():
    world = a_world()
    client = signed_in(world.admin)
    address = "/admin/grants/grantupload/issue/"
    form = {
        "wallet": world.department.wallet_id,
        "asset": world.series.id,
        "amount": "2.5",
        "key": str(uuid.uuid4()),
    }

    shown = client.post(address, form | {"review": "1"}).content.decode()
    assert "1,002.50" in shown
    assert balance(world.department.wallet_id, world.series) == 1000 * HOUR

    for _press in range(2):
        client.post(address, form | {"confirm": "1"})
    assert balance(world.department.wallet_id, world.series) == 1002.5 * HOUR
    changed = client.post(address, form | {"confirm": "1", "amount": "3"})
    assert changed.status_code == 422
    assert balance(world.department.wallet_id, world.series) == 1002.5 * HOUR


def test_granting_moves_from_the_department_to_its_people_only():
    world, other = a_world("Physics"), a_world("Biology")
    client = signed_in(world.admin)
    form = {
        "wallet": world.department.wallet_id,
        "to_wallet": world.researcher.wallet_id,
        "asset": world.series.id,
        "amount": "10",
        "key": str(uuid.uuid4()),
        "confirm": "1",
    }

    client.post("/admin/grants/grantupload/grant/", form)
    assert balance(world.researcher.wallet_id, world.series) == 10 * HOUR

    for spoiled in (
        {"to_wallet": other.researcher.wallet_id},
        {"wallet": other.department.wallet_id},
        {"to_wallet": world.department.wallet_id},
        {"amount": "5000"},
        {"amount": "-1"},
        {"amount": "NaN"},
        {"amount": "0.001"},
        {"key": "again"},
    ):
        answer = client.post("/admin/grants/grantupload/grant/", form | {"key": str(uuid.uuid4())} | spoiled)
        assert answer.status_code == 422, spoiled
    assert balance(world.researcher.wallet_id, world.series) == 10 * HOUR


def test_pressing_grant_eight_times_at_once_grants_once():
    world = a_world()
    form = {
        "wallet": world.department.wallet_id,
        "to_wallet": world.researcher.wallet_id,
        "asset": world.series.id,
        "amount": "10",
        "key": str(uuid.uuid4()),
        "confirm": "1",
    }

    def press(_number: int) -> int:
        try:
            return signed_in(world.admin).post("/admin/grants/grantupload/grant/", form).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        answers = list(threads.map(press, range(8)))

    assert answers == [302] * 8
    assert balance(world.researcher.wallet_id, world.series) == 10 * HOUR


def test_freezing_needs_a_reason_and_ones_own_department():
    world, other = a_world("Physics"), a_world("Biology")
    client = signed_in(world.admin)
    own = f"/admin/ledger/wallet/{world.student.wallet_id}/freeze/"

    assert client.post(own, {"reason": ""}).status_code == 422
    client.post(own, {"reason": "lost laptop"})
    assert Wallet.objects.get(id=world.student.wallet_id).frozen_at is not None

    foreign = client.post(f"/admin/ledger/wallet/{other.student.wallet_id}/freeze/", {"reason": "x"})
    missing = client.post("/admin/ledger/wallet/987654/freeze/", {"reason": "x"})
    assert (foreign.status_code, missing.status_code) == (404, 404)
    assert Wallet.objects.get(id=other.student.wallet_id).frozen_at is None


def test_an_instrument_is_halted_and_resumed():
    world = a_world()
    instrument = open_instrument(asset_id=world.series.id, now=now())
    client = signed_in(world.admin)

    client.post(f"/admin/market/instrument/{instrument.id}/halt/", {"reason": "prices look wrong"})
    assert Instrument.objects.get().phase == "HALTED"
    client.post(f"/admin/market/instrument/{instrument.id}/resume/", {"reason": "they were right"})
    assert Instrument.objects.get().phase == "AUCTION"
    changes = InstrumentChange.objects.order_by("id").values_list("cause", "phase", "reason", "changed_by")
    assert list(changes) == [
        ("HALTED", "HALTED", "prices look wrong", world.admin.pk),
        ("RESUMED", "AUCTION", "they were right", world.admin.pk),
    ]


def test_an_auditor_reads_all_and_every_post_is_refused():
    world = a_world()
    instrument = open_instrument(asset_id=world.series.id, now=now())
    client = signed_in(some_person("Otto", (Role.AUDITOR, None)))

    for model in django_admin.site._registry:
        label = f"{model._meta.app_label}_{model._meta.model_name}"
        assert client.get(reverse(f"admin:{label}_changelist")).status_code == 200, label
        assert client.post(reverse(f"admin:{label}_changelist")).status_code == 403, label
        assert client.get(reverse(f"admin:{label}_add")).status_code == 403, label
        assert client.post(reverse(f"admin:{label}_add")).status_code == 403, label
    for address in (
        f"/admin/ledger/wallet/{world.student.wallet_id}/freeze/",
        f"/admin/market/instrument/{instrument.id}/halt/",
        "/admin/grants/grantupload/issue/",
        "/admin/grants/grantupload/grant/",
    ):
        assert client.post(address).status_code == 403, address
        assert client.get(address).status_code == 403, address


def test_ledger_rows_have_no_form_no_delete_and_the_database_refuses():
    world = a_world()
    entry = Entry.objects.latest("id")
    client = signed_in(world.admin)
    root = some_person("Root")
    root.is_superuser = root.is_staff = True
    root.save()

    for person in (client, signed_in(root)):
        for model, found in (("entry", entry), ("account", Account.objects.filter(wallet=world.student.wallet).get())):
            change = reverse(f"admin:ledger_{model}_change", args=[found.pk])
            page = person.get(change)
            assert page.status_code == 200
            assert 'name="_save"' not in page.content.decode()
            assert person.post(change, {"balance": 10**9, "reference": "x"}).status_code == 403
            assert (
                person.post(reverse(f"admin:ledger_{model}_delete", args=[found.pk]), {"post": "yes"}).status_code
                == 403
            )
    for statement in (
        f"UPDATE ledger_entry SET reference = 'x' WHERE id = {entry.id}",
        f"DELETE FROM ledger_entry WHERE id = {entry.id}",
        "UPDATE ledger_account SET balance = balance + 1",
        "TRUNCATE ledger_posting",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_a_department_admin_gives_and_takes_roles_of_their_own_only():
    world, other = a_world("Physics"), a_world("Biology")
    newcomer = some_person("Nina")
    client = signed_in(world.admin)
    add = reverse("admin:people_membership_add")

    client.post(add, {"email": newcomer.email, "role": "RESEARCHER", "organisation": world.department.id})
    assert Membership.objects.filter(user=newcomer, role="RESEARCHER").count() == 1
    for role, organisation in (
        ("DEPARTMENT_ADMIN", world.department.id),
        ("OPERATOR", ""),
        ("RESEARCHER", other.department.id),
        ("INSTITUTE_LEAD", world.department.id),
    ):
        client.post(add, {"email": newcomer.email, "role": role, "organisation": organisation})
    assert Membership.objects.filter(user=newcomer).count() == 1

    foreign = other.researcher.memberships.get()
    assert client.post(reverse("admin:people_membership_delete", args=[foreign.id]), {"post": "yes"}).status_code == 404
    own = world.researcher.memberships.get()
    client.post(reverse("admin:people_membership_delete", args=[own.id]), {"post": "yes"})
    assert not Membership.objects.filter(id=own.id).exists()


@pytest.mark.parametrize("name", ['=HYPERLINK("http://evil","x")', "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_an_export_holds_no_formula_and_only_ones_own(name):
    world, other = a_world("Physics"), a_world("Biology")
    world.researcher.name = name
    world.researcher.save()
    client = signed_in(world.admin)
    page = client.get(reverse("admin:people_user_export"))
    assert page.status_code == 200
    fields = {f"resource_{field}": "on" for field in ("email", "name", "is_active", "date_joined")}

    answer = client.post(reverse("admin:people_user_export"), {"format": "0", "resource": "0"} | fields)

    rows = list(csv.reader(io.StringIO(answer.content.decode(), newline="")))
    names = {row[0]: row[1] for row in rows[1:]}
    assert names[world.researcher.email] == f"'{name}"
    assert other.researcher.email not in names
