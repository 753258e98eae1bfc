"""A market as plainly as it can be said: one list of orders, gone through from the start for every fill."""

from dataclasses import dataclass


@dataclass
class NaiveOrder:
    id: int
    owner: int
    side: str
    price: int
    quantity: int
    immediate: bool = False
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
        while order.open:
            best = self._best_against(order)
            if best is None:
                break
            if best.owner == order.owner:
                self._end(order, "CANCELLED")
                return
            self._trade(best, order, min(best.open, order.open))
        if not order.open:
            order.status = "FILLED"
        elif order.immediate:
            self._end(order, "CANCELLED")
        else:
            order.status = "OPEN"

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

    def _end(self, order: NaiveOrder, status: str) -> None:
        purse, amount = (self.credits, order.price * order.open) if order.side == "BUY" else (self.lots, order.open)
        purse[order.owner] += amount
        order.status = status
