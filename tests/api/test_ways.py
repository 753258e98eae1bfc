"""Each endpoint does what it says."""

import pytest
from django.utils import timezone

from ledger.proof.configured import configured_sealer
from ledger.proof.keys import make_key as make_signing_key
from ledger.proof.receipts import parse_receipt
from ledger.proof.sealing import seal_entries
from market.models import Order
from tests.api.builders import Api, a_market, an_order
from tests.ledger.builders import given, some_series
from tests.market.builders import assert_value_is_conserved
from tests.people.builders import some_person
from tests.scheduler.builders import drawn_class

pytestmark = pytest.mark.django_db(transaction=True)


def test_the_market_is_read_a_page_at_a_time():
    market = a_market()
    for price in (101, 102, 103):
        market.ada.post("orders/", an_order(side="SELL", limit_price=price, quantity=1))
        market.bob.post("orders/", an_order(limit_price=price, quantity=1))
    market.bob.post("orders/", an_order(limit_price=90, quantity=7))

    listed, one = market.ada.get("instruments/"), market.ada.get("instruments/H100-2026Q4/")
    book = market.ada.get("instruments/H100-2026Q4/book/")
    first = market.ada.get("instruments/H100-2026Q4/trades/?limit=2")
    second = market.ada.get(f"instruments/H100-2026Q4/trades/?limit=2&cursor={first.json['next']}")

    assert [each["code"] for each in listed.json["results"]] == ["H100-2026Q4"]
    assert listed.json["results"][0] == one.json
    assert one.json["last_price"] == 103
    assert one.json["day"] == {"volume": 3, "first_price": 101, "high": 103, "low": 101}
    assert book.json["bids"] == [{"price": 90, "quantity": 7, "orders": 1}]
    assert book.json["asks"] == []
    assert [trade["price"] for trade in first.json["results"] + second.json["results"]] == [103, 102, 101]
    assert second.json["next"] is None


def test_a_snapshot_that_has_not_changed_is_not_sent_again():
    market = a_market()
    for path in ("instruments/H100-2026Q4/book/", "instruments/", "instruments/H100-2026Q4/"):
        fresh = market.ada.get(path)
        again = market.ada.get(path, **{"If-None-Match": fresh.headers["ETag"]})
        assert (fresh.status, again.status, again.text) == (200, 304, "")
        assert again.headers["ETag"] == fresh.headers["ETag"]
    seen = market.ada.get("instruments/H100-2026Q4/book/").headers["ETag"]

    market.bob.post("orders/", an_order())

    assert market.ada.get("instruments/H100-2026Q4/book/", **{"If-None-Match": seen}).status == 200


def test_an_order_is_placed_read_amended_and_cancelled():
    market = a_market()

    placed = market.ada.post("orders/", an_order(), key="mine-1")
    again = market.ada.post("orders/", an_order(), key="mine-1")
    path = f"orders/{placed.json['id']}/"
    read = market.ada.get(path)
    amended = market.ada.send("PATCH", path, {"quantity": 4, "limit_price": "140"})
    cancelled = market.ada.send("DELETE", path)

    assert (placed.status, placed.json["status"]) == (201, "OPEN")
    assert (again.status, again.json) == (201, placed.json)
    assert read.json["client_order_id"] == "mine-1"
    assert read.json["held"] == 1500
    assert (amended.status, amended.json["quantity"]) == (200, 4)
    assert (cancelled.status, cancelled.json["status"], cancelled.json["limit_price"]) == (200, "CANCELLED", 140)
    assert Order.objects.count() == 1
    assert_value_is_conserved()


def test_orders_are_listed_with_a_cursor_and_filters():
    market = a_market()
    placed = [market.ada.post("orders/", an_order(limit_price=100 + n)).json["id"] for n in range(5)]
    market.ada.send("DELETE", f"orders/{placed[0]}/")

    first = market.ada.get("orders/?limit=3")
    second = market.ada.get(f"orders/?limit=3&cursor={first.json['next']}")
    open_ones = market.ada.get("orders/?status=OPEN&instrument=H100-2026Q4")

    assert [each["id"] for each in first.json["results"] + second.json["results"]] == placed[::-1]
    assert [each["id"] for each in open_ones.json["results"]] == placed[:0:-1]
    assert market.bob.get("orders/").json == {"results": [], "next": None}


def test_a_thousand_orders_in_one_call_are_each_answered():
    market = a_market()
    rows = [an_order(client_order_id=f"b{n}", limit_price=100 + n % 7, quantity=1) for n in range(1000)]
    rows[1] = an_order(client_order_id="b1", quantity=-5)
    rows[2] = "nonsense"
    rows[3] = an_order(client_order_id="b3", instrument="GHOST")
    rows[4] = an_order(client_order_id="b4", time_in_force="GTD")
    rows[5] = an_order(client_order_id="b0", quantity=99)
    rows[6] = an_order(client_order_id="b6", quantity=10**11, limit_price=10**7)

    answer = market.ada.post("orders/bulk/", {"orders": rows}, key=None)

    assert answer.status == 200
    results = answer.json["results"]
    assert [each["status"] for each in results] == [201, *[422] * 6, *[201] * 993]
    assert [each["problem"]["code"] for each in results[1:7]] == [
        "out_of_range", "not_an_object", "unknown", "bad_order", "client_order_id_conflict", "not_enough",
    ]  # fmt: skip
    assert results[6]["order"]["status"] == "REJECTED"
    assert Order.objects.filter(status="OPEN").count() == 994
    assert market.ada.post("orders/bulk/", {"orders": rows + rows}, key=None).status == 422
    assert_value_is_conserved()


