"""What looks like trading with oneself: pure rules over trades and their beneficial owners.

A flag is a question to a person, not a judgement. Three patterns, by version 1 of the rules:

SAME_OWNER  one beneficial owner on both sides, through different wallets.
ROUND_TRIP  tokens go from one owner to another and back within ten minutes, of about the same quantity (5 %) at about
            the same price (0.5 %, or two ticks). What was split into up to eight pieces on either side is put together.
CIRCLE      the same through three owners: from the first to the second to the third to the first.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

METHOD = 1


@dataclass(frozen=True)
class Rules:
    """When two trades are about the same; the default is version 1."""

    within: timedelta = timedelta(minutes=10)
    size_percent: int = 5
    price_permille: int = 5
    price_ticks: int = 2
    pieces: int = 8


@dataclass(frozen=True)
class Traded:
    """A trade with whom it was between. Tokens go from the seller to the buyer."""

    number: int
    at: datetime
    price: int
    quantity: int
    seller: int
    buyer: int


@dataclass(frozen=True)
class Finding:
    """Trades that make a pattern, the last of them last, and the figures that say why."""

    kind: str
    trades: tuple[int, ...]
    facts: dict[str, Any]

    @property
    def closing_trade(self) -> int:
        return self.trades[-1]


@dataclass(frozen=True)
class _Pile:
    """Trades of one direction put together."""

    trades: tuple[int, ...]
    quantity: int
    value: int
    since: datetime


Window = dict[tuple[int, int], deque[Traded]]


def find(trades: Iterable[Traded], *, after: int, rules: Rules = Rules()) -> list[Finding]:
    """The patterns that trades with a number above `after` make whole, by themselves or with earlier ones.

    Trades come in the order of their numbers.
    """
    found: list[Finding] = []
    seen: Window = defaultdict(deque)
    for trade in trades:
        if trade.seller == trade.buyer:
            if trade.number > after:
                found.append(Finding("SAME_OWNER", (trade.number,), {}))
            continue
        if trade.number > after:
            finding = _round_trip(trade, seen, rules) or _circle(trade, seen, rules)
            if finding is not None:
                found.append(finding)
        seen[trade.seller, trade.buyer].append(trade)
    return found


def _round_trip(trade: Traded, seen: Window, rules: Rules) -> Finding | None:
    back = list(_piles(seen, trade.buyer, trade.seller, trade.at, rules))
    if not back:
        return None
    alone = _pile((trade,))
    forth = [alone, *(_pile((*pile, trade)) for pile in _runs(seen, trade.seller, trade.buyer, trade.at, rules))]
    # One whole against pieces, either way; pieces against pieces would find what is not there.
    pairs = [(alone, pile) for pile in back] + [(pile, back[0]) for pile in forth[1:]]
    for now, before in pairs:
        if _alike(now, before, rules):
            return Finding("ROUND_TRIP", (*before.trades, *now.trades), _facts(trade, [before, now]))
    return None


def _circle(trade: Traded, seen: Window, rules: Rules) -> Finding | None:
    """Is there somebody to whom the buyer sold, and who sold to the seller?"""
    now = _pile((trade,))
    middles = {buyer for (seller, buyer), kept in seen.items() if seller == trade.buyer and kept} - {trade.seller}
    for middle in sorted(middles):
        for first in _piles(seen, trade.buyer, middle, trade.at, rules):
            if not _alike(now, first, rules):
                continue
            for second in _piles(seen, middle, trade.seller, trade.at, rules):
                if _alike(now, second, rules) and _alike(first, second, rules):
                    earlier = sorted((first, second), key=lambda pile: pile.trades)
                    numbers = tuple(number for pile in earlier for number in pile.trades)
                    return Finding("CIRCLE", (*numbers, trade.number), _facts(trade, [*earlier, now]))
    return None


def _runs(seen: Window, seller: int, buyer: int, at: datetime, rules: Rules) -> Iterator[tuple[Traded, ...]]:
    """The last trade of the direction within the window, the last two, and so on."""
    kept = seen.get((seller, buyer))
    if not kept:
        return
    while kept and at - kept[0].at > rules.within:
        kept.popleft()
    newest = list(kept)[-rules.pieces :]
    for count in range(1, len(newest) + 1):
        yield tuple(newest[-count:])


def _piles(seen: Window, seller: int, buyer: int, at: datetime, rules: Rules) -> Iterator[_Pile]:
    """Each of the last trades by itself, then the runs of more than one."""
    runs = list(_runs(seen, seller, buyer, at, rules))
    if runs:
        yield from (_pile((trade,)) for trade in reversed(runs[-1]))
        yield from (_pile(run) for run in runs[1:])


def _pile(trades: tuple[Traded, ...]) -> _Pile:
    return _Pile(
        tuple(trade.number for trade in trades),
        sum(trade.quantity for trade in trades),
        sum(trade.quantity * trade.price for trade in trades),
        trades[0].at,
    )


def _alike(one: _Pile, other: _Pile, rules: Rules) -> bool:
    larger = max(one.quantity, other.quantity)
    if abs(one.quantity - other.quantity) * 100 > rules.size_percent * larger:
        return False
    # Average prices are fractions: they are compared without dividing.
    crosswise = (one.value * other.quantity, other.value * one.quantity)
    apart = abs(crosswise[0] - crosswise[1])
    return (
        apart * 1000 <= rules.price_permille * max(crosswise)
        or apart <= rules.price_ticks * one.quantity * other.quantity
    )


def _facts(closing: Traded, piles: list[_Pile]) -> dict[str, Any]:
    return {
        "seconds": int((closing.at - min(pile.since for pile in piles)).total_seconds()),
        "quantities": [pile.quantity for pile in piles],
        "values": [pile.value for pile in piles],
    }
