"""What looks like trading with oneself: pure rules over trades and their beneficial owners.

A flag is a question to a person, not a judgement. Four patterns, by version 3 of the rules:

SAME_OWNER  one beneficial owner on both sides, through different wallets.
ROUND_TRIP  tokens go from one owner to another and back within ten minutes, of about the same quantity (5 %) at about
            the same price (0.5 %, or two ticks). What two owners trade with each other one after the other in one
            direction is put together, up to eight trades, so that splitting it hides nothing.
CIRCLE      the same through three owners, by the last trade of each direction: from the first to the second to the
            third to the first, in any order.
ROUND       (a CIRCLE, too) each of two, three or four owners got from the others about what they gave them in ten
            minutes, by however many trades, and that was at least half of all that each of them traded in this time.
            The same of five to ten, where all that links them is a quarter of what both ends of it traded, or more.

Two owners who trade all day with each other are compared run by run and not with all that they ever traded: otherwise
chance alone would flag everything in a small and busy market. So would circles put together of any trades: that is
why the fourth pattern asks that its owners trade mostly with each other, and why the second and third ask about nothing
that is less than a tenth of what each of its owners traded in these minutes.
"""

from collections import defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import combinations, islice
from typing import Any, NamedTuple

METHOD = 3


@dataclass(frozen=True)
class Rules:
    """When two trades are about the same; the default is version 3."""

    within: timedelta = timedelta(minutes=10)
    size_percent: int = 5
    price_permille: int = 5
    price_ticks: int = 2
    pieces: int = 8
    # Of what an owner traded in this time, one part in so many: what goes round by many trades, each step of it, and
    # the least that is asked about.
    round_parts: int = 2
    step_parts: int = 8
    least_parts: int = 10
    # How many owners are looked at together, and the least link between them where they are more than four.
    most_owners: int = 10
    link_parts: int = 4


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


class _Sum(NamedTuple):
    """What went from one to others."""

    quantity: int
    value: int


_NOTHING = _Sum(0, 0)


class _Window:
    """The trades of the last minutes by pair of owners, and to whom each sold."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.pairs: dict[tuple[int, int], deque[Traded]] = defaultdict(deque)
        self.last: dict[tuple[int, int], Traded] = {}
        self.buyers: dict[int, set[int]] = defaultdict(set)

    def add(self, trade: Traded) -> None:
        self._pair(trade).append(trade)
        self.last[trade.seller, trade.buyer] = trade
        self.buyers[trade.seller].add(trade.buyer)

    def run_and_before(self, trade: Traded) -> tuple[list[Traded], list[Traded]]:
        """What the two traded last, up to this trade: the run in its direction, and the run back before that."""
        kept = self._pair(trade)
        while kept and trade.at - kept[0].at > self.rules.within:
            kept.popleft()
        run, back = [trade], list[Traded]()
        for each in islice(reversed(kept), 2 * self.rules.pieces):
            if each.seller == trade.seller and not back and len(run) < self.rules.pieces:
                run.append(each)
            elif each.seller == trade.buyer and len(back) < self.rules.pieces:
                back.append(each)
            else:
                break
        return run[::-1], back[::-1]

    def newest(self, seller: int, buyer: int, at: datetime) -> Traded | None:
        """The direction's last trade, if it is not too long ago."""
        found = self.last.get((seller, buyer))
        return found if found is not None and at - found.at <= self.rules.within else None

    def _pair(self, trade: Traded) -> deque[Traded]:
        return self.pairs[min(trade.seller, trade.buyer), max(trade.seller, trade.buyer)]


