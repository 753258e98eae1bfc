"""Who trades with whom in a call auction, at its one price: pure, on the orders as clearing sees them.

Both sides are gone through in the order of the book, best price first, then first come; the first of both trade. A
market order stands where its protection price puts it. Nobody trades with themself here either: the order that came
later is the one whose choice decides.
"""

from collections.abc import Iterable, Mapping, Sequence
from copy import copy

from market.auctions.pricing import Indication, Interest, indicate
from market.batch import CANCEL_BOTH, CANCEL_NEWEST, CANCEL_OLDEST, DECREMENT, OPEN_RULES, Clearing, Outcome, Working
from market.matching import BUY


def settle_price(
    orders: Sequence[Working], reference: int | None, *, ends: Iterable[int], available: Mapping[int, int],
    last_priority: int,
) -> tuple[Indication, Outcome]:  # fmt: skip
    """The auction's price, and what must be taken out of the book for it: orders whose wallets may not trade any more,
    and those that would meet their own owner at it."""
    clearing = Clearing(Outcome(last_priority), dict(available), OPEN_RULES)
    for order in orders:
        if order.refusal:
            clearing.cancel_maker(order, order.refusal)
    left = [copy(order) for order in orders if order.open_quantity]
    found = find_price(left, reference, ends=ends)
    real = {order.id: order for order in orders}
    for order in left:
        gone = real[order.id].open_quantity - order.open_quantity
        if not order.open_quantity:
            clearing.cancel_maker(real[order.id], "self_trade")
        elif gone:
            clearing.shrink_maker(real[order.id], gone)
    return found, clearing.outcome


def find_price(orders: Sequence[Working], reference: int | None, *, ends: Iterable[int]) -> Indication:
    """The price after all that would meet its own owner at it has given way; `orders` are changed to what is left of
    them then. Every order that gives way makes another price possible, so it is sought anew."""
    ends, lines = tuple(ends), _lines(orders)
    while True:
        interests = [Interest(o.side, o.limit_price, o.open_quantity, o.at_market) for o in orders if o.open_quantity]
        found = indicate(interests, reference, ends=ends)
        if found.price is None or not _give_way(*lines, found.price):
            return found


def _give_way(buys: Sequence[Working], sells: Sequence[Working], price: int) -> bool:
    """Take off what would meet its own owner at this price; False where nothing would. Of the others only what is left
    of the two that are first in line is counted, and nothing of them changes."""
    met = False
    bids = ((order, order.open_quantity) for order in buys if order.open_quantity and order.limit_price >= price)
    asks = ((order, order.open_quantity) for order in sells if order.open_quantity and order.limit_price <= price)
    bid, wanted = next(bids, (None, 0))
    ask, offered = next(asks, (None, 0))
    while bid is not None and ask is not None:
        quantity = min(wanted, offered)
        if bid.owner != ask.owner:
            wanted, offered = wanted - quantity, offered - quantity
        else:
            met = True
            older, newer = (bid, ask) if bid.priority < ask.priority else (ask, bid)
            for order in _who_gives_way(older, newer):
                taken = quantity if newer.self_trade == DECREMENT else order.open_quantity
                order.open_quantity -= taken
                wanted -= min(taken, wanted) if order is bid else 0
                offered -= min(taken, offered) if order is ask else 0
        if not wanted:
            bid, wanted = next(bids, (None, 0))
        if not offered:
            ask, offered = next(asks, (None, 0))
    return met


def pair_off(
    orders: Iterable[Working], price: int, *, available: Mapping[int, int], last_priority: int, limit: int,
    most: int | None = None,
) -> Outcome:  # fmt: skip
    """The next trades at the auction's price, `limit` of them and `most` lots at most.

    An order whose wallet may not trade any more is taken out first. Both sides have rested, so both pay the maker fee.
    """
    clearing = Clearing(Outcome(last_priority), dict(available), OPEN_RULES)
    orders = list(orders)
    for order in orders:
        if order.refusal:
            clearing.cancel_maker(order, order.refusal)
    buys, sells = _sides(orders, price)
    left = sum(order.open_quantity for order in buys) if most is None else most
    while left and len(clearing.outcome.trades) < limit and (pair := _next(buys, sells)) is not None:
        older, newer = pair
        if older.owner == newer.owner:
            give_way(clearing, older, newer)
            continue
        quantity = min(older.open_quantity, newer.open_quantity, left)
        left -= quantity
        older.open_quantity -= quantity
        newer.open_quantity -= quantity
        clearing.trade(older, newer, price, quantity, maker_bp=older.maker_bp, taker_bp=newer.maker_bp)
        clearing.leave_level(older, quantity)
        clearing.leave_level(newer, quantity)
    return clearing.outcome


def give_way(clearing: Clearing, older: Working, newer: Working) -> None:
    """Two orders of one owner have met, both in the book."""
    quantity = min(older.open_quantity, newer.open_quantity)
    for order in _who_gives_way(older, newer):
        if newer.self_trade == DECREMENT and order.open_quantity > quantity:
            clearing.shrink_maker(order, quantity)
        else:
            clearing.cancel_maker(order, "self_trade")


def _who_gives_way(older: Working, newer: Working) -> tuple[Working, ...]:
    return {
        CANCEL_NEWEST: (newer,), CANCEL_OLDEST: (older,), CANCEL_BOTH: (older, newer), DECREMENT: (older, newer),
    }[newer.self_trade]  # fmt: skip


def _lines(orders: Iterable[Working]) -> tuple[list[Working], list[Working]]:
    """Buyers and sellers, the first in line first."""
    buys, sells = list[Working](), list[Working]()
    for order in orders:
        (buys if order.side == BUY else sells).append(order)
    buys.sort(key=lambda order: (-order.limit_price, order.priority))
    sells.sort(key=lambda order: (order.limit_price, order.priority))
    return buys, sells


def _sides(orders: Iterable[Working], price: int) -> tuple[list[Working], list[Working]]:
    """Who takes part at the price, the first in line last, to be taken off the end."""
    buys, sells = _lines(orders)
    return (
        [order for order in reversed(buys) if order.limit_price >= price],
        [order for order in reversed(sells) if order.limit_price <= price],
    )


def _next(buys: list[Working], sells: list[Working]) -> tuple[Working, Working] | None:
    """The first in line of both sides, the one that came first before the other."""
    for side in (buys, sells):
        while side and not side[-1].open_quantity:
            side.pop()
    if not buys or not sells:
        return None
    bid, ask = buys[-1], sells[-1]
    return (bid, ask) if bid.priority < ask.priority else (ask, bid)
