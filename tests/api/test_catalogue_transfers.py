"""The catalogue's rows about transfers and about what a request says of itself (its row numbers)."""

from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from ledger.models import Transfer, Wallet
from portal.people.models import User
from tests.api.builders import Api, Market, a_market, a_trader, an_order
from tests.full import count
from tests.ledger.races import at_once, close_pool
from tests.market.builders import assert_value_is_conserved

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _unhurried(settings: Any) -> None:
    """Rounds are many; the tests of the limits set their own."""
    settings.API_RATES = dict.fromkeys(settings.API_RATES, 10**9)


def test_33_nothing_is_sent_to_nobody():
    market = a_market()
    gone = a_trader(market.instrument, "Gone")
    User.objects.filter(id=gone.user.id).update(is_active=False)
    system = str(Wallet.objects.filter(kind="SYSTEM").earliest("id").public_id)
    wrong = [
        str(gone.wallet.public_id),
        str(uuid.UUID(int=1)),
        system,
        "nobody",
        str(market.bob.wallet.public_id).upper(),
    ]

    answers = [market.ada.post("transfers/", a_gift(market, to=to)) for to in wrong]

    assert [(each.status, each.code, each.json["field"]) for each in answers] == [(422, "unknown", "to")] * len(wrong)
    assert market.ada.post("transfers/", a_gift(market, to=str(market.ada.wallet.public_id))).status == 422
    assert market.ada.post("transfers/", a_gift(market, amount=10**12)).code == "not_enough"
    assert gone.get("balances/").status == 401


def a_gift(market: Market, **changes: Any) -> dict[str, Any]:
    return {"to": str(market.bob.wallet.public_id), "asset": "H100-2026Q4", "amount": 10**9} | changes


def test_34_sixty_four_at_once_send_the_whole_balance_once():
    market = a_market()

    answers = at_once(lambda _: str(market.ada.post("transfers/", a_gift(market)).status), list(range(64)))

    close_pool()
    assert sorted(answers) == ["201", *["422"] * 63]
    assert Transfer.objects.filter(transfer_kind="SEND").count() == 1
    assert_value_is_conserved()


def test_35_there_and_back_at_once_adds_up():
    market = a_market()
    rounds = max(1, count(1_000) // 50)

    def act(number: int) -> str:
        giver, taker = (market.ada, market.bob) if number % 2 else (market.bob, market.ada)
        gift = a_gift(market, to=str(taker.wallet.public_id), amount=1 + number)
        return str(giver.post("transfers/", gift).status)

    answers = [answer for _ in range(rounds) for answer in at_once(act, list(range(50)))]

    close_pool()
    print(f"{len(answers)} transfers there and back")
    assert set(answers) == {"201"}
    assert_value_is_conserved()


def test_37_nobody_writes_a_balance():
    market = a_market()

    assert market.ada.send("PATCH", "wallets/me/", {"balance": 10**9}).status == 404
    for method in ("PATCH", "PUT", "POST", "DELETE"):
        assert market.ada.send(method, "balances/", {"balance": 10**9}).status == 405


def test_83_only_json_is_read():
    market = a_market()
    body = json.dumps(an_order()).encode()
    form = b"--x\r\n" + b'Content-Disposition: form-data; name="a"\r\n\r\n1\r\n--x\r\n' * 10_001

    assert market.ada.post("orders/", body, kind="text/plain").status == 415
    assert market.ada.post("orders/", form, kind="multipart/form-data; boundary=x").status == 415
    assert market.ada.post("orders/", b"side=BUY", kind="application/x-www-form-urlencoded").status == 415
    assert market.ada.post("orders/", body, **{"Content-Encoding": "gzip"}).status == 415
    assert market.ada.post("orders/", body, kind="application/json; charset=utf-8").status == 201


def test_70_what_a_client_says_about_itself_is_ignored():
    market = a_market()
    other = {"X-User-Id": "1", "X-Forwarded-For": "127.0.0.1"}

    assert market.ada.get("orders/", **other).json == {"results": [], "next": None}
    assert Api(market.ada.user, "read").get("orders/", **other).status == 200