class _Flows:
    """What each owner sold to each in the last minutes, and how much each traded."""

    def __init__(self, rules: Rules) -> None:
        self.rules = rules
        self.kept: deque[Traded] = deque()
        self.sold: dict[int, dict[int, _Sum]] = defaultdict(dict)
        self.traded: dict[int, int] = defaultdict(int)

    def add(self, trade: Traded) -> None:
        while self.kept and trade.at - self.kept[0].at > self.rules.within:
            self._count(self.kept.popleft(), -1)
        self.kept.append(trade)
        self._count(trade, 1)

    def _count(self, trade: Traded, sign: int) -> None:
        quantity = sign * trade.quantity
        buyers = self.sold[trade.seller]
        before = buyers.get(trade.buyer, _NOTHING)
        now = _Sum(before.quantity + quantity, before.value + quantity * trade.price)
        if now.quantity:
            buyers[trade.buyer] = now
        else:
            del buyers[trade.buyer]
        self.traded[trade.seller] += quantity
        self.traded[trade.buyer] += quantity

    def groups(self, trade: Traded) -> Iterator[tuple[int, ...]]:
        """Two to four owners through whom what was sold to the buyer may have come back to the seller."""
        first, second = trade.seller, trade.buyer
        if first in self.sold[second]:
            yield first, second
        for third in self._steps(second):
            if third == first:
                continue
            if first in self.sold[third]:
                yield first, second, third
            for fourth in self._steps(third):
                if fourth not in {first, second} and first in self.sold[fourth]:
                    yield first, second, third, fourth

    def ring(self, trade: Traded) -> tuple[int, ...]:
        """All owners through whom, by links that count for both ends, what was sold to the buyer may have come back to
        the seller; none where they are not between five and as many as are looked at."""
        reached, links = [trade.buyer], list[tuple[int, int]]()
        for owner in reached:
            linked = self._links(owner)
            links += [(owner, other) for other in linked]
            reached += [other for other in linked if other not in reached]
            if len(reached) > self.rules.most_owners:
                return ()
        back = {trade.seller}
        while more := {one for one, other in links if other in back} - back:
            back |= more
        ring = tuple(owner for owner in reached if owner in back)
        return ring if len(ring) > 4 and trade.seller in ring else ()

    def _links(self, seller: int) -> list[int]:
        """To whom went what is much of what either of them traded."""
        parts = self.rules.link_parts
        return [
            buyer
            for buyer, sold in self.sold[seller].items()
            if sold.quantity * parts >= max(self.traded[seller], self.traded[buyer])
        ]

    def _steps(self, seller: int) -> list[int]:
        """To whom a part worth counting of what the owner traded went: few, however many owners there are."""
        least = self.traded[seller]
        return sorted(b for b, sold in self.sold[seller].items() if sold.quantity * self.rules.step_parts >= least)

    def goes_round(self, group: tuple[int, ...]) -> bool:
        """Each got from the others about what they gave them, at about the same price, and that was most of what they
        traded."""
        for owner in group:
            others = [other for other in group if other != owner]
            given = _sum(self.sold[owner].get(other) for other in others)
            got = _sum(self.sold[other].get(owner) for other in others)
            if (given.quantity + got.quantity) * self.rules.round_parts < self.traded[owner]:
                return False
            if not given.quantity or not got.quantity or not _alike(given, got, self.rules):
                return False
        return True

    def matters(self, finding: Finding) -> bool:
        """Is it a part worth a question of what one of its owners traded? Chance makes small ones all day."""
        ours: dict[int, int] = defaultdict(int)
        for trade in self.kept:
            if trade.number in finding.trades:
                ours[trade.seller] += trade.quantity
                ours[trade.buyer] += trade.quantity
        return any(quantity * self.rules.least_parts >= self.traded[owner] for owner, quantity in ours.items())

    def among(self, group: tuple[int, ...]) -> list[Traded]:
        return [trade for trade in self.kept if trade.seller in group and trade.buyer in group]


def find(trades: Iterable[Traded], *, after: int, rules: Rules = Rules()) -> list[Finding]:
    """The patterns that trades with a number above `after` make whole, by themselves or with earlier ones.

    Trades come in the order of their numbers.
    """
    found: list[Finding] = []
    seen, flows = _Window(rules), _Flows(rules)
    for trade in trades:
        if trade.seller == trade.buyer:
            if trade.number > after:
                found.append(Finding("SAME_OWNER", (trade.number,), {}))
            continue
        flows.add(trade)
        if trade.number > after:
            for finding in (_round_trip(trade, seen), _circle(trade, seen), _round(trade, flows)):
                if finding is not None and flows.matters(finding):
                    found.append(finding)
                    break
        seen.add(trade)
    return found


def _round_trip(trade: Traded, seen: _Window) -> Finding | None:
    run, back = seen.run_and_before(trade)
    now = _pile(run)
    for count in range(1, len(back) + 1):
        before = _pile(back[-count:])
        if _alike(now, before, seen.rules):
            return Finding("ROUND_TRIP", (*before.trades, *now.trades), _facts(trade, [before, now]))
    return None


def _circle(trade: Traded, seen: _Window) -> Finding | None:
    """Is there somebody to whom the buyer sold last, and who sold to the seller?"""
    now = _pile([trade])
    for middle in sorted(seen.buyers.get(trade.buyer, ())):
        first = seen.newest(trade.buyer, middle, trade.at)
        second = seen.newest(middle, trade.seller, trade.at)
        if first is None or second is None:
            continue
        earlier = [_pile([each]) for each in sorted((first, second), key=lambda each: each.number)]
        if all(_alike(*two, seen.rules) for two in combinations([*earlier, now], 2)):
            numbers = tuple(number for pile in earlier for number in pile.trades)
            return Finding("CIRCLE", (*numbers, trade.number), _facts(trade, [*earlier, now]))
    return None


def _round(trade: Traded, flows: _Flows) -> Finding | None:
    """By however many trades: does what the owners have of each other come to nothing?"""
    for group in (*flows.groups(trade), flows.ring(trade)):
        if group and flows.goes_round(group):
            trades = flows.among(group)
            piles = [_pile([each for each in trades if each.seller == owner]) for owner in group]
            return Finding("CIRCLE", tuple(each.number for each in trades), _facts(trade, piles))
    return None


def _sum(parts: Iterable[_Sum | None]) -> _Sum:
    found = [part for part in parts if part is not None]
    return _Sum(sum(part.quantity for part in found), sum(part.value for part in found))


def _pile(trades: Sequence[Traded]) -> _Pile:
    return _Pile(
        tuple(trade.number for trade in trades),
        sum(trade.quantity for trade in trades),
        sum(trade.quantity * trade.price for trade in trades),
        trades[0].at,
    )


def _alike(one: _Pile | _Sum, other: _Pile | _Sum, rules: Rules) -> bool:
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
