"""The one price of a call auction: pure, over every tick, in the time it takes to sort the orders.

In this order: the greatest volume; the least surplus; where all that is left has a surplus of buyers the highest price,
of sellers the lowest (market pressure); the price nearest the reference, or nearest the middle of what is left where
there is no reference; the higher of two that are equally near. Candidates are all ticks from the lowest to the highest
of the limit prices and the reference: market orders move the price only within them.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate, pairwise

from market.matching import BUY


@dataclass(slots=True, frozen=True)
class Interest:
    """What an order, or a price level, asks for; a price of None accepts any. An order at market has its protection as
    price, which is no candidate of its own."""

    side: str
    price: int | None
    quantity: int
    at_market: bool = False


@dataclass(slots=True, frozen=True)
class Indication:
    """What an auction would do now; no price where nothing would trade. The surplus is of buyers, or negative."""

    price: int | None = None
    volume: int = 0
    surplus: int = 0


@dataclass(slots=True, frozen=True)
class _Range:
    """Neighbouring ticks, all with the same demand and supply."""

    first: int
    last: int
    demand: int
    supply: int

    @property
    def volume(self) -> int:
        return min(self.demand, self.supply)

    @property
    def surplus(self) -> int:
        return self.demand - self.supply

    def nearest(self, price: int, tick: int) -> tuple[int, ...]:
        """The one or two of its ticks that are nearest to a price."""
        if price <= self.first:
            return (self.first,)
        below = min(self.last, price - (price - self.first) % tick)
        return (below, below + tick) if below + tick <= self.last else (below,)


def indicate(
    interests: Iterable[Interest], reference: int | None, *, tick: int = 1, ends: Iterable[int] = ()
) -> Indication:
    """Price, volume and surplus. `ends` are limit prices so far away that their orders cannot trade: they only widen
    what is a candidate."""
    found = list(interests)
    limits = [each.price for each in found if each.price is not None and not each.at_market]
    candidates = [*limits, *ends] + ([] if reference is None else [reference])
    if not candidates:
        return Indication()
    ranges = _ranges(found, min(candidates), max(candidates), tick)
    volume = max(each.volume for each in ranges)
    if not volume:
        return Indication()
    ranges = [each for each in ranges if each.volume == volume]
    least = min(abs(each.surplus) for each in ranges)
    ranges = [each for each in ranges if abs(each.surplus) == least]
    price = _choose(ranges, reference, tick)
    surplus = next(each.surplus for each in ranges if each.first <= price <= each.last)
    return Indication(price, volume, surplus)


def _choose(ranges: list[_Range], reference: int | None, tick: int) -> int:
    lowest, highest = min(each.first for each in ranges), max(each.last for each in ranges)
    if all(each.surplus > 0 for each in ranges):
        return highest
    if all(each.surplus < 0 for each in ranges):
        return lowest
    wanted = -(-(lowest + highest) // 2) if reference is None else reference
    near = [price for each in ranges for price in each.nearest(wanted, tick)]
    return min(near, key=lambda price: (abs(price - wanted), -price))


def _ranges(interests: list[Interest], low: int, high: int, tick: int) -> list[_Range]:
    """All candidate ticks, lowest first. Demand and supply change at orders' prices and nowhere else."""
    demand, supply = _Curve(), _Curve()
    for each in interests:
        (demand if each.side == BUY else supply).add(each.price, each.quantity)
    demand.close()
    supply.close()
    prices = {low, high} | {each.price for each in interests if each.price is not None and low <= each.price <= high}
    points = sorted(prices)
    found = [_Range(point, point, demand.at_or_above(point), supply.at_or_below(point)) for point in points]
    for below, above in pairwise(points):
        if below + tick < above:
            last = above - tick if (above - below) % tick == 0 else above - (above - below) % tick
            found.append(_Range(below + tick, last, demand.at_or_above(above), supply.at_or_below(below)))
    return sorted(found, key=lambda each: each.first)


class _Curve:
    """Quantities of one side by price."""

    def __init__(self) -> None:
        self._any = 0
        self._by_price: dict[int, int] = {}
        self._prices: list[int] = []
        self._sums: list[int] = [0]

    def add(self, price: int | None, quantity: int) -> None:
        if price is None:
            self._any += quantity
        else:
            self._by_price[price] = self._by_price.get(price, 0) + quantity

    def close(self) -> None:
        self._prices = sorted(self._by_price)
        self._sums = [0, *accumulate(self._by_price[price] for price in self._prices)]

    def at_or_above(self, price: int) -> int:
        return self._any + self._sums[-1] - self._sums[bisect_left(self._prices, price)]

    def at_or_below(self, price: int) -> int:
        return self._any + self._sums[bisect_right(self._prices, price)]
