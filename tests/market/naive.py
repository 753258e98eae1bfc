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

    def __init__(self, credits: dict[int, int], lots: dict[int, int]) -> None:
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
            self._give_back(order, order.quantity - quantity)
            order.open, order.quantity = quantity - filled, quantity
            return True
        purse, per_lot = (self.credits, price) if order.side == "BUY" else (self.lots, 1)
        held = order.open * (order.price if order.side == "BUY" else 1)
        if purse[order.owner] + held < (quantity - filled) * per_lot:
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

    def _set_aside(self, order: NaiveOrder) -> bool:
        purse, need = (
            (self.credits, order.price * order.quantity) if order.side == "BUY" else (self.lots, order.quantity)
        )
        if purse[order.owner] < need:
            return False
        purse[order.owner] -= need
        return True

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
        self.credits[buyer.owner] += (buyer.price - maker.price) * quantity
        self.credits[seller.owner] += maker.price * quantity
        self.lots[buyer.owner] += quantity
        for order in (maker, taker):
            order.open -= quantity
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
                    self._give_back(order, quantity)
                    order.open -= quantity
                    order.quantity -= quantity
            return
        if taker.self_trade != "CANCEL_NEWEST":
            self._end(maker, "CANCELLED")
        if taker.self_trade != "CANCEL_OLDEST":
            self._end(taker, "CANCELLED")

    def _give_back(self, order: NaiveOrder, quantity: int) -> None:
        purse, per_lot = (self.credits, order.price) if order.side == "BUY" else (self.lots, 1)
        purse[order.owner] += quantity * per_lot

    def _end(self, order: NaiveOrder, status: str) -> None:
        self._give_back(order, order.open)
        order.status = status

    @staticmethod
    def _crosses(order: NaiveOrder, other: NaiveOrder) -> bool:
        return other.price <= order.price if order.side == "BUY" else other.price >= order.price
