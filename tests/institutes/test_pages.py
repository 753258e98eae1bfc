"""The institute's pages: what everybody sees, what a student does, what a lead does."""

from datetime import timedelta

import pytest
from django.test import Client

from portal.institutes.enrolment import enrol
from portal.institutes.models import Cohort, JoinCode
from portal.people.accounts import add_member
from tests.institutes.builders import HOUR, balance, some_code, some_cohort
from tests.people.builders import Role, now, some_department, some_institute, some_person

pytestmark = pytest.mark.django_db(transaction=True)


def signed_in(person) -> Client:
    client = Client()
    client.force_login(person)
    return client


def lead_of(institute):
    return some_person("Lena", (Role.INSTITUTE_LEAD, institute))


def test_everybody_sees_an_institute_and_its_cohorts_and_nobody_on_the_roster():
    cohort = some_cohort()
    ada = some_person("Ada Byron")
    enrol(user_id=ada.id, code=some_code(cohort).code)

    page = Client().get(f"/institutes/{cohort.institute.slug}/").content.decode()

    assert cohort.name in page
    assert cohort.institute.name in Client().get("/institutes/").content.decode()
    assert "Ada" not in page
    assert "20.00" in page


def test_a_name_with_a_script_is_shown_as_text():
    institute = some_institute(some_department(), name="Riverbank")
    institute.name = "<script>alert(1)</script>{{7*7}}"
    institute.save()

    page = Client().get(f"/institutes/{institute.slug}/").content.decode()

    assert "<script>alert(1)" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{{7*7}}" in page


def test_a_student_sees_what_a_code_gives_and_then_has_it():
    cohort = some_cohort()
    code = some_code(cohort)
    ada = some_person()
    client = signed_in(ada)

    shown = client.get("/enrol/", {"code": code.code}).content.decode()
    assert "20.00" in shown
    assert "redeemed, not sold" in shown
    assert balance(ada.wallet_id, cohort.asset) == 0

    after = client.post("/enrol/", {"code": code.code}, follow=True)
    assert f"You are enrolled in {cohort.name}." in after.content.decode()
    assert balance(ada.wallet_id, cohort.asset) == 20 * HOUR


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_refused_code_answers_422_and_says_which(method):
    code = some_code(some_cohort())
    JoinCode.objects.filter(id=code.id).update(revoked_at=now())

    answer = getattr(signed_in(some_person()), method)("/enrol/", {"code": code.code})

    assert answer.status_code == 422
    assert "revoked" in answer.content.decode()


def test_guessing_codes_is_stopped_after_twenty():
    client = signed_in(some_person())

    answers = [client.get("/enrol/", {"code": f"AAAA-{number:04}"}).status_code for number in range(21)]

    assert answers == [422] * 20 + [429]


def test_enrolling_needs_no_redis(settings):
    settings.CACHES = {
        "default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": "redis://127.0.0.1:1/0"}
    }
    code = some_code(some_cohort())
    client = signed_in(some_person())

    assert client.get("/enrol/", {"code": "AAAA-0000"}).status_code == 422
    assert client.post("/enrol/", {"code": code.code}).status_code == 302


def test_a_lead_makes_a_cohort_and_a_code_and_reads_the_roster():
    base = some_cohort()
    institute = base.institute
    client = signed_in(lead_of(institute))
    form = {
        "name": "Spring",
        "asset": base.asset_id,
        "allowance": "1.5",
        "starts_on": now().date().isoformat(),
        "ends_on": (now().date() + timedelta(days=40)).isoformat(),
    }

    client.post(f"/institutes/{institute.slug}/cohorts/new/", form)
    cohort = Cohort.objects.get(name="Spring")
    address = f"/institutes/{institute.slug}/cohorts/{cohort.id}/"
    client.post(address, {"max_uses": 3, "expires_on": form["ends_on"]})
    ada = some_person("Ada Byron")
    enrol(user_id=ada.id, code=cohort.codes.get().code)

    assert cohort.allowance == 5400
    assert "Ada Byron" in client.get(address).content.decode()
    client.post(f"/institutes/{institute.slug}/codes/{cohort.codes.get().id}/revoke/")
    assert cohort.codes.get().revoked_at is not None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("allowance", "0"),
        ("allowance", "-1"),
        ("allowance", "NaN"),
        ("allowance", "1e9"),
        ("allowance", "0.001"),
        ("ends_on", "0000-00-00"),
        ("ends_on", "9999-12-31"),
        ("ends_on", "10000-01-01"),
        ("ends_on", "2001-01-01"),
        ("starts_on", "soon"),
        ("name", "x" * 151),
        ("name", ""),
        ("asset", "999999"),
        ("asset", "1; DROP TABLE"),
    ],
)
def test_a_cohort_that_makes_no_sense_answers_422_with_the_form(field, value):
    base = some_cohort()
    form = {
        "name": "Spring",
        "asset": base.asset_id,
        "allowance": "1.5",
        "starts_on": now().date().isoformat(),
        "ends_on": (now().date() + timedelta(days=40)).isoformat(),
    } | {field: value}

    answer = signed_in(lead_of(base.institute)).post(f"/institutes/{base.institute.slug}/cohorts/new/", form)

    assert answer.status_code == 422
    assert not Cohort.objects.filter(name="Spring").exists()


def test_another_institutes_lead_finds_nothing_there():
    cohort = some_cohort()
    code = some_code(cohort)
    other = signed_in(lead_of(some_institute(some_department(), name="Elsewhere")))
    base = f"/institutes/{cohort.institute.slug}"

    answers = [
        other.get(f"{base}/cohorts/new/"),
        other.get(f"{base}/cohorts/{cohort.id}/"),
        other.get(f"{base}/cohorts/{cohort.id}/roster.csv"),
        other.post(f"{base}/cohorts/{cohort.id}/", {"max_uses": 1, "expires_on": "2026-12-01"}),
        other.post(f"{base}/codes/{code.id}/revoke/"),
    ]

    assert [answer.status_code for answer in answers] == [404] * 5


def test_a_sponsors_admin_reads_the_roster_and_makes_no_codes():
    cohort = some_cohort()
    client = signed_in(some_person("Dana", (Role.DEPARTMENT_ADMIN, cohort.institute.sponsor)))
    address = f"/institutes/{cohort.institute.slug}/cohorts/{cohort.id}/"

    assert client.get(address).status_code == 200
    assert client.post(address, {"max_uses": 1, "expires_on": "2026-12-01"}).status_code == 404
    assert not JoinCode.objects.exists()


@pytest.mark.parametrize("name", ['=HYPERLINK("http://evil","x")', "+1", "-1", "@SUM(A1)", "\tx", "\rx"])
def test_a_name_in_the_roster_is_no_formula(name):
    cohort = some_cohort()
    ada = some_person(name)
    enrol(user_id=ada.id, code=some_code(cohort).code)
    lead = lead_of(cohort.institute)

    csv = signed_in(lead).get(f"/institutes/{cohort.institute.slug}/cohorts/{cohort.id}/roster.csv").content.decode()

    cell = csv.splitlines(keepends=False)[1] if "\r" not in name[:1] else csv.split("\r\n", 1)[1]
    assert cell.lstrip('"').startswith("'")


def test_a_student_is_shown_the_grant_on_the_institutes_page():
    cohort = some_cohort()
    ada = some_person()
    made = enrol(user_id=ada.id, code=some_code(cohort).code)
    add_member(user=ada, role=Role.STUDENT, organisation=cohort.institute, now=now())

    page = signed_in(ada).get(f"/institutes/{cohort.institute.slug}/").content.decode()

    assert f"Entry {made.grant_id}" in page
