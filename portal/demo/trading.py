"""The simulated traders: visitors who place and cancel orders over HTTP as anyone would, at a human pace."""

import random
import re
import threading
import time
from dataclasses import dataclass, field

import requests

from portal.demo import people
from portal.demo.visitor import Page, VisitFailed, Visitor

# Seconds between two acts of one trader.
PACE = (4.0, 14.0)
OPEN_ORDERS = 6


@dataclass
class Trader:
    """One simulated person."""

    name: str
    address: str
    chance: random.Random
    codes: list[str] = field(default_factory=list)
    _visitor: Visitor | None = None

    def act(self) -> str:
        """Do one thing and say what."""
        if self._visitor is None:
            self._visitor = Visitor(self.address)
            self._visitor.sign_in(people.email(self.name), people.PASSWORD)
        if not self.codes:
            self.codes = re.findall(r'href="/market/([A-Z0-9-]+)/"', self._visitor.get("/market/").text)
        code = self.chance.choice(self.codes)
        page = self._visitor.get(f"/market/{code}/")
        cancels = [form for form in page.forms if form.action.endswith("/cancel/")]
        if len(cancels) >= OPEN_ORDERS or (cancels and self.chance.random() < 0.2):
            self._visitor.send(page, self.chance.choice(cancels))
            return f"{self.name} cancels in {code}"
        return self._place(page, code)

    def _place(self, page: Page, code: str) -> str:
        assert self._visitor is not None
        form = page.form("quantity", "limit_price", "client_order_id")
        last = float(form.fields["limit_price"] or "1")
        side = self.chance.choice(["BUY", "SELL"])
        away = self.chance.choice([-0.02, -0.01, 0, 0, 0.01, 0.01, 0.02, 0.04])
        price = max(0.01, last - away if side == "BUY" else last + away)
        size = self.chance.choice([0.5, 1, 1, 2, 3, 5, 8])
        tif = "IOC" if self.chance.random() < 0.1 else "GTC"
        answer = self._visitor.send(
            page, form, side=side, limit_price=f"{price:.2f}", quantity=f"{size:.2f}", time_in_force=tif
        )
        if answer.status not in {200, 422}:
            raise VisitFailed(f"placing in {code} answered {answer.status}")
        return f"{self.name} {side} {size} GPU-h of {code} at {price:.2f}"

    def forget(self) -> None:
        """Sign in anew next time."""
        self._visitor = None


def trade_until(ended: threading.Event, address: str) -> None:
    """Let every trader act in turn, each after a pause of their own."""
    chance = random.Random()  # noqa: S311
    traders = [Trader(name, address, chance) for name in people.TRADERS]
    due = {trader.name: time.monotonic() + chance.uniform(1, PACE[0]) for trader in traders}
    while not ended.is_set():
        trader = min(traders, key=lambda one: due[one.name])
        if ended.wait(max(0.0, due[trader.name] - time.monotonic())):
            return
        try:
            print(trader.act(), flush=True)  # noqa: T201
        except (VisitFailed, requests.RequestException) as error:
            print(f"{trader.name}: {error}", flush=True)  # noqa: T201
            trader.forget()
        due[trader.name] = time.monotonic() + chance.uniform(*PACE)
