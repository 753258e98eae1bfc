"""The front page shows the market as it is, and errors say what to do."""

import re

import pytest
from django.test import Client, override_settings
from django.utils import timezone

from market.instruments import halt_instrument, open_instrument
from market.orders import place_order
from portal.reports.prices import line, quotes
from tests.ledger.builders import given, some_series, some_wallet, the_credits
from tests.people.builders import some_person

pytestmark = pytest.mark.django_db(transaction=True)


def a_market():
    """One instrument with a trade at 2.00 and a book of 1.90 and 2.10."""
    series = some_series()
    instrument = open_instrument(asset_id=series.id, now=timezone.now())
    seller, buyer = some_wallet("Seller"), some_wallet("Buyer")
    given(seller, series, 100 * 3600)
    given(buyer, the_credits(), 10_000_000)
    for number, (wallet, side, price) in enumerate(
        [(seller, "SELL", 200), (buyer, "BUY", 200), (seller, "SELL", 210), (buyer, "BUY", 190)]
    ):
        place_order(
            instrument_id=instrument.id, wallet_id=wallet.id, side=side, limit_price=price, quantity=100,
            time_in_force="GTC", client_order_id=f"o{number}",
        )  # fmt: skip
    return instrument


def test_quotes_are_the_best_of_the_book_and_the_last_trade():
    a_market()

    (quote,) = quotes(now=timezone.now())

    assert (quote.bid, quote.ask, quote.last, quote.day_quantity) == (190, 210, 200, 100)


def test_the_front_page_shows_prices_with_their_unit():
    a_market()

    page = re.sub(r"<[^>]+>", " ", Client().get("/").content.decode())

    for figure in ("1.90", "2.10", "2.00", "cr/GPU-h"):
        assert figure in page


def test_a_halted_instrument_is_said_to_be():
    instrument = a_market()
    halt_instrument(instrument_id=instrument.id, reason="x", now=timezone.now())

    assert "halted" in Client().get("/").content.decode()


def test_the_front_page_of_an_empty_site_says_what_comes_next():
    assert "No series is traded yet" in Client().get("/").content.decode()


def test_a_line_of_prices_keeps_inside_its_drawing():
    points = [tuple(map(float, point.split(","))) for point in line([100, 300, 200]).split()]

    assert [x for x, _ in points] == [0, 50, 100]
    assert all(2 <= y <= 22 for _, y in points)
    assert points[1][1] < points[2][1] < points[0][1]
    assert line([5]) == ""
    assert line([5, 5]) == "0.0,12.0 100.0,12.0"


@pytest.mark.parametrize("address", ["/no/such/page/", "/institutes/ghost/", "/institutes/%00/"])
def test_what_is_not_there_says_what_to_do(address):
    answer = Client().get(address)

    assert answer.status_code == 404
    assert "To the front page" in answer.content.decode()


def test_a_form_from_elsewhere_is_refused_and_explained():
    client = Client(enforce_csrf_checks=True)
    client.force_login(some_person())

    for headers in ({}, {"Origin": "null"}, {"Origin": "https://evil.example"}):
        answer = client.post("/act-for/", {"wallet": "x"}, headers=headers)
        assert answer.status_code == 403
        assert "Nothing has changed" in answer.content.decode()


def test_a_wrong_host_is_refused_and_a_forwarded_one_ignored():
    assert Client().get("/", headers={"Host": "evil.example"}).status_code == 400
    assert Client().get("/", headers={"X-Forwarded-Host": "evil.example"}).status_code == 200


@override_settings(DEBUG_PROPAGATE_EXCEPTIONS=False)
def test_a_fault_of_ours_answers_500_with_what_is_safe(monkeypatch):
    def broken(**_values):
        raise RuntimeError("secret detail")

    monkeypatch.setattr("portal.reports.views.quotes", broken)
    answer = Client(raise_request_exception=False).get("/")

    assert answer.status_code == 500
    assert "one step or not at all" in answer.content.decode()
    assert "secret detail" not in answer.content.decode()
