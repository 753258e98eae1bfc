"""How the simulated traders think: who makes a market and who takes from it, at which prices and when.

Pure: what a trader sees goes in, what they do comes out, so that a day of them can be run in seconds. Prices are ticks,
quantities lots, instants seconds since 1970; nothing is kept between two acts or two starts.
"""

import math
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache

BUY, SELL = "BUY", "SELL"
# What a series is worth goes up and down around its list price: periods in seconds, each with its share of the price.
WAVES = ((1_400, 0.003), (6_100, 0.006), (19_000, 0.012), (88_000, 0.02))
LEVELS = 12
# Orders of a side that a maker moves in one act.
MOST_MOVES = 3
# Takers buy for a while, look on, sell for a while, look on. Who looks on for over ten minutes between buying and
# selling makes no round trips, and raises no flags.
CYCLE = 3_600
BUYING, SELLING = (0, 1_140), (1_800, 2_940)
# One of so many orders of a taker goes the other way: now and then a flag is there to be looked at.
WHIM = 250


@dataclass(frozen=True)
class Own:
    """An open order of the trader's; `quantity` is all of it, what is filled included."""

    id: int
    side: str
    price: int
    quantity: int
    filled: int


@dataclass(frozen=True)
class Seen:
    """What a trader looks at before an act: the book, their own orders, what they have and what all have on average."""

    code: str
    at: float
    list_price: int
    best_bid: int | None
    best_ask: int | None
    own: Sequence[Own]
    have: int
    usual: int
    money: int


@dataclass(frozen=True)
class Quote:
    """An order that a trader would have in the book, or send to it; within `slack` ticks another is as good."""

    side: str
    price: int
    quantity: int
    slack: int = 0


@dataclass(frozen=True)
class Move:
    """An open order with new terms; without a quote it is cancelled."""

    order: Own
    quote: Quote | None


def makes(trader: int, series: int) -> bool:
    """Every trader makes the market of every second series, and takes in the others."""
    return (trader + series) % 2 == 0


def value(code: str, list_price: int, at: float) -> float:
    """What the series is worth at an instant, in ticks."""
    share = sum(
        size * math.sin(2 * math.pi * (at / period + phase))
        for (period, size), phase in zip(WAVES, _phases(code), strict=True)
    )
    return list_price * (1 + share)


def quotes(name: str, seen: Seen) -> list[Quote]:
    """What a maker wants in the book, best first: both sides around what they think it is worth, lower where they have
    much of it and higher where they have little."""
    middle = value(seen.code, seen.list_price, seen.at) * (1 + _view(name, seen.at))
    lean = (seen.have - seen.usual) / max(seen.usual, 1)
    middle -= max(-0.03, min(0.03, lean / 10)) * seen.list_price
    return [*_side(name, seen, BUY, middle), *_side(name, seen, SELL, middle)]


def moves(own: Sequence[Own], wanted: Sequence[Quote]) -> tuple[list[Move], list[Quote]]:
    """How the orders there are become those that are wanted: what is moved, and what is placed anew.

    What stands near enough stays where it is and keeps its place in the line.
    """
    moved: list[Move] = []
    placed: list[Quote] = []
    for side in (BUY, SELL):
        spare = [order for order in own if order.side == side]
        missing = []
        for quote in (each for each in wanted if each.side == side):
            near = min(spare, key=lambda order: abs(order.price - quote.price), default=None)
            if near is not None and _serves(near, quote):
                spare.remove(near)
            else:
                missing.append(quote)
        # The best-priced first: an order that stands on the wrong side of the value is the dearest mistake.
        spare.sort(key=lambda order: order.price, reverse=side == BUY)
        pairs = list(zip(spare, missing, strict=False))
        placed += missing[len(pairs) :]
        moved += [Move(order, quote) for order, quote in pairs[:MOST_MOVES]]
        moved += [Move(order, None) for order in spare[len(pairs) :][:MOST_MOVES]]
    return moved, placed


def mood(code: str, turn: float, at: float) -> str | None:
    """Whether a taker buys or sells now; takers whose `turn` is different do different things."""
    now = (at + CYCLE * (turn + _phases(code)[0])) % CYCLE
    for side, (start, end) in ((BUY, BUYING), (SELL, SELLING)):
        if start <= now < end:
            return side
    return None


def take(seen: Seen, side: str, chance: random.Random) -> Quote | None:
    """What a taker buys or sells at once; nothing where the price is too far from the value for them."""
    if chance.randrange(WHIM) == 0:
        side = SELL if side == BUY else BUY
    best = seen.best_ask if side == BUY else seen.best_bid
    worth = value(seen.code, seen.list_price, seen.at)
    patience = seen.list_price * chance.uniform(0.004, 0.02) + 1
    limit = math.floor(worth + patience) if side == BUY else math.ceil(worth - patience)
    if best is None or limit < 1 or (best > limit if side == BUY else best < limit):
        return None
    lean = max(-0.8, min(0.8, 2 * (seen.usual - seen.have) / max(seen.usual, 1)))
    share = min(0.012, chance.lognormvariate(math.log(0.0025), 0.7)) * (1 + lean if side == BUY else 1 - lean)
    affordable = seen.money // limit if side == BUY else seen.have
    quantity = min(max(1, int(seen.usual * share)), affordable)
    return Quote(side, limit, quantity) if quantity > 0 else None


def _side(name: str, seen: Seen, side: str, middle: float) -> Iterator[Quote]:
    sign = -1 if side == BUY else 1
    chance = random.Random(f"{name} {seen.code} {side}")  # noqa: S311
    half = max(0.6, seen.list_price * chance.uniform(0.0015, 0.003))
    left = seen.money if side == BUY else seen.have
    others = seen.best_ask if side == BUY else seen.best_bid
    taken: set[int] = set()
    for level in range(LEVELS):
        price = round(middle + sign * (half + level + level * level / 12))
        if others is not None:
            # Makers wait for takers, and never take from each other.
            price = min(price, others - 1) if side == BUY else max(price, others + 1)
        while price in taken:
            price += sign
        quantity = _whole(seen.usual * chance.uniform(0.002, 0.006) * (1 + level / 5))
        left -= quantity * (price if side == BUY else 1)
        if price < 1 or left < 0:
            return
        taken.add(price)
        yield Quote(side, price, quantity, slack=(level + 2) // 3)


def _serves(order: Own, quote: Quote) -> bool:
    return abs(order.price - quote.price) <= quote.slack and 3 * (order.quantity - order.filled) >= quote.quantity


def _whole(lots: float) -> int:
    """As people type it: half GPU-hours where it is more than two of them."""
    return max(1, round(lots)) if lots < 200 else round(lots / 50) * 50


def _view(name: str, at: float) -> float:
    """By how much of it this maker thinks a series is worth more than it is, for now."""
    return 0.0025 * math.sin(2 * math.pi * (at / 2_700 + _phases(name)[0]))


@cache
def _phases(name: str) -> tuple[float, ...]:
    chance = random.Random(name)  # noqa: S311
    return tuple(chance.random() for _ in WAVES)
