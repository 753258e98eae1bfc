"""A site in memory for the demo's traders: so much of a market as they use, by price and then by time."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from market.prices.wash import Traded
from portal.demo.strategy import BUY, SELL, Move, Own, Quote
from portal.demo.trading import CREDITS


@dataclass
class Resting:
    id: int
    name: str
    side: str
    price: int
    quantity: int
    filled: int
    priority: int

    @property
    def open(self) -> int:
        return self.quantity - self.filled


@dataclass
class Exchange:
    """Every call is a clearing; `now` is set by whoever lets the time pass."""

    holdings: dict[str, dict[str, int]]
    now: float = 0.0
    rejected: int = 0
    calls: int = 0
    books: dict[str, dict[int, Resting]] = field(default_factory=dict)
    trades: dict[str, list[Traded]] = field(default_factory=dict)
    _numbers: Any = field(default_factory=lambda: itertools.count(1))

    def levels(self, code: str, side: str) -> list[tuple[int, int]]:
        """Prices with what stands there, best first."""
        sums: dict[int, int] = {}
        for order in self.books.get(code, {}).values():
            if order.side == side:
                sums[order.price] = sums.get(order.price, 0) + order.open
        return sorted(sums.items(), reverse=side == BUY)

    # What the traders ask

    def book(self, name: str, code: str) -> dict[str, Any]:
        bids, asks = ([{"price": price} for price, _ in self.levels(code, side)[:1]] for side in (BUY, SELL))
        return {"phase": "CONTINUOUS", "bids": bids, "asks": asks}

    def orders(self, name: str, code: str) -> list[Own]:
        mine = [order for order in self.books.get(code, {}).values() if order.name == name]
        return [Own(each.id, each.side, each.price, each.quantity, each.filled) for each in mine]

    def balances(self, name: str) -> dict[str, int]:
        return dict(self.holdings[name])

    def place(self, name: str, code: str, wanted: Sequence[Quote], *, at_once: bool) -> None:
        self.calls += 1
        for quote in wanted:
            number = next(self._numbers)
            order = Resting(number, name, quote.side, quote.price, quote.quantity, 0, number)
            self._enter(code, order, at_once=at_once)

    def move(self, name: str, move: Move) -> None:
        self.calls += 1
        code, order = next((code, book[move.order.id]) for code, book in self.books.items() if move.order.id in book)
        assert order.name == name
        old = self.books[code].pop(order.id)
        if move.quote is not None:
            quantity = old.filled + move.quote.quantity
            order = Resting(old.id, name, old.side, move.quote.price, quantity, old.filled, next(self._numbers))
            if self._meets(code, order):
                order, self.rejected = old, self.rejected + 1
            self.books[code][order.id] = order

    # How it answers

    def _meets(self, code: str, order: Resting) -> list[Resting]:
        others = [each for each in self.books.get(code, {}).values() if each.side != order.side]
        if order.side == BUY:
            return sorted((o for o in others if o.price <= order.price), key=lambda o: (o.price, o.priority))
        return sorted((o for o in others if o.price >= order.price), key=lambda o: (-o.price, o.priority))

    def _enter(self, code: str, order: Resting, *, at_once: bool) -> None:
        met = self._meets(code, order)
        if met and not at_once:
            self.rejected += 1
            return
        for maker in met:
            quantity = min(maker.open, order.open)
            if quantity and maker.name != order.name:
                self._trade(code, maker, order, quantity)
        if order.open and not at_once:
            self.books.setdefault(code, {})[order.id] = order

    def _trade(self, code: str, maker: Resting, taker: Resting, quantity: int) -> None:
        buyer, seller = (taker.name, maker.name) if taker.side == BUY else (maker.name, taker.name)
        for name, sign in ((buyer, 1), (seller, -1)):
            self.holdings[name][code] += sign * quantity
            self.holdings[name][CREDITS] -= sign * quantity * maker.price
            assert min(self.holdings[name][code], self.holdings[name][CREDITS]) >= 0, name
        maker.filled += quantity
        taker.filled += quantity
        if not maker.open:
            del self.books[code][maker.id]
        found = self.trades.setdefault(code, [])
        names = list(self.holdings)
        at = datetime.fromtimestamp(self.now, tz=UTC)
        found.append(Traded(len(found) + 1, at, maker.price, quantity, names.index(seller), names.index(buyer)))
