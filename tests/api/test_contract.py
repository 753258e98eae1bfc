"""The schema promises nothing that does not happen: every answer that it names is got from the route that names it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from django.test import Client

from portal.api.throttling import _forget
from tests.api.builders import SCOPES, V1, Api, Market, a_market, an_order
from tests.api.test_keys import NEEDS, a_wish, things
from tests.market.builders import in_auction
from tests.scheduler.builders import drawn_class

pytestmark = pytest.mark.django_db(transaction=True)

NOBODY = "00000000-0000-0000-0000-000000000001"
SCOPE = {(method, path): scope for method, path, scope in NEEDS}


class Asked:
    """Gets one status from one operation of the schema."""

    def __init__(self, market: Market, settings: Any) -> None:
        self.market, self.settings = market, settings
        self.to = str(market.bob.wallet.public_id)
        # For each scope a key that has another one only.
        self.weak = {scope: Api(market.ada.user, next(each for each in SCOPES if each != scope)) for scope in SCOPES}

    def path(self, template: str, *, missing: bool = False) -> str:
        parts = {"code": "GHOST" if missing else "H100-2026Q4", "entry_id": 987_654 if missing else 1}
        if missing:
            parts |= {"order_id": 987_654, "public_id": NOBODY}
        elif "{order_id}" in template or "{public_id}" in template:
            mine = things(self.market.ada)
            parts |= {"order_id": mine["order"], "public_id": mine["job"]}
        return template.removeprefix(V1).format(**parts)

    def body(self, method: str, template: str) -> Any:
        bodies: dict[tuple[str, str], Any] = {
            ("POST", "orders/"): an_order(),
            ("POST", "orders/bulk/"): {"orders": [an_order(client_order_id="one")]},
            ("PATCH", "orders/{order_id}/"): {"quantity": 5},
            ("PUT", "cancel-timer/"): {"seconds": 60},
            ("POST", "transfers/"): {"to": self.to, "asset": "H100-2026Q4", "amount": 1},
            ("POST", "redemptions/"): a_wish(),
            ("POST", "device/"): {"name": "notebook", "scopes": ["read"]},
        }
        return bodies.get((method, template.removeprefix(V1)), {})

    def answer(self, method: str, template: str, status: int) -> Any:
        """Ask so that this status must come."""
        ada, api = self.market.ada, self.market.ada
        needed = next((s for m, p, s in NEEDS if m == method and matches(p, template)), None)
        if status == 401:
            return Client().generic(method, V1 + self.path(template))
        if status == 403:
            api = self.weak[needed]
        if status == 429:
            return self.throttled(method, template)
        if status == 409:
            return self.too_late(method, template)
        if status == 304:
            seen = ada.get(self.path(template)).headers["ETag"]
            return ada.get(self.path(template), **{"If-None-Match": seen})
        path, body, more = self.path(template, missing=status == 404), self.body(method, template), {}
        if status == 404 and "{" not in template:
            path, body = (f"{path}?wallet={NOBODY}", None) if method == "GET" else (path, body | {"wallet": NOBODY})
        if status == 400:
            path, body = (f"{path}?nope=1", body) if needed else (path, b"{")
        if status == 413:
            body = b" " * 1_000_001
        if status == 415:
            more = {"kind": "text/plain"}
        if status == 422:
            body = []
        if method == "GET":
            return api.get(path)
        return api.send(method, path, body, **more)

    def throttled(self, method: str, template: str) -> Any:
        path, body = self.path(template), self.body(method, template)
        rates = self.settings.API_RATES
        self.settings.API_RATES = dict.fromkeys(rates, 0)
        _forget()
        try:
            return self.market.ada.send(method, path, body)
        finally:
            self.settings.API_RATES = rates
            _forget()

    def too_late(self, method: str, template: str) -> Any:
        path, ada = self.path(template), self.market.ada
        if "cancel-all" in path:
            in_auction(self.market.instrument, collect=0, no_cancel=3600)
            ada.post("orders/", an_order(limit_price=90))
        else:
            ada.send("DELETE", path)
        return ada.send(method, path, self.body(method, template))


def matches(path: str, template: str) -> bool:
    """Whether a row of NEEDS is about this path of the schema."""
    forms = {"H100-2026Q4": "{code}", "{order}": "{order_id}", "s/1/": "s/{entry_id}/", "{job}": "{public_id}"}
    for ours, theirs in forms.items():
        path = path.replace(ours, theirs)
    return V1 + path == template


def test_every_answer_that_the_schema_names_happens(settings, tmp_path):
    settings.API_RATES = dict.fromkeys(settings.API_RATES, 10**9)
    settings.HOURGLASS_JOBS_DIR = str(tmp_path)
    drawn_class()
    market = a_market()
    asked, wrong, seen = Asked(market, settings), [], Counter[int]()
    named = [
        (method.upper(), path, int(status))
        for path, methods in Client().get(f"{V1}schema/").json()["paths"].items()
        for method, operation in methods.items()
        for status in operation["responses"]
    ]
    # An auction stops what comes after it.
    for method, path, status in sorted(named, key=lambda each: (each[2] == 409, "cancel-all" in each[1])):
        if (path, status) in {(f"{V1}receipts/{{entry_id}}/", 200), (f"{V1}device/token/", 200)}:
            continue  # proved where a log is sealed, and where a login is approved
        answer = asked.answer(method, path, status)
        got = getattr(answer, "status", None) or answer.status_code
        seen[got] += got == status
        if got != status:
            wrong.append((method, path, status, answer))

    print(f"\n{sum(seen.values())} answers of {len(named)} named: {dict(sorted(seen.items()))}")
    assert wrong == []
