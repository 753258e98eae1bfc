"""A market as plainly as it can be said: one list of orders, gone through from the start for every fill."""

from dataclasses import dataclass


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
    open: int = 0
    status: str = "NEW"


class NaiveMarket:
    """Price, then time; each fill at the resting order's price; no owner trades with themself."""

    def __init__(self, credits: dict[int, int], lots: dict[int, int], *, maker_bp: int = 0, taker_bp: int = 0) -> None:
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
            return
        if order.post_only and self._best_against(order) is not None:
            self._end(order, "REJECTED")
            return
        if order.tif == "FOK" and not self._can_fill(order):
            self._end(order, "CANCELLED")
            return
        while order.open and order.status == "NEW":
            best = self._best_against(order)
            if best is None:
                break
            if best.owner == order.owner:
                self._meet_own(order, best)
            else:
                self._trade(best, order, min(best.open, order.open))
        if order.status != "NEW":
            return
        if not order.open:
            order.status = "FILLED"
        elif order.tif in {"IOC", "FOK"}:
            self._end(order, "CANCELLED")
        else:
            order.status = "OPEN"

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
                           order.self_trade)  # fmt: skip
        if moved.post_only and self._best_against(moved) is not None:
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

    def _best_against(self, order: NaiveOrder) -> NaiveOrder | None:
        best = None
        for other in self.orders:  # in order of arrival, so the first of a price stays
            if other.status != "OPEN" or other.side == order.side:
                continue
            if order.side == "BUY" and other.price <= order.price and (best is None or other.price < best.price):
                best = other
            if order.side == "SELL" and other.price >= order.price and (best is None or other.price > best.price):
                best = other
        return best

    def _trade(self, maker: NaiveOrder, taker: NaiveOrder, quantity: int) -> None:
        buyer, seller = (taker, maker) if taker.side == "BUY" else (maker, taker)
        value = maker.price * quantity
        fee_of = {maker.id: value * self.maker_bp // 10_000, taker.id: value * self.taker_bp // 10_000}
        for order in (maker, taker):
            self._shrink(order, quantity)
        self.credits[buyer.owner] -= value + fee_of[buyer.id]
        self.credits[seller.owner] += value - fee_of[seller.id]
        self.lots[seller.owner] -= quantity
        self.lots[buyer.owner] += quantity
        self.fees += sum(fee_of.values())
        if not maker.open:
            maker.status = "FILLED"
        self.trades.append((maker.id, taker.id, maker.price, quantity))

    def _can_fill(self, order: NaiveOrder) -> bool:
        """Gone through in the order of the book: all of it at once, its own orders aside only where they give way."""
        crossing = [
            other
            for other in self.orders
            if other.status == "OPEN" and other.side != order.side and self._crosses(order, other)
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
    def _crosses(order: NaiveOrder, other: NaiveOrder) -> bool:
        return other.price <= order.price if order.side == "BUY" else other.price >= order.price
