"""Fees, phases and auctions as programs see them."""

import pytest

from market.models import Instrument
from tests.api.builders import a_market, an_order
from tests.market.builders import auction_over, in_auction, with_rules

pytestmark = pytest.mark.django_db(transaction=True)


def test_answers_say_the_fees():
    market = a_market()
    with_rules(Instrument.objects.get(), maker_fee_bp=100, taker_fee_bp=200)
    resting = market.bob.post("orders/", an_order(side="SELL", limit_price=100, quantity=10)).json

    taken = market.ada.post("orders/", an_order(limit_price=100, quantity=10)).json

    assert (taken["filled_value"], taken["fees_paid"]) == (1000, 20)
    order = market.bob.get(f"orders/{resting['id']}/").json
    assert (order["fees_paid"], order["maker_fee_bp"], order["taker_fee_bp"]) == (10, 100, 200)
    instrument = market.ada.get("instruments/H100-2026Q4/").json
    assert (instrument["maker_fee_bp"], instrument["taker_fee_bp"], instrument["static_band_bp"]) == (100, 200, None)


def test_the_book_says_what_an_auction_would_come_to():
    market, instrument = a_market(), Instrument.objects.get()
    assert market.ada.get("instruments/H100-2026Q4/book/").json["auction"] is None
    in_auction(instrument)
    market.bob.post("orders/", an_order(side="SELL", limit_price=90, quantity=10))
    market.ada.post("orders/", an_order(limit_price=100, quantity=15))

    book = market.ada.get("instruments/H100-2026Q4/book/").json
    auction_over(instrument)

    assert book["phase"] == "AUCTION"
    assert (book["auction"]["price"], book["auction"]["volume"], book["auction"]["surplus"]) == (100, 10, 5)
    assert market.ada.get("instruments/H100-2026Q4/").json["last_price"] == 100


def test_what_an_auction_does_not_take_or_let_go_has_its_code():
    market, instrument = a_market(), Instrument.objects.get()
    in_auction(instrument, collect=0, no_cancel=3600)
    kept = market.ada.post("orders/", an_order(limit_price=90)).json

    now_or_never = market.ada.post("orders/", an_order(time_in_force="IOC"))
    cancelled = market.ada.send("DELETE", f"orders/{kept['id']}/")
    amended = market.ada.send("PATCH", f"orders/{kept['id']}/", {"quantity": 1})
    all_of_them = market.ada.post("orders/cancel-all/", {})

    assert (now_or_never.status, now_or_never.json["code"]) == (422, "not_in_auction")
    for refused in (cancelled, amended, all_of_them):
        assert (refused.status, refused.json["code"]) == (409, "no_cancel")
    assert market.ada.get(f"orders/{kept['id']}/").json["status"] == "OPEN"
