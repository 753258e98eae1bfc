"""Inputs that portals like ours were sent, each answered as the catalogue of faults lists it (its row numbers)."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta
from typing import Any

import pytest
from django.core.cache.backends.redis import RedisCache
from django.utils import timezone

from ledger.models import Account, Wallet
from market.models import Order
from portal.api import throttling
from tests.api.builders import Answer, Api, a_market, an_order
from tests.full import count
from tests.ledger.builders import given
from tests.ledger.races import at_once, close_pool
from tests.market.builders import assert_value_is_conserved, some_instrument
from tests.people.builders import some_person
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _unhurried(settings: Any) -> None:
    """Rounds are many; the tests of the limits set their own."""
    settings.API_RATES = dict.fromkeys(settings.API_RATES, 10**9)


def raw(**literals: str) -> bytes:
    """An order whose values are written as they stand here, valid JSON or not."""
    order = {name: json.dumps(value) for name, value in an_order().items()} | literals
    return b"{%s}" % ", ".join(f'"{name}": {value}' for name, value in order.items()).encode()


FULL = b'{"instrument": "H100-2026Q4", "side": "BUY", "limit_price": 150, "quantity": 10, "quantity": 1000}'
ORDERS: list[tuple[int, Any, int]] = [
    (1, an_order(quantity=-5), 422),
    (1, an_order(quantity="-5"), 422),
    (2, an_order(quantity=0), 422),
    (2, an_order(quantity="0"), 422),
    (3, an_order(quantity="0.0000000001"), 422),
    (3, an_order(quantity=0.5), 422),
    (3, an_order(quantity=10.0), 422),
    (5, an_order(quantity=2**63), 422),
    (5, an_order(quantity=str(2**63)), 422),
    (5, an_order(limit_price=2**64), 422),
    (6, an_order(quantity=99_999_999_999, limit_price=999_999_999), 422),
    (7, raw(quantity="NaN"), 400),
    (7, raw(quantity="Infinity"), 400),
    (7, raw(limit_price="-Infinity"), 400),
    (7, raw(quantity="1E400"), 400),
    (7, an_order(quantity="1E400"), 400),
    (7, an_order(quantity="NaN"), 400),
    (9, an_order(quantity=True), 422),
    (9, an_order(quantity=[5]), 422),
    (9, an_order(quantity={"$gt": 0}), 422),
    (9, an_order(quantity=None), 422),
    (9, an_order(post_only=1), 422),
    (9, an_order(post_only="true"), 422),
    (9, an_order(side=None), 422),
    (9, [an_order()], 422),
    (9, b"null", 422),
    (10, an_order(quantity="9" * 900_000), 422),
    (10, an_order(quantity="9" * 1_000_000), 413),
    (10, raw(quantity="9" * 900_000), 400),
    (11, an_order(limit_price="-0.00"), 422),
    (11, raw(limit_price="-0"), 422),
    (11, an_order(limit_price="-0"), 422),
    (11, an_order(limit_price="007"), 422),
    (11, an_order(limit_price="１５０"), 422),
    (13, an_order(side="BUY "), 422),
    (13, an_order(side="buy\u0000"), 422),
    (13, an_order(side="buy"), 422),
    (13, an_order(instrument="H100-2026Q4\u0000"), 422),
    (14, an_order(status="FILLED"), 422),
    (14, an_order(owner=7), 422),
    (14, an_order(fee=0), 422),
    (14, an_order(client_order_id="mine"), 422),
    (15, FULL, 400),
    (29, an_order(post_only=True, time_in_force="IOC"), 422),
    (39, an_order(time_in_force="GTD", expires_at="2020-01-01T00:00:00Z"), 422),
    (39, an_order(time_in_force="GTD", expires_at="9999-12-31T23:59:59-12:00"), 422),
    (39, an_order(time_in_force="GTD", expires_at="10000-01-01T00:00:00Z"), 422),
    (39, an_order(time_in_force="GTD", expires_at="0000-00-00"), 422),
    (39, an_order(time_in_force="GTD", expires_at="2027-01-01T00:00:00"), 422),
    (82, b"\xff\xfe", 400),
    (82, b"\xef\xbb\xbf" + raw(), 400),
    (82, json.dumps(an_order()).encode("utf-16"), 400),
    (82, b"[" * 10_000 + b"]" * 10_000, 400),
    (82, b'{"a":' * 10_000 + b"1" + b"}" * 10_000, 400),
    (82, json.dumps({str(n): 1 for n in range(1_000_000)}).encode(), 413),
    (82, json.dumps({str(n): 1 for n in range(80_000)}).encode(), 422),
    (82, b"", 422),
    (82, b"{", 400),
    (82, an_order(instrument="\ud800"), 400),
    (82, b'{"\\ud800": 1}', 400),
]
READS: list[tuple[int, str, int]] = [
    (77, "orders/?limit=0", 400),
    (77, "orders/?limit=-1", 400),
    (77, "orders/?limit=1e9", 400),
    (77, "orders/?limit=1000000000", 400),
    (77, f"orders/?offset={2**63}", 400),
    (77, "orders/?cursor=5", 400),
    (77, "orders/?cursor=5.forged-signature", 400),
    (77, "orders/?cursor=%00", 400),
    (77, "orders/?limit=1&limit=2", 400),
    (78, "orders/?order_by=password", 400),
    (78, "orders/?order_by=?", 400),
    (78, "orders/?order_by=owner__password", 400),
    (78, "orders/?order_by=id);--", 400),
    (79, "orders/?_connector=OR%201=1)%20--", 400),
    (79, "orders/?owner__email__startswith=a", 400),
    (79, "balances/?_negated=1", 400),
    (79, "instruments/?code=H100-2026Q4", 400),
    (86, "redemptions/{UPPER}/", 404),
    (86, "redemptions/{{{lower}}}/", 404),
    (86, "redemptions/urn:uuid:{lower}/", 404),
    (86, "redemptions/1234/", 404),
    (86, "balances/?wallet={UPPER}", 404),
    (86, "balances/?wallet={{{lower}}}", 404),
    (86, "balances/?wallet=urn:uuid:{lower}", 404),
    (86, "balances/?wallet=1234", 404),
    (86, "balances/?wallet={lower}", 200),
    (0, "instruments/GHOST/", 404),
    (0, "instruments/a%00b/book/", 404),
    (0, "orders/99999999999999999999/", 404),
    (0, "orders/0/", 404),
    (0, "receipts/987654/", 404),
    (0, "wallets/me/", 404),
]


def test_orders_are_answered_as_the_catalogue_lists_them():
    market = a_market()
    wrong = []
    for row, body, expected in ORDERS:
        answer = market.ada.post("orders/", body)
        if answer.status != expected:
            wrong.append((row, str(body)[-80:], answer))

    assert wrong == []
    assert Order.objects.exclude(status="REJECTED").count() == 0


def test_reads_are_answered_as_the_catalogue_lists_them():
    market = a_market()
    # With digits only, capitals would change nothing.
    own = uuid.UUID("abcdefab-cdef-4abc-8def-abcdefabcdef")
    Wallet.objects.filter(id=market.ada.wallet.id).update(public_id=own)
    wrong = []
    for row, path, expected in READS:
        address = path.format(UPPER=str(own).upper(), lower=str(own))
        answer = market.ada.get(address)
        if answer.status != expected:
            wrong.append((row, address, answer))

    assert wrong == []


def test_a_cursor_of_one_list_is_none_of_another():
    market = a_market()
    for _ in range(2):
        market.ada.post("orders/", an_order())
        market.bob.post("orders/", an_order())

    cursor = market.ada.get("orders/?limit=1").json["next"]

    assert market.ada.get(f"orders/?cursor={cursor}").status == 200
    assert market.bob.get(f"orders/?cursor={cursor}").code == "bad_cursor"
    assert market.ada.get(f"transfers/?cursor={cursor}").code == "bad_cursor"


def test_17_to_19_a_key_stands_for_one_request_of_one_person():
    market = a_market()
    market.ada.post("orders/", an_order(), key="one")

    other_body = market.ada.post("orders/", an_order(quantity=11), key="one")
    other_person = market.bob.post("orders/", an_order(quantity=11), key="one")
    answers = [market.ada.post("orders/", an_order(), key=key) for key in (None, "k" * 10_000, "a\nb", "a b", "ключ")]

    assert (other_body.status, other_body.code) == (422, "client_order_id_conflict")
    assert other_body.json["field"] == "quantity"
    assert other_person.status == 201
    assert [(answer.status, answer.code) for answer in answers] == [
        (400, "key_missing"), *[(400, "key_malformed")] * 4,
    ]  # fmt: skip
    assert market.ada.post("transfers/", key=None).code == "key_missing"
    assert market.ada.post("redemptions/", key=None).code == "key_missing"


def test_18_fifty_at_once_with_one_key_place_one_order():
    market = a_market()

    answers = at_once(lambda _: str(market.ada.post("orders/", an_order(), key="same").json), list(range(50)))

    close_pool()
    assert len(set(answers)) == 1
    assert Order.objects.count() == 1


def test_21_an_order_cancelled_while_it_fills_is_one_or_the_other():
    market = a_market()
    rounds, outcomes = count(1_000), {"FILLED": 0, "CANCELLED": 0}
    for _ in range(rounds):
        resting = market.ada.post("orders/", an_order(side="SELL")).json["id"]

        def act(number: int, resting: int = resting) -> str:
            if number:
                return str(market.ada.send("DELETE", f"orders/{resting}/").status)
            return str(market.bob.post("orders/", an_order(time_in_force="IOC")).json["status"])

        filled, cancelled = at_once(act, [0, 1])
        outcomes[filled] += 1
        assert (filled, cancelled) in {("FILLED", "409"), ("CANCELLED", "200")}
    close_pool()
    print(f"{rounds} races: {outcomes}")
    assert Account.objects.exclude(held=0).count() == 0
    assert_value_is_conserved()


def test_22_cancelling_twice_is_too_late():
    market = a_market()
    path = f"orders/{market.ada.post('orders/', an_order()).json['id']}/"

    first, second = market.ada.send("DELETE", path), market.ada.send("DELETE", path)
    amended = market.ada.send("PATCH", path, {"quantity": 1})

    assert (first.status, second.status, second.code) == (200, 409, "order_not_open")
    assert (amended.status, amended.code) == (409, "order_not_open")


def test_23_what_has_expired_is_not_sold():
    instrument = some_instrument(expires_at=timezone.now() + timedelta(seconds=3))
    ada = Api(some_person("Ada"))
    given(ada.wallet, instrument.asset, 3600)
    answers: list[Answer] = []

    def refused() -> bool:
        answers.append(ada.post("orders/", an_order(side="SELL", quantity=1)))
        return answers[-1].status == 422 and answers[-1].code == "series_expired"

    wait_until(refused)

    assert_value_is_conserved()


def test_25_two_wallets_of_one_owner_do_not_trade_with_each_other():
    market = a_market()
    Wallet.objects.filter(id=market.bob.wallet.id).update(beneficial_owner=market.ada.wallet)
    market.ada.post("orders/", an_order(side="SELL"))

    met = market.bob.post("orders/", an_order())

    assert (met.status, met.json["status"], met.json["reason"]) == (201, "CANCELLED", "self_trade")


def test_27_more_than_the_rate_is_429_and_says_when_to_come_back(settings):
    settings.API_RATES = settings.API_RATES | {"trade": 20}
    market = a_market()

    answers = [market.ada.send("DELETE", "orders/1/") for _ in range(45)]

    limited = [answer for answer in answers if answer.status == 429]
    # A minute may have ended in between, and then twice as many pass.
    assert 5 <= len(limited) <= 25
    assert {answer.code for answer in limited} == {"throttled"}
    assert all(1 <= int(answer.headers["Retry-After"]) <= 60 for answer in limited)
    assert market.ada.get("orders/").status == 200
    assert market.bob.send("DELETE", "orders/1/").status == 404


def test_while_the_cache_is_away_nobody_is_limited(settings, monkeypatch):
    settings.API_RATES = dict.fromkeys(settings.API_RATES, 0)
    market = a_market()
    limited = market.ada.get("balances/")

    monkeypatch.setattr(throttling, "cache", RedisCache("redis://127.0.0.1:1", {}))

    assert (limited.status, market.ada.get("balances/").status) == (429, 200)


def test_a_body_in_pieces_is_asked_for_whole():
    market = a_market()

    answer = market.ada.post("orders/", b"", **{"Transfer-Encoding": "chunked"})

    assert (answer.status, answer.code) == (400, "length_missing")


def test_29_a_post_only_order_that_would_trade_is_rejected():
    market = a_market()
    market.ada.post("orders/", an_order(side="SELL"))

    answers = [market.bob.post("orders/", an_order(post_only=True), key="p1") for _ in range(2)]

    assert [(each.status, each.code, each.json["order"]["status"]) for each in answers] == [
        (422, "would_trade", "REJECTED")
    ] * 2
    assert market.bob.get("balances/").json["results"][0]["held"] == 0


def test_30_a_market_order_on_an_empty_book_is_cancelled_and_holds_nothing():
    market = a_market()

    answer = market.ada.post("orders/", an_order(kind="MARKET", time_in_force="IOC"))

    assert (answer.status, answer.json["status"], answer.json["reason"]) == (201, "CANCELLED", "immediate_or_cancel")
    assert all(each["held"] == 0 for each in market.ada.get("balances/").json["results"])


def test_31_nobody_bids_beyond_the_position_limit():
    market = a_market()
    market.instrument.asset.__class__.objects.filter(id=market.instrument.asset_id).update(position_limit=10**9)

    answer = market.ada.post("orders/", an_order())

    assert (answer.status, answer.code) == (422, "position_limit")
