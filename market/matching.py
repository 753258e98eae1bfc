"""Price-time priority as pure functions: values in, values out."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from heapq import heappop, heappush
from typing import NamedTuple

BUY, SELL = "BUY", "SELL"


@dataclass(slots=True, eq=False)
class BookOrder:
    """An order as matching sees it. `owner` is the beneficial owner; `priority` its place among equal prices."""

    id: int
    owner: int
    side: str
    limit_price: int
    open_quantity: int
    priority: int = 0


class Fill(NamedTuple):
    """What matching takes from one resting order."""

    maker: BookOrder
    price: int
    quantity: int


@dataclass(slots=True)
class Match:
    """What an arriving order met: its fills, and the order of its own owner at which it stopped, if it did."""

    fills: list[Fill] = field(default_factory=list)
    own: BookOrder | None = None


def crosses(side: str, limit_price: int, maker_price: int) -> bool:
    """Would an order with this limit accept the maker's price?"""
    return maker_price <= limit_price if side == BUY else maker_price >= limit_price


def opposite(side: str) -> str:
    return SELL if side == BUY else BUY


class Book:
    """The open orders of one instrument, or of that part of it which arriving orders can reach."""

    def __init__(self, orders: Iterable[BookOrder] = ()) -> None:
        self._heaps: dict[str, list[tuple[int, int, BookOrder]]] = {BUY: [], SELL: []}
        for order in orders:
            self.rest(order)

    def rest(self, order: BookOrder) -> None:
        rank = -order.limit_price if order.side == BUY else order.limit_price
        heappush(self._heaps[order.side], (rank, order.priority, order))

    def best(self, side: str) -> BookOrder | None:
        """The first in line; filled and cancelled orders (nothing open) drop out as they come to the front."""
        heap = self._heaps[side]
        while heap:
            order = heap[0][2]
            if order.open_quantity:
                return order
            heappop(heap)
        return None

    def in_line(self, side: str) -> Iterator[BookOrder]:
        """All of one side, first in line first; takes a sort."""
        ranked = sorted(self._heaps[side], key=lambda place: place[:2])
        return (order for _, _, order in ranked if order.open_quantity)


def match(book: Book, taker: BookOrder, worst_price: int) -> Match:
    """Fill the taker from the book, best price first, then first come; each fill is at the maker's price.

    `worst_price` is its limit, or the edge of the band where that comes first. It stops at an order of the taker's own
    owner: what happens then is the caller's to say, who may go on.
    """
    found = Match()
    side = opposite(taker.side)
    while taker.open_quantity:
        maker = book.best(side)
        if maker is None or not crosses(taker.side, worst_price, maker.limit_price):
            break
        if maker.owner == taker.owner:
            found.own = maker
            break
        quantity = min(maker.open_quantity, taker.open_quantity)
        maker.open_quantity -= quantity
        taker.open_quantity -= quantity
        found.fills.append(Fill(maker, maker.limit_price, quantity))
    return found


def would_trade(book: Book, taker: BookOrder) -> bool:
    """Does the taker cross the book, if only an order of its own owner?"""
    best = book.best(opposite(taker.side))
    return best is not None and crosses(taker.side, taker.limit_price, best.limit_price)


def can_fill(book: Book, taker: BookOrder, worst_price: int, *, past_own: bool) -> bool:
    """Can all of the taker be filled at once, at that price or better? `past_own`: orders of its own owner would be
    cancelled on the way."""
    left = taker.open_quantity
    for maker in book.in_line(opposite(taker.side)):
        if not crosses(taker.side, worst_price, maker.limit_price):
            return False
        if maker.owner == taker.owner:
            if past_own:
                continue
            return False
        left -= maker.open_quantity
        if left <= 0:
            return True
    return False
