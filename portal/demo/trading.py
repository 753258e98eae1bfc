"""The simulated traders: market makers and takers who use the API as anyone's program would, at a human pace."""

import heapq
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import requests

from portal.demo.series import GPU_TYPES
from portal.demo.strategy import Move, Own, Quote, Seen, makes, mood, moves, quotes, take

# Seconds between two acts of one trader in one series: of makers and takers, in this quarter's series and the next's.
PACE = {(True, 0): (35.0, 75.0), (False, 0): (25.0, 70.0), (True, 1): (90.0, 180.0), (False, 1): (90.0, 240.0)}
# Books are filled soon after a start, and traded in once they are.
FIRST_MAKERS, FIRST_TAKERS = 6.0, (3.0, 40.0)
TELL_SECONDS = 600.0
AFTER_A_FAULT = 5.0
GPU_SECONDS_PER_LOT = 36
CREDITS = "CREDITS"
LIST_PRICES = {gpu.gpu: gpu.price for gpu in GPU_TYPES}


class Site(Protocol):
    """What a trader can ask of a site, by name."""

    def book(self, name: str, code: str) -> dict[str, Any]: ...

    def orders(self, name: str, code: str) -> list[Own]: ...

    def balances(self, name: str) -> dict[str, int]:
        """By asset, what is held included: lots, and 1/10,000 credit."""
        ...

    def place(self, name: str, code: str, wanted: Sequence[Quote], *, at_once: bool) -> None: ...

    def move(self, name: str, move: Move) -> None: ...


@dataclass(order=True)
class Desk:
    """One trader in one series, and when they act next."""

    due: float
    number: int
    name: str = field(compare=False)
    code: str = field(compare=False)
    makes: bool = field(compare=False)
    turn: float = field(compare=False)
    quarter: int = field(compare=False)


