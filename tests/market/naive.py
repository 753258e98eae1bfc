"""A market as plainly as it can be said: one list of orders, gone through from the start for every fill."""

from dataclasses import dataclass
from fractions import Fraction
from math import ceil, floor

from tests.market.naive_auction import naive_auction


@dataclass
class NaiveOrder:
    id: int
    owner: int
    side: str
    price: int
    quantity: int
    tif: str = "GTC"
    post_only: bool = False
    self_trade: str = "CANCEL_NEWEST"
    at_market: bool = False
    open: int = 0
    status: str = "NEW"


class NaiveMarket:
    """Price, then time; each fill at the resting order's price; no owner trades with themself."""

    def __init__(
        self, credits: dict[int, int], lots: dict[int, int], *, maker_bp: int = 0, taker_bp: int = 0,
        static_bp: int | None = None, dynamic_bp: int | None = None, reference: int | None = None,
    ) -> None:  # fmt: skip
        self.static_bp, self.dynamic_bp, self.reference, self.last = static_bp, dynamic_bp, reference, None
        self.in_auction = False
        self.maker_bp, self.taker_bp, self.fees = maker_bp, taker_bp, 0
        self.orders: list[NaiveOrder] = []
        self.credits = dict(credits)  # free, holds taken off
        self.lots = dict(lots)
        self.trades: list[tuple[int, int, int, int]] = []

    def place(self, order: NaiveOrder) -> None:
        self.orders.append(order)
        order.open = order.quantity
        if not self._set_aside(order):
            order.status, order.open = "REJECTED", 0
        elif self.in_auction:
            order.status = "OPEN"
            if not self._waits(order) or order.post_only:
                self._end(order, "REJECTED")
        elif order.post_only and self._best_against(order) is not None:
            self._end(order, "REJECTED")
        else:
            self._trade_on(order)

    def _trade_on(self, order: NaiveOrder) -> None:
        worst = self._worst(order)
        if order.tif == "FOK" and not self._can_fill(order, worst):
            self._end(order, "CANCELLED")
            return
        while order.open and order.status == "NEW":
            best = self._best_against(order, worst)
            if best is None:
                break
            if best.owner == order.owner:
                self._meet_own(order, best)
            else:
                self._trade(best, order, best.price, min(best.open, order.open), self.maker_bp, self.taker_bp)
        # Beyond the edge of a band nothing trades, and one's own orders give way all the same.
        while self._waits(order) and order.open and order.status == "NEW":
            best = self._best_against(order)
            if best is None or best.owner != order.owner:
                break
            self._meet_own(order, best)
        if order.status != "NEW":
            return
        if not order.open:
            order.status = "FILLED"
        elif self._best_against(order) is not None and self._waits(order):
            self.in_auction, order.status = True, "OPEN"  # it would have left the band
        elif order.tif in {"IOC", "FOK"}:
            self._end(order, "CANCELLED")
        else:
            order.status = "OPEN"

    @staticmethod
    def _waits(order: NaiveOrder) -> bool:
        return order.tif == "GTC" or (order.at_market and order.tif == "IOC")

    def _worst(self, order: NaiveOrder) -> int:
        """The limit, or the nearer edge of the bands."""
        worst = [order.price]
        for middle, width in ((self.reference, self.static_bp), (self.last, self.dynamic_bp)):
            if middle is not None and width is not None:
                exact = Fraction(middle * (10_000 + (width if order.side == "BUY" else -width)), 10_000)
                worst.append(floor(exact) if order.side == "BUY" else ceil(exact))
        return min(worst) if order.side == "BUY" else max(worst)

    def uncross(self) -> None:
        """One price, the first of both sides trade at it; who meets their own owner gives way, and then it is another
        price."""
        while True:
            price, _, _ = self.indication()
            if price is None or not self._own_give_way(price):
                break
        while price is not None and (pair := self._first_two(price)) is not None:
            older, newer = pair
            self._trade(older, newer, price, min(older.open, newer.open), self.maker_bp, self.maker_bp)
            if not newer.open:
                newer.status = "FILLED"
        if price is not None:
            self.reference = price
        for order in self.orders:
            if order.status == "OPEN" and order.at_market:
                self._end(order, "CANCELLED")
        self.in_auction = False

    def indication(self) -> tuple[int | None, int, int]:
        book = [order for order in self.orders if order.status == "OPEN"]
        near = self.reference if self.last is None else self.last
        return naive_auction([(o.side, o.price, o.open, o.at_market) for o in book], near)

    def _first_two(self, price: int, left: dict[int, int] | None = None) -> tuple[NaiveOrder, NaiveOrder] | None:
        """The first buyer and the first seller at the price, who came first before the other. `left` is what they have
        open, where that is only tried out."""
        first: dict[str, NaiveOrder] = {}
        for order in self.orders:
            wants = order.open if left is None else left[order.id]
            takes_part = order.price >= price if order.side == "BUY" else order.price <= price
            if order.status != "OPEN" or not wants or not takes_part:
                continue
            best = first.get(order.side)
            if best is None or (order.price > best.price if order.side == "BUY" else order.price < best.price):
                first[order.side] = order
        if len(first) < 2:
            return None
        return tuple(sorted(first.values(), key=self.orders.index))

    def _own_give_way(self, price: int) -> bool:
        """Try it out at this price; who meets their own owner gives way for good, and nothing else has happened."""
        left = {order.id: order.open for order in self.orders}
        met = False
        while (pair := self._first_two(price, left)) is not None:
            older, newer = pair
            both = min(left[older.id], left[newer.id])
            if older.owner != newer.owner:
                left[older.id] -= both
                left[newer.id] -= both
                continue
            met = True
            for order, gives_way in ((older, newer.self_trade != "CANCEL_NEWEST"),
                                     (newer, newer.self_trade != "CANCEL_OLDEST")):  # fmt: skip
                if not gives_way:
                    continue
                if newer.self_trade == "DECREMENT" and order.open > both:
                    self._shrink(order, both)
                    order.quantity -= both
                    left[order.id] -= both
                else:
                    left[order.id] = 0
                    self._end(order, "CANCELLED")
        return met

    def amend(self, order: NaiveOrder, quantity: int, price: int) -> bool:
        """Down keeps its place; anything else is taken out and arrives anew. False where it cannot be."""
        if order.status != "OPEN":
            return False
        filled = order.quantity - order.open
        if quantity <= filled:
            self._end(order, "CANCELLED")
            return True
        if price == order.price and quantity <= order.quantity:
            self._shrink(order, order.quantity - quantity)
            order.quantity = quantity
            return True
        purse = self._purse(order)
        if purse[order.owner] + self._need(order.side, order.price, order.open) < self._need(
            order.side, price, quantity - filled
        ):
            return False
        moved = NaiveOrder(order.id, order.owner, order.side, price, quantity - filled, order.tif, order.post_only,
                           order.self_trade, order.at_market)  # fmt: skip
        if moved.post_only and (self.in_auction or self._best_against(moved) is not None):
            return False
        self._end(order, "CANCELLED")
        self.orders.remove(order)
        self.place(moved)
        order.price, order.quantity, order.open, order.status = price, filled + moved.quantity, moved.open, moved.status
        self.orders[self.orders.index(moved)] = order
        return True

    def cancel(self, order: NaiveOrder) -> bool:
        if order.status != "OPEN":
            return False
        self._end(order, "CANCELLED")
        return True

    def _purse(self, order: NaiveOrder) -> dict[int, int]:
        return self.credits if order.side == "BUY" else self.lots

    def _need(self, side: str, price: int, quantity: int) -> int:
        """What an order sets aside: the price and the taker's fee, or the lots."""
        if side == "SELL":
            return quantity
        return price * quantity + price * quantity * self.taker_bp // 10_000

    def _set_aside(self, order: NaiveOrder) -> bool:
        purse, need = self._purse(order), self._need(order.side, order.price, order.quantity)
        if purse[order.owner] < need:
            return False
        purse[order.owner] -= need
        return True

    def _shrink(self, order: NaiveOrder, quantity: int) -> None:
        """So much less is open, and what that held is free."""
        before = self._need(order.side, order.price, order.open)
        order.open -= quantity
        self._purse(order)[order.owner] += before - self._need(order.side, order.price, order.open)

    def _best_against(self, order: NaiveOrder, worst: int | None = None) -> NaiveOrder | None:
        best, limit = None, order.price if worst is None else worst
        for other in self.orders:  # in order of arrival, so the first of a price stays
            if other.status != "OPEN" or other.side == order.side:
                continue
            if order.side == "BUY" and other.price <= limit and (best is None or other.price < best.price):
                best = other
            if order.side == "SELL" and other.price >= limit and (best is None or other.price > best.price):
                best = other
        return best

    def _trade(
        self, maker: NaiveOrder, taker: NaiveOrder, price: int, quantity: int, maker_bp: int, taker_bp: int
    ) -> None:
        buyer, seller = (taker, maker) if taker.side == "BUY" else (maker, taker)
        value = price * quantity
        fee_of = {maker.id: value * maker_bp // 10_000, taker.id: value * taker_bp // 10_000}
        for order in (maker, taker):
            self._shrink(order, quantity)
        self.credits[buyer.owner] -= value + fee_of[buyer.id]
        self.credits[seller.owner] += value - fee_of[seller.id]
        self.lots[seller.owner] -= quantity
        self.lots[buyer.owner] += quantity
        self.fees += sum(fee_of.values())
        if not maker.open:
            maker.status = "FILLED"
        self.last = price
        self.trades.append((maker.id, taker.id, price, quantity))

    def _can_fill(self, order: NaiveOrder, worst: int) -> bool:
        """Gone through in the order of the book: all of it at once, its own orders aside only where they give way."""
        crossing = [
            other
            for other in self.orders
            if other.status == "OPEN" and other.side != order.side and self._crosses(order, other, worst)
        ]
        crossing.sort(key=lambda other: other.price if order.side == "BUY" else -other.price)
        left = order.open
        for other in crossing:
            if other.owner == order.owner:
                if order.self_trade == "CANCEL_OLDEST":
                    continue
                break
            left -= other.open
            if left <= 0:
                return True
        return False

    def _meet_own(self, taker: NaiveOrder, maker: NaiveOrder) -> None:
        if taker.self_trade == "DECREMENT":
            quantity = min(taker.open, maker.open)
            for order in (maker, taker):
                if order.open == quantity:
                    self._end(order, "CANCELLED")
                else:
                    self._shrink(order, quantity)
                    order.quantity -= quantity
            return
        if taker.self_trade != "CANCEL_NEWEST":
            self._end(maker, "CANCELLED")
        if taker.self_trade != "CANCEL_OLDEST":
            self._end(taker, "CANCELLED")

    def _end(self, order: NaiveOrder, status: str) -> None:
        left = order.open
        self._shrink(order, left)
        order.open, order.status = left, status

    @staticmethod
    def _crosses(order: NaiveOrder, other: NaiveOrder, worst: int) -> bool:
        return other.price <= worst if order.side == "BUY" else other.price >= worst
