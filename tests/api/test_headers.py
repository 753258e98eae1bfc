"""What goes past the pages' rules, and what an answer carries all the same."""

import pytest
from django.test import Client

from tests.api.builders import V1, a_market, an_order
from tests.people.builders import some_person

pytestmark = pytest.mark.django_db(transaction=True)


def test_an_answer_may_not_be_framed_or_run_and_has_its_length():
    ada = a_market().ada

    for answer in (ada.get("balances/"), ada.get("nothing/"), ada.post("orders/", an_order()), ada.post("orders/")):
        assert answer.headers["Content-Security-Policy"] == "default-src 'none'; frame-ancestors 'none'"
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert int(answer.headers["Content-Length"]) == len(answer.text.encode())


def test_a_browsers_session_is_neither_read_nor_written():
    market, browser = a_market(), Client(headers={"Authorization": ""})
    browser.force_login(some_person("Eve"))

    without_key = browser.get(f"{V1}balances/")
    with_key = browser.get(f"{V1}balances/", headers={"Authorization": f"Bearer {market.ada.secret}"})

    assert without_key.status_code == 401
    assert with_key.json()["wallet"] == str(market.ada.wallet.public_id)
    for response in (without_key, with_key):
        assert not response.cookies
        assert "Cookie" not in response.headers.get("Vary", "")
        assert not hasattr(response.wsgi_request, "session")
    assert browser.get("/accounts/keys/").wsgi_request.user.name == "Eve"


def test_sentences_are_in_the_clients_language():
    ada = a_market().ada

    english, chinese = (ada.get("nothing/", **{"Accept-Language": code}) for code in ("en", "zh-hans"))

    assert english.headers["Content-Language"] == "en"
    assert chinese.headers["Content-Language"] == "zh-hans"
    assert english.json["detail"] != chinese.json["detail"]


def test_an_unknown_host_is_refused_here_too(settings):
    settings.ALLOWED_HOSTS = ["hourglass.example"]

    assert Client().get(f"{V1}schema/", headers={"Host": "elsewhere.example"}).status_code == 400
    assert Client().get(f"{V1}schema/", headers={"Host": "hourglass.example"}).status_code == 200


def test_a_fault_in_a_view_is_a_500_and_not_a_broken_connection(monkeypatch):
    ada = a_market().ada
    monkeypatch.setattr("portal.api.views.ledger.wallet_to_read", lambda *_: 1 // 0)

    response = ada.client.get(f"{V1}balances/")

    assert response.status_code == 500
