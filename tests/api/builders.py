"""A client of the API with a key, and the small world it asks about."""

from __future__ import annotations

import itertools
import json
from dataclasses import dataclass
from typing import Any

from django.test import Client
from django.utils import timezone

from ledger.models import Wallet
from market.models import Instrument
from portal.api.keys import make_key
from portal.people.models import User
from tests.ledger.builders import given, the_credits
from tests.market.builders import some_instrument
from tests.people.builders import some_person

SCOPES = ("read", "trade", "transfer", "redeem")
V1 = "/api/v1/"
_numbers = itertools.count(1)


class Api:
    """Speaks JSON to /api/v1/ with one key."""

    def __init__(self, user: User, *scopes: str, secret: str = "") -> None:
        self.user = user
        self.secret = secret or make_key(
            user_id=user.id, name="test", scopes=scopes or SCOPES, days=7, now=timezone.now()
        )[1]  # fmt: skip
        self.client = Client(headers={"Authorization": f"Bearer {self.secret}"}, raise_request_exception=False)

    def get(self, path: str, **headers: str) -> Answer:
        return Answer(self.client.get(V1 + path, headers=headers))

    def send(self, method: str, path: str, body: Any = None, *, key: str | None = "", **headers: str) -> Answer:
        """With a fresh Idempotency-Key, or the one said, or none for None. A body of bytes is sent as it is."""
        if key is not None:
            headers["Idempotency-Key"] = key or f"k{next(_numbers)}"
        kind = headers.pop("kind", "application/json")
        data = body if isinstance(body, bytes) else json.dumps({} if body is None else body).encode()
        return Answer(self.client.generic(method, V1 + path, data, content_type=kind, headers=headers))

    def post(self, path: str, body: Any = None, **options: Any) -> Answer:
        return self.send("POST", path, body, **options)

    @property
    def wallet(self) -> Wallet:
        assert self.user.wallet is not None
        return self.user.wallet


class Answer:
    """What came back: the status, the document and the headers."""

    def __init__(self, response: Any) -> None:
        self.status: int = response.status_code
        self.headers = response.headers
        self.text: str = response.content.decode()
        self.json: Any = json.loads(self.text) if "json" in response.headers.get("Content-Type", "") else None
        if self.status >= 400:
            self.is_problem()

    def is_problem(self) -> None:
        """Every error has the same form."""
        assert self.headers["Content-Type"] == "application/problem+json", (self.status, self.text[:300])
        assert {"type", "title", "status", "code", "detail"} <= set(self.json), self.json
        assert self.json["status"] == self.status
        assert self.json["detail"].endswith((".", "。")), self.json["detail"]

    @property
    def code(self) -> str:
        return str(self.json["code"])

    def __repr__(self) -> str:
        return f"<{self.status} {self.text[:200]}>"


@dataclass
class Market:
    instrument: Instrument
    ada: Api
    bob: Api


def a_market() -> Market:
    """Ada and Bob, each with credits and tokens of one series."""
    instrument = some_instrument()
    return Market(instrument, *(a_trader(instrument, name) for name in ("Ada", "Bob")))


def a_trader(instrument: Instrument, name: str, *scopes: str) -> Api:
    person = some_person(name)
    assert person.wallet is not None
    given(person.wallet, the_credits(), 10**12)
    given(person.wallet, instrument.asset, 10**9)
    return Api(person, *scopes)


def an_order(**changes: Any) -> dict[str, Any]:
    return {"instrument": "H100-2026Q4", "side": "BUY", "limit_price": 150, "quantity": 10} | changes