class Floor:
    """All traders in all series, acting one after the other."""

    def __init__(
        self, site: Site, names: Sequence[str], codes: Sequence[str], *, chance: random.Random, now: float
    ) -> None:
        self._site, self._names, self._chance = site, names, chance
        self.done: Counter[str] = Counter()
        self._have = {name: site.balances(name) for name in names}
        self._desks = [desk for desk in self._desks_of(names, codes, now) if self._usual(desk.code) >= 100]
        heapq.heapify(self._desks)

    @property
    def due(self) -> float:
        """When the next trader acts."""
        return self._desks[0].due if self._desks else float("inf")

    def act(self, now: float) -> None:
        """Whose turn it is acts, and is due again after a pause."""
        desk = heapq.heappop(self._desks)
        desk.due = now + self._chance.uniform(*PACE[desk.makes, desk.quarter])
        heapq.heappush(self._desks, desk)
        side = None if desk.makes else mood(desk.code, desk.turn, now)
        if desk.makes or side is not None:
            self._act(desk, side, now)

    def _act(self, desk: Desk, side: str | None, now: float) -> None:
        book = self._site.book(desk.name, desk.code)
        if book["phase"] not in ({"CONTINUOUS", "POST_ONLY"} if desk.makes else {"CONTINUOUS"}):
            return
        seen = self._seen(desk, book, now)
        if side is None:
            moved, placed = moves(seen.own, quotes(desk.name, seen))
            for move in moved:
                self._site.move(desk.name, move)
            self.done.update("amended" if move.quote else "cancelled" for move in moved)
        else:
            # What is left of an earlier life.
            for order in seen.own:
                self._site.move(desk.name, Move(order, None))
            quote = take(seen, side, self._chance)
            placed = [quote] if quote else []
        if placed:
            self._site.place(desk.name, desk.code, placed, at_once=side is not None)
        self.done["placed"] += len(placed)

    def _seen(self, desk: Desk, book: dict[str, Any], now: float) -> Seen:
        have = self._have[desk.name] = self._site.balances(desk.name)
        return Seen(
            code=desk.code, at=now, list_price=_list_price(desk.code),
            best_bid=book["bids"][0]["price"] if book["bids"] else None,
            best_ask=book["asks"][0]["price"] if book["asks"] else None,
            own=self._site.orders(desk.name, desk.code),
            have=have.get(desk.code, 0), usual=self._usual(desk.code), money=have.get(CREDITS, 0),
        )  # fmt: skip

    def _usual(self, code: str) -> int:
        return sum(have.get(code, 0) for have in self._have.values()) // len(self._names)

    def _desks_of(self, names: Sequence[str], codes: Sequence[str], now: float) -> list[Desk]:
        known = [code for code in codes if code.partition("-")[0] in LIST_PRICES]
        quarters = sorted({code.partition("-")[2] for code in known})
        found: list[Desk] = []
        for series, code in enumerate(known):
            takers = 0
            for trader, name in enumerate(names):
                is_maker = makes(trader, series)
                first = self._chance.uniform(0, FIRST_MAKERS) if is_maker else self._chance.uniform(*FIRST_TAKERS)
                quarter = min(quarters.index(code.partition("-")[2]), 1)
                turn = 0.0 if is_maker else takers / max(1, len(names) // 2)
                found.append(Desk(now + first, len(found), name, code, is_maker, turn, quarter))
                takers += not is_maker
        return found


class ApiSite:
    """The site as its API shows it, each trader with a key of their own."""

    def __init__(self, address: str, key_of: Callable[[str], str], *, timeout: float = 20) -> None:
        self._url, self._key_of, self._timeout = f"{address}/api/v1/", key_of, timeout
        self._session = requests.Session()
        self._keys: dict[str, str] = {}

    def codes(self, name: str) -> list[str]:
        """Series that are not over, the soonest to expire first."""
        found = self._ask(name, "GET", "instruments/") or {"results": []}
        return [each["code"] for each in found["results"] if each["phase"] != "CLOSED"]

    def book(self, name: str, code: str) -> dict[str, Any]:
        return self._ask(name, "GET", f"instruments/{code}/book/?levels=1") or {"phase": "GONE"}

    def orders(self, name: str, code: str) -> list[Own]:
        found = self._ask(name, "GET", f"orders/?instrument={code}&status=OPEN&limit=100") or {"results": []}
        return [
            Own(each["id"], each["side"], each["limit_price"], each["quantity"], each["filled_quantity"])
            for each in found["results"]
        ]

    def balances(self, name: str) -> dict[str, int]:
        found = self._ask(name, "GET", "balances/") or {"results": []}
        return {
            each["asset"]: each["balance"] // (1 if each["asset"] == CREDITS else GPU_SECONDS_PER_LOT)
            for each in found["results"]
        }

    def place(self, name: str, code: str, wanted: Sequence[Quote], *, at_once: bool) -> None:
        terms = {"time_in_force": "IOC"} if at_once else {"post_only": True}
        mark = f"{time.time_ns():x}"
        rows = [
            {
                "instrument": code, "side": quote.side, "limit_price": quote.price, "quantity": quote.quantity,
                "client_order_id": f"demo-{mark}-{number}", **terms,
            }
            for number, quote in enumerate(wanted)
        ]  # fmt: skip
        self._ask(name, "POST", "orders/bulk/", {"orders": rows})

    def move(self, name: str, move: Move) -> None:
        path = f"orders/{move.order.id}/"
        if move.quote is None:
            self._ask(name, "DELETE", path)
        else:
            terms = {"limit_price": move.quote.price, "quantity": move.order.filled + move.quote.quantity}
            self._ask(name, "PATCH", path, terms)

    def _ask(self, name: str, method: str, path: str, body: Any = None) -> Any:
        """The document, or None where the answer is no: a trader then looks again at their next turn."""
        answer = self._sent(name, method, path, body)
        if answer.status_code == 401:
            # The key is over, or was revoked.
            del self._keys[name]
            answer = self._sent(name, method, path, body)
        if answer.status_code >= 500:
            answer.raise_for_status()
        return answer.json() if answer.ok else None

    def _sent(self, name: str, method: str, path: str, body: Any) -> requests.Response:
        if name not in self._keys:
            self._keys[name] = self._key_of(name)
        headers = {"Authorization": f"Bearer {self._keys[name]}"}
        return self._session.request(method, self._url + path, json=body, headers=headers, timeout=self._timeout)


def trade_until(ended: threading.Event, site: ApiSite, names: Sequence[str]) -> None:
    """Let every trader act when it is their turn; the site may go away and come back meanwhile."""
    chance = random.Random()  # noqa: S311
    floor, told_at = None, time.monotonic()
    while not ended.is_set():
        try:
            if floor is None:
                floor = Floor(site, names, site.codes(names[0]), chance=chance, now=time.time())
            if ended.wait(min(TELL_SECONDS, max(0.0, floor.due - time.time()))):
                return
            if floor.due <= time.time():
                floor.act(time.time())
        except requests.RequestException as error:
            print(f"The site does not answer as it should: {error}", flush=True)  # noqa: T201
            ended.wait(AFTER_A_FAULT)
        if floor is not None and time.monotonic() - told_at > TELL_SECONDS:
            told_at = time.monotonic()
            print(", ".join(f"{count} {what}" for what, count in sorted(floor.done.items())), flush=True)  # noqa: T201
            floor.done.clear()


def _list_price(code: str) -> int:
    return LIST_PRICES[code.partition("-")[0]]
