"""Requests as careless, old and hostile clients send them: methods, addresses, headers, parameters and large calls."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest
from django.test import Client

from ledger.models import Transfer
from market.models import Order
from portal.api import throttling
from scheduler.models import Redemption
from tests.api.builders import V1, Api, a_market, an_order
from tests.api.test_keys import NEEDS, a_wish
from tests.ledger.races import at_once, close_pool
from tests.market.builders import assert_value_is_conserved
from tests.scheduler.builders import drawn_class

pytestmark = pytest.mark.django_db(transaction=True)

BOOK = "instruments/H100-2026Q4/book/"
READ = sorted({path for method, path, _scope in NEEDS if method == "GET" and "{" not in path})


@pytest.fixture(autouse=True)
def _unhurried(settings: Any) -> None:
    settings.API_RATES = dict.fromkeys(settings.API_RATES, 10**9)


def test_head_is_get_without_its_body_and_other_methods_are_refused_with_what_there_is():
    ada = a_market().ada
    for path in READ:
        if path == "receipts/1/":
            continue
        whole, head = ada.get(path), ada.client.head(V1 + path)
        assert (whole.status, head.status_code, head.content) == (200, 200, b""), path
        for name in ("Content-Type", "Content-Length"):
            assert head.headers[name] == whole.headers[name], path
        for method in ("PUT", "TRACE", "PROPFIND"):
            answer = ada.send(method, path)
            if path != "cancel-timer/" or method != "PUT":
                assert (answer.status, answer.code) == (405, "method_not_allowed"), (method, path)
                assert "GET" in answer.headers["Allow"]
                assert "OPTIONS" not in answer.headers["Allow"]
        assert ada.client.options(V1 + path).status_code == 405
    trades_only = Api(ada.user, "trade")
    assert [trades_only.client.head(V1 + path).status_code for path in ("orders/", "balances/")] == [403, 403]
    assert ada.client.head(f"{V1}orders/bulk/").status_code == 405


def test_an_address_is_written_in_one_way():
    ada = a_market().ada
    for path in (
        "orders", "Orders/", "orders//", "orders/1", "orders/01/", "orders/+1/", "orders/１/", "orders/1.0/",
        "orders/-1/", "instruments/H100-2026Q4", "instruments/%48100-2026Q4%00/", "instruments/..%2f..%2fetc/",
        "instruments/a%0d%0ab/", "instruments/%ff%fe/", f"instruments/{'A' * 41}/", "%2e%2e/admin/", "../admin/",
        "receipts/1e3/",
    ):  # fmt: skip
        assert ada.get(path).status == 404, path
        assert ada.post(path, an_order()).status in {404, 405}, path
    assert Order.objects.count() == 0


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "image/*;q=0.5", "*/*;q=0", "nonsense", ""])
def test_the_answer_is_json_whatever_else_a_client_would_rather_have(accept):
    ada = a_market().ada

    answer, wrong = ada.get("balances/", Accept=accept), ada.get("orders/0/", Accept=accept)

    assert (answer.status, answer.headers["Content-Type"]) == (200, "application/json")
    assert wrong.headers["Content-Type"] == "application/problem+json"


def test_an_etag_is_met_in_every_form_that_http_knows():
    ada = a_market().ada
    tag = ada.get(BOOK).headers["ETag"]

    for sent in (tag, f"W/{tag}", f'"other", {tag}', "*", f'{tag}, "x"'):
        assert ada.get(BOOK, **{"If-None-Match": sent}).status == 304, sent
    for sent in ('"other"', "", "nonsense", tag.strip('"'), '"'):
        assert ada.get(BOOK, **{"If-None-Match": sent}).status == 200, sent
    assert ada.get(f"{BOOK}?levels=5").headers["ETag"] != tag


@pytest.mark.parametrize(
    "query",
    [
        "limit=５", "limit=%2B5", "limit=5.0", "limit=%205", "limit=05", "limit=", "limit=0x5", "limit=5%00",
        "limit=501", "limit=5&limit=5", "status=open", "status=", "status=OPEN,FILLED", "instrument=", "instrument=%00",
        "Limit=5", "cursor=", "cursor=" + "x" * 121, "cursor=5.", "cursor=.x", "cursor=%ff", "wallet=", "limit[]=5",
        "limit=5;status=OPEN", "%00=1", "a" * 5000 + "=1", "format=xml", "callback=x", "page=2",
    ],
)  # fmt: skip
def test_a_parameter_that_is_not_one_is_400_with_its_name(query):
    answer = a_market().ada.get(f"orders/?{query}")

    if query == "wallet=":
        assert answer.status in {400, 404}
        return
    assert (answer.status, answer.code in {"bad_parameter", "bad_cursor"}) == (400, True), answer
    assert "field" in answer.json


def test_a_name_that_is_nothing_is_refused_in_every_field():
    market = a_market()
    bad = ["", " ", "\x00", "a\x00", "a\nb", "\u202eab", "x" * 81, 5, None, True, ["x"], {"x": 1}]
    rows = [an_order(client_order_id=name) for name in bad]

    answer = market.ada.post("orders/bulk/", {"orders": rows}, key=None)

    assert [row["status"] for row in answer.json["results"]] == [422, 201, *[422] * 10]
    for name in bad[2:]:
        assert market.ada.post("orders/", an_order(instrument=name)).status == 422, name
        assert market.ada.post("orders/", an_order(wallet=name)).status in {404, 422}, name
        assert market.ada.post("transfers/", {"to": name, "asset": "CREDITS", "amount": 1}).status == 422, name


def test_numbers_have_one_form_in_every_amount():
    market = a_market()
    order = market.ada.post("orders/", an_order()).json["id"]
    for literal in (
        "1.0",
        "1e3",
        "1E0",
        "-0",
        "-1",
        "true",
        '"1.0"',
        '" 1"',
        '"+1"',
        '"٣"',
        '"0x1"',
        "[1]",
        "null",
        '""',
    ):
        for method, path, field in (
            ("PATCH", f"orders/{order}/", "limit_price"), ("POST", "transfers/", "amount"),
            ("PUT", "cancel-timer/", "seconds"),
        ):  # fmt: skip
            if (literal, field) == ("-0", "seconds"):
                continue  # zero switches the timer off
            body = {"to": str(market.bob.wallet.public_id), "asset": "CREDITS"} if field == "amount" else {}
            text = json.dumps(body)[:-1] + (", " if body else "") + f'"{field}": {literal}}}'
            answer = market.ada.send(method, path, text.encode())
            assert answer.status == 422, (path, literal, answer)
            assert answer.json["field"] == field
    for literal, status in (
        ("9" * 1000, 422),
        ("9" * 1001, 400),
        ("1" + "0" * 5000, 400),
        ("1e400", 400),
        ("NaN", 400),
    ):
        assert market.ada.send("PATCH", f"orders/{order}/", f'{{"quantity": {literal}}}'.encode()).status == status
    assert market.ada.send("PATCH", f"orders/{order}/", {}).json["quantity"] == 10  # nothing is to change
    assert market.ada.get(f"orders/{order}/").json["limit_price"] == 150


def test_a_key_twice_is_refused_however_deep_it_stands():
    ada = a_market().ada
    row = json.dumps(an_order(client_order_id="x"))

    twice = f'{{"orders": [{row[:-1]}, "quantity": 9}}]}}'.encode()
    escaped = b'{"instrument": "H100-2026Q4", "side": "BUY", "limit_price": 1, "quantity": 1, "quant\\u0069ty": 9}'

    assert [ada.post("orders/bulk/", twice).code, ada.post("orders/", escaped).code] == ["malformed"] * 2


@pytest.mark.parametrize("count", [0, 1, 1000, 1001])
def test_a_bulk_call_takes_one_to_a_thousand(count):
    market = a_market()
    rows = [an_order(client_order_id=f"b{number}", quantity=1) for number in range(count)]

    answer = market.ada.post("orders/bulk/", {"orders": rows}, key=None)

    if count in {1, 1000}:
        assert (answer.status, len(answer.json["results"])) == (200, count)
        assert Order.objects.count() == count
    else:
        assert (answer.status, answer.json["field"]) == (422, "orders")
        assert Order.objects.count() == 0


def test_every_second_row_being_bad_spoils_no_other_and_an_id_twice_is_one_order():
    market = a_market()
    rows: list[Any] = []
    for number in range(500):
        rows += [an_order(client_order_id=f"b{number}", quantity=1), an_order(client_order_id=f"b{number}", quantity=0)]
    rows[-1] = rows[-2]

    results = market.ada.post("orders/bulk/", {"orders": rows}, key=None).json["results"]

    assert Counter(each["status"] for each in results) == {201: 501, 422: 499}
    assert results[-1] == results[-2]
    assert [each["client_order_id"] for each in results] == [row["client_order_id"] for row in rows]
    assert Order.objects.count() == 500
    again = market.ada.post("orders/bulk/", {"orders": rows}, key=None).json["results"]
    assert again == results
    assert_value_is_conserved()


def test_one_key_and_two_contents_at_once_is_one_order_and_the_rest_are_told():
    market = a_market()

    def act(number: int) -> str:
        answer = market.ada.post("orders/", an_order(quantity=10 + number % 2), key="same")
        return f"{answer.status} {answer.json.get('code')}"

    answers = Counter(at_once(act, list(range(40))))

    close_pool()
    assert set(answers) == {"201 None", "422 client_order_id_conflict"}
    assert answers["201 None"] == 20
    assert Order.objects.count() == 1


def test_one_key_at_once_sends_once_and_runs_one_job(settings, tmp_path):
    settings.HOURGLASS_JOBS_DIR = str(tmp_path)
    drawn_class()
    market = a_market()
    gift = {"to": str(market.bob.wallet.public_id), "asset": "CREDITS", "amount": 7}

    sent = at_once(lambda _: str(market.ada.post("transfers/", gift, key="same").json), list(range(24)))
    made = at_once(lambda _: str(market.ada.post("redemptions/", a_wish(), key="same").json), list(range(24)))

    close_pool()
    assert (len(set(sent)), len(set(made))) == (1, 1), (set(sent), set(made))
    assert Transfer.objects.filter(transfer_kind="SEND").count() == 1
    assert Redemption.objects.count() == 1


def test_retry_after_is_true(settings, monkeypatch):
    settings.API_RATES = settings.API_RATES | {"read": 3}
    ada = a_market().ada
    now = [1_800_000_010.5]
    monkeypatch.setattr(throttling.time, "time", lambda: now[0])
    throttling._forget()

    answers = [ada.get("balances/") for _ in range(4)]
    wait = answers[-1].headers["Retry-After"]
    now[0] += int(wait) - 1
    early = ada.get("balances/").status
    now[0] += 1

    assert [each.status for each in answers] == [200, 200, 200, 429]
    assert wait.isdigit()
    assert (wait, early, ada.get("balances/").status) == ("50", 429, 200)


def test_nothing_but_a_key_is_read_of_who_asks():
    market = a_market()
    strange = ["bearer", "Bearer  x", "Bearer\t", "Digest x", "Bearer " + "x" * 100_000, "Bearer hg_\x00", "Negotiate"]

    for header in strange:
        answer = Client(headers={"Authorization": header}).get(f"{V1}balances/")
        assert (answer.status_code, answer.json()["code"]) == (401, "bad_key"), header
    assert Client().get(f"{V1}balances/?key={market.ada.secret}").status_code == 401
    assert Client(headers={"X-Api-Key": market.ada.secret}).get(f"{V1}balances/").status_code == 401
    assert Client(headers={"Authorization": f"bEARER {market.ada.secret}"}).get(f"{V1}balances/").status_code == 200
    assert Api(market.ada.user, secret=market.ada.secret).get("balances/").status == 200


def test_a_field_that_is_none_is_named_and_so_is_every_other_fault():
    ada = a_market().ada

    one = ada.post("orders/", an_order(owner=7))
    several = ada.post("orders/", {"instrument": 5, "side": "buy", "limit_price": "x"})

    assert (one.code, one.json["field"]) == ("unknown_field", "owner")
    assert {(each["field"], each["code"]) for each in several.json["errors"]} == {
        ("instrument", "not_text"), ("side", "invalid_choice"), ("limit_price", "not_whole"), ("quantity", "required"),
    }  # fmt: skip


def test_what_comes_while_pages_are_turned_is_on_none_of_them_and_nothing_is_twice():
    market = a_market()
    placed = [market.ada.post("orders/", an_order(limit_price=10 + n)).json["id"] for n in range(25)]
    seen, cursor = [], ""
    while True:
        page = market.ada.get(f"orders/?limit=4{cursor}").json
        seen += [each["id"] for each in page["results"]]
        market.ada.post("orders/", an_order(limit_price=5))
        market.ada.send("DELETE", f"orders/{placed[0]}/")
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"

    assert seen == placed[::-1]
    # A cursor does not end: asked again much later it goes on from the same place.
    assert market.ada.get(f"orders/?limit=4{cursor}").json["results"][-1]["id"] == placed[0]


def test_every_list_has_pages_and_refuses_the_cursor_of_another():
    market = a_market()
    for number in range(3):
        market.ada.post("orders/", an_order(side="SELL", limit_price=100, quantity=1))
        market.bob.post("orders/", an_order(limit_price=100, quantity=1))
        gift = {"to": str(market.bob.wallet.public_id), "asset": "CREDITS", "amount": 1 + number}
        market.ada.post("transfers/", gift)
    lists = ["orders/", "transfers/", "instruments/H100-2026Q4/trades/"]
    cursors = {path: market.ada.get(f"{path}?limit=1").json["next"] for path in lists}
    empty = ["redemptions/", "index/", "instruments/H100-2026Q4/candles/"]

    for path in (*lists, *empty):
        for origin, cursor in cursors.items():
            answer = market.ada.get(f"{path}?cursor={cursor}")
            assert (answer.status == 200) == (path == origin), (path, origin)
            assert answer.status == 200 or answer.code == "bad_cursor"
        for broken in ("x", "1", cursors["orders/"][:-1], cursors["orders/"] + "x", "9999999999999999999.x"):
            assert market.ada.get(f"{path}?cursor={broken}").code == "bad_cursor", (path, broken)
        assert market.ada.get(f"{path}?limit=0").code == "bad_parameter"