def test_all_orders_are_cancelled_at_once_or_when_a_timer_runs_out():
    market = a_market()
    for _ in range(3):
        market.ada.post("orders/", an_order())
    market.bob.post("orders/", an_order(limit_price=10))

    assert market.ada.post("orders/cancel-all/", {"instrument": "H100-2026Q4"}).json == {"cancelled": 3}
    assert market.ada.post("orders/cancel-all/").json == {"cancelled": 0}
    assert Order.objects.filter(status="OPEN").count() == 1
    assert market.ada.get("cancel-timer/").json == {"cancel_at": None}
    told = market.ada.send("PUT", "cancel-timer/", {"seconds": 60})
    assert told.json["cancel_at"] is not None
    assert market.ada.get("cancel-timer/").json == told.json
    assert market.ada.send("PUT", "cancel-timer/", {"seconds": 2}).code == "bad_order"
    assert market.ada.send("PUT", "cancel-timer/", {"seconds": 0}).json == {"cancel_at": None}


def test_a_transfer_is_made_once_and_both_sides_see_it():
    market = a_market()
    body = {"to": str(market.bob.wallet.public_id), "asset": "H100-2026Q4", "amount": "3600"}

    made, again = (market.ada.post("transfers/", body, key="once") for _ in range(2))
    other_key = market.ada.post("transfers/", body | {"amount": 1}, key="once")
    seen = market.bob.get("transfers/?limit=1")
    rest = market.bob.get(f"transfers/?cursor={seen.json['next']}")

    assert (made.status, again.status, made.json) == (201, 201, again.json)
    assert made.json["sides"] == [{"asset": "H100-2026Q4", "amount": -3600}]
    assert (other_key.status, other_key.code) == (422, "idempotency_conflict")
    assert seen.json["results"][0]["entry"] == made.json["entry"]
    assert seen.json["results"][0]["sides"] == [{"asset": "H100-2026Q4", "amount": 3600}]
    assert [each["kind"] for each in rest.json["results"]] == ["ISSUE", "ISSUE"]
    figures = {each["asset"]: each for each in market.bob.get("balances/").json["results"]}
    assert figures["H100-2026Q4"]["available"] == 10**9 + 3600


def test_a_receipt_is_the_proof_of_an_entry(settings, tmp_path):
    settings.LEDGER_SIGNING_KEY_FILE, settings.LEDGER_TREE_HEAD_FILE = str(tmp_path / "key"), str(tmp_path / "head")
    make_signing_key(tmp_path / "key")
    market = a_market()
    body = {"to": str(market.bob.wallet.public_id), "asset": "H100-2026Q4", "amount": 1}
    entry = market.ada.post("transfers/", body).json["entry"]

    early = market.ada.get(f"receipts/{entry}/")
    while seal_entries(configured_sealer(), now=timezone.now()) is not None:
        pass
    proof = market.ada.get(f"receipts/{entry}/")

    assert (early.status, early.code) == (404, "not_sealed")
    assert proof.headers["Content-Type"].startswith("text/plain")
    assert parse_receipt(proof.text).index >= 0


def test_tokens_are_redeemed_for_a_job_and_the_job_is_cancelled(settings, tmp_path):
    settings.HOURGLASS_JOBS_DIR = str(tmp_path)
    drawn_class()
    ada = Api(some_person("Ada"))
    given(ada.wallet, some_series(), 10**6)
    wish = {
        "asset": "H100-2026Q4", "kind": "SCRIPT", "gpus": 1, "walltime_minutes": 10, "job_name": "heat",
        "script": "#!/bin/sh\nhostname\n",
    }  # fmt: skip

    made, again = (ada.post("redemptions/", wish, key="job-1") for _ in range(2))
    other = ada.post("redemptions/", wish | {"gpus": 2}, key="job-1")
    bad = ada.post("redemptions/", wish | {"job_name": "ok\ntouch PWNED"})
    read = ada.get(f"redemptions/{made.json['id']}/")
    listed = ada.get("redemptions/")
    cancelled = ada.send("DELETE", f"redemptions/{made.json['id']}/")
    twice = ada.send("DELETE", f"redemptions/{made.json['id']}/")

    assert (made.status, made.json["status"], again.json["id"]) == (201, "PENDING", made.json["id"])
    assert (other.status, other.code) == (422, "redemption_conflict")
    assert (bad.status, bad.json["field"]) == (422, "job_name")
    assert read.json["id"] == listed.json["results"][0]["id"] == made.json["id"]
    assert (cancelled.status, cancelled.json["status"]) == (200, "CANCELLED")
    assert (twice.status, twice.code) == (409, "cannot_cancel")
    assert ada.get("balances/").json["results"][0]["held"] == 0
