"""The reader's side of the stream: a book grown from a snapshot and events, and the checksum that proves it. Pure.

What a reader in any language does is what this does; docs/market.md says it in words.
"""

import heapq
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, islice
from typing import Any
from zlib import crc32

BUY, SELL = "BUY", "SELL"
# As many of the best levels a side stand in the checksum.
TOP = 10
Level = tuple[int, int, int]


class Gap(ValueError):
    """An event is not the next one: something between was missed."""


def checksum(asks: Iterable[Sequence[object]], bids: Iterable[Sequence[object]]) -> int:
    """CRC-32 over the ten best asks, lowest first, then the ten best bids, highest first: of each level the price and
    the quantity as they are written, without the point and leading zeros, all in one string. The same as Kraken's."""
    levels = chain(islice(asks, TOP), islice(bids, TOP))
    text = "".join(digits(level[0]) + digits(level[1]) for level in levels)
    return crc32(text.encode("ascii"))


def digits(figure: object) -> str:
    return str(figure).replace(".", "").lstrip("0")


class FeedBook:
    """Price levels at one event number.

    A snapshot may reach only so many levels a side: what lies beyond its worst price is not known and is left alone.
    """

    def __init__(
        self, number: int = 0, bids: Sequence[Level] = (), asks: Sequence[Level] = (), *, limit: int | None = None
    ) -> None:
        self.number = number
        self.sides: dict[str, dict[int, tuple[int, int]]] = {}
        self.edges: dict[str, int | None] = {}
        for side, levels in ((BUY, bids), (SELL, asks)):
            self.sides[side] = {price: (quantity, orders) for price, quantity, orders in levels}
            self.edges[side] = levels[-1][0] if limit is not None and len(levels) >= limit else None

    def apply(self, number: int, event: Mapping[str, Any]) -> None:
        """Take the next event."""
        if number != self.number + 1:
            raise Gap(f"event {number} after {self.number}")
        self._change(event, 1)
        self.number = number

    def undo(self, event: Mapping[str, Any]) -> None:
        """Go back to before the last event: changes are sums, so that every one can be taken back."""
        self._change(event, -1)
        self.number -= 1

    def levels(self, side: str, count: int | None = None) -> list[Level]:
        """Best first."""
        prices = self.sides[side]
        if count is None:
            found = sorted(prices, reverse=side == BUY)
        else:
            found = heapq.nlargest(count, prices) if side == BUY else heapq.nsmallest(count, prices)
        return [(price, *prices[price]) for price in found]

    @property
    def checksum(self) -> int:
        return checksum(self.levels(SELL, TOP), self.levels(BUY, TOP))

    @property
    def is_short(self) -> bool:
        """Whether so much of what was known is gone that the ten best are not known any more."""
        return any(self.edges[side] is not None and len(self.sides[side]) < TOP for side in self.sides)

    def _change(self, event: Mapping[str, Any], sign: int) -> None:
        for side, price, quantity, orders in event["levels"]:
            edge = self.edges[side]
            if edge is not None and (price < edge if side == BUY else price > edge):
                continue
            levels = self.sides[side]
            old_quantity, old_orders = levels.get(price, (0, 0))
            left = old_orders + sign * orders
            if left:
                levels[price] = (old_quantity + sign * quantity, left)
            else:
                levels.pop(price, None)
