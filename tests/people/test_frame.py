"""The frame of every page."""

import pytest
from django.test import Client

from tests.people.builders import Role, some_department, some_person

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_visitor_sees_the_way_in_and_no_wallet():
    page = Client().get("/").content.decode()

    assert "Sign in" in page
    assert "Acting for" not in page


def test_a_department_admin_chooses_among_their_own_and_the_departments_wallet():
    physics = some_department("Physics")
    ada = some_person("Ada", (Role.DEPARTMENT_ADMIN, physics))
    client = Client()
    client.force_login(ada)

    client.post("/act-for/", {"wallet": physics.wallet.public_id, "next": "/"})

    page = client.get("/").content.decode()
    assert "Acting for Physics" in page


@pytest.mark.parametrize("wallet", ["nonsense", "", "00000000-0000-0000-0000-000000000000"])
def test_one_acts_for_no_wallet_that_is_not_ones_own(wallet):
    client = Client()
    client.force_login(some_person())

    assert client.post("/act-for/", {"wallet": wallet}).status_code == 404
    assert client.post("/act-for/", {"wallet": some_person().wallet.public_id}).status_code == 404


@pytest.mark.parametrize("wanted", ["//evil.example", "https:evil.example", "javascript:alert(1)", "/\\evil.example"])
def test_choosing_a_wallet_leads_nowhere_else(wanted):
    ada = some_person()
    client = Client()
    client.force_login(ada)

    answer = client.post("/act-for/", {"wallet": ada.wallet.public_id, "next": wanted})

    assert answer.headers["Location"] == "/"


def test_an_auditor_posts_nothing():
    client = Client()
    auditor = some_person("Otto", (Role.AUDITOR, None))
    client.force_login(auditor)

    assert client.post("/act-for/", {"wallet": auditor.wallet.public_id}).status_code == 403
