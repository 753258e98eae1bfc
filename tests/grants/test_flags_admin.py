"""A flag in the admin: seen by those who read everything, decided by an operator with a reason, kept in its history."""

import pytest
from django.contrib.admin.models import LogEntry
from django.test import Client

from market.prices.candles import fold_all
from market.prices.flags import scan_all
from market.prices.models import TradeFlag
from tests.market.builders import some_instrument, some_trader
from tests.market.prices.drawn import stored, traded
from tests.people.builders import Role, some_department, some_person

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def flag(settings) -> TradeFlag:
    settings.ADMIN_REQUIRES_SECOND_STEP = False
    instrument = some_instrument()
    ada, ben = some_trader(instrument, "Ada Byron"), some_trader(instrument, "Ben Okri")
    traded(instrument, ada, ben, 100, 250)
    traded(instrument, ben, ada, 100, 250)
    fold_all()
    scan_all()
    return TradeFlag.objects.earliest("id")


def client_of(*roles) -> Client:
    client = Client()
    client.force_login(some_person("Olga", *roles))
    return client


def test_an_operator_reads_who_and_why_and_clears_it_with_a_reason(flag):
    olga = client_of((Role.OPERATOR, None))
    here = f"/admin/market/tradeflag/{flag.id}/"

    page = olga.get(f"{here}change/").content.decode()
    assert "There and back between two owners" in page
    assert "Ada Byron" in page
    assert "Ben Okri" in page
    assert olga.post(f"{here}clear/", {"reason": ""}).status_code == 422
    assert olga.post(f"{here}clear/", {"reason": "a market maker"}).status_code == 302

    flags = TradeFlag.objects.order_by("id")
    assert [(each.status, each.reason, each.decided_by.name) for each in flags] == [
        ("CLEARED", "a market maker", "Olga")
    ] * 2
    assert [bar.excluded for bar in stored(flag.instrument, 60)] == [0] * len(stored(flag.instrument, 60))
    said = LogEntry.objects.filter(object_id=str(flag.id)).values_list("change_message", flat=True)
    assert list(said) == ["Cleared: a market maker"]


def test_a_second_decision_is_refused_in_a_sentence(flag):
    olga = client_of((Role.OPERATOR, None))
    here = f"/admin/market/tradeflag/{flag.id}/"
    olga.post(f"{here}confirm/", {"reason": "seen it"})

    answer = olga.post(f"{here}clear/", {"reason": "after all"}, follow=True)

    assert "This flag is confirmed already." in answer.content.decode()
    flag.refresh_from_db()
    assert flag.status == "CONFIRMED"


def test_an_auditor_reads_and_a_departments_admin_does_not(flag):
    department = some_department()
    auditor, admin = client_of((Role.AUDITOR, None)), client_of((Role.DEPARTMENT_ADMIN, department))
    here = f"/admin/market/tradeflag/{flag.id}/"

    assert auditor.get(f"{here}change/").status_code == 200
    assert auditor.post(f"{here}clear/", {"reason": "no"}).status_code == 403
    assert admin.get(f"{here}change/").status_code == 404
    assert "There and back" not in admin.get("/admin/market/tradeflag/").content.decode()
    assert admin.post(f"{here}clear/", {"reason": "no"}).status_code == 403
    assert "There and back" in auditor.get("/admin/market/tradeflag/").content.decode()


def test_no_name_of_a_flagged_trade_is_on_a_public_page(flag):
    visitor = Client()
    for path in ("/market/", f"/market/{flag.instrument.code}/", f"/market/{flag.instrument.code}/trades.json", "/"):
        page = visitor.get(path).content.decode()
        assert "Byron" not in page
        assert "Okri" not in page
