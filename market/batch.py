"""What one clearing does to orders, holds and balances: pure, and the same for the form's preview as for the market."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from market.matching import BUY, Book, BookOrder, can_fill, match, would_trade

GPU_SECONDS_PER_LOT = 36
CANCEL_NEWEST, CANCEL_OLDEST, CANCEL_BOTH, DECREMENT = "CANCEL_NEWEST", "CANCEL_OLDEST", "CANCEL_BOTH", "DECREMENT"


@dataclass(slots=True, eq=False)
class Working(BookOrder):
    """An order while its batch is cleared, with the accounts it pays from and receives in."""

    account: int = 0
    receiving_account: int = 0
    wallet_tag: bytes = b""
    stays: bool = True  # rests in the book when not filled: GTC and GTD
    refusal: str = ""  # a policy's code, when its wallet may not trade
    wallet: int = 0
    fill_or_kill: bool = False
    post_only: bool = False
    self_trade: str = CANCEL_NEWEST
    filled_quantity: int = 0  # in this batch
    filled_value: int = 0
    status: str = "OPEN"
    reason: str = ""
    cut: int = 0  # taken off the quantity asked for, by decrementing
    initial_open: int = 0

    def __post_init__(self) -> None:
        self.initial_open = self.open_quantity

    @property
    def held(self) -> int:
        """What it sets aside as it stands: an open order all that is open, any other nothing."""
        return self.hold_for(self.open_quantity) if self.status == "OPEN" else 0

    def hold_for(self, quantity: int) -> int:
        """What `quantity` lots of it set aside: credits at its limit for a buyer, GPU-seconds for a seller."""
        return quantity * (self.limit_price if self.side == BUY else GPU_SECONDS_PER_LOT)


@dataclass(slots=True, frozen=True)
class BatchTrade:
    maker: Working
    taker: Working
    price: int
    quantity: int

    @property
    def buyer(self) -> Working:
        return self.taker if self.taker.side == BUY else self.maker

    @property
    def seller(self) -> Working:
        return self.maker if self.taker.side == BUY else self.taker


@dataclass(slots=True)
class Outcome:
    """All that changes. `held` is the net change by account; `levels` by side and price: quantity and orders."""

    last_priority: int
    trades: list[BatchTrade] = field(default_factory=list)
    changed: dict[int, Working] = field(default_factory=dict)
    held: dict[int, int] = field(default_factory=dict)
    levels: dict[tuple[str, int], list[int]] = field(default_factory=dict)


def clear_batch(
    *, waiting: Iterable[Working], resting: Iterable[Working], available: Mapping[int, int], last_priority: int
) -> Outcome:
    """Take the waiting orders one after the other, each against the book the ones before it left.

    `resting` must reach as far as the waiting orders can: what they cross, up to the sum of their quantities.
    `available` has every account of both, and all of them are locked.
    """
    clearing = _Clearing(Outcome(last_priority), dict(available))
    for maker in resting:
        if maker.refusal:
            clearing.cancel_maker(maker, maker.refusal)
        else:
            clearing.book.rest(maker)
    for order in waiting:
        clearing.take(order)
    return clearing.outcome


class _Clearing:
    def __init__(self, outcome: Outcome, available: dict[int, int]) -> None:
        self.outcome = outcome
        self.available = available
        self.book = Book()

    def take(self, order: Working) -> None:
        self.outcome.changed[order.id] = order
        need = order.hold_for(order.open_quantity)
        if need > self.available[order.account] and not order.refusal:
            order.refusal = "not_enough"
        if order.post_only and not order.refusal and would_trade(self.book, order):
            order.refusal = "would_trade"
        if order.refusal:
            order.status, order.reason = "REJECTED", order.refusal
            return
        if order.fill_or_kill and not can_fill(self.book, order, past_own=order.self_trade == CANCEL_OLDEST):
            order.status, order.reason = "CANCELLED", "fill_or_kill"
            return
        self.available[order.account] -= need
        self._fill(order)
        if order.status == "OPEN" and not order.open_quantity:
            order.status = "FILLED"
        elif order.status == "OPEN" and order.stays:
            self._rest(order)
        elif order.status == "OPEN":
            self._cancel_taker(order, "immediate_or_cancel")

    def cancel_maker(self, maker: Working, reason: str) -> None:
        """Take a resting order out: its wallet may not trade any more, or it would meet its own owner."""
        hold = maker.held
        self._hold(maker.account, -hold)
        self.available[maker.account] += hold
        self._level(maker, -maker.open_quantity, -1)
        maker.status, maker.reason, maker.open_quantity = "CANCELLED", reason, 0
        self.outcome.changed[maker.id] = maker

    def _fill(self, order: Working) -> None:
        """Match until nothing crosses, or the order meets its own owner's and is cancelled for it."""
        while order.status == "OPEN":
            found = match(self.book, order)
            for fill in found.fills:
                assert isinstance(fill.maker, Working)
                self._settle(BatchTrade(fill.maker, order, fill.price, fill.quantity))
            if found.own is None:
                return
            assert isinstance(found.own, Working)
            self._meet_own(order, found.own)

    def _meet_own(self, taker: Working, maker: Working) -> None:
        """Nobody trades with themself; the taker's choice says who gives way."""
        if taker.self_trade == DECREMENT:
            self._decrement(taker, maker)
            return
        if taker.self_trade in {CANCEL_OLDEST, CANCEL_BOTH}:
            self.cancel_maker(maker, "self_trade")
        if taker.self_trade in {CANCEL_NEWEST, CANCEL_BOTH}:
            self._cancel_taker(taker, "self_trade")

    def _decrement(self, taker: Working, maker: Working) -> None:
        """Both shrink by the smaller one's open quantity; the smaller, or both, are cancelled."""
        quantity = min(taker.open_quantity, maker.open_quantity)
        taker_ends = quantity == taker.open_quantity
        if quantity == maker.open_quantity:
            self.cancel_maker(maker, "self_trade")
        else:
            self._hold(maker.account, -maker.hold_for(quantity))
            self.available[maker.account] += maker.hold_for(quantity)
            maker.open_quantity -= quantity
            maker.cut += quantity
            self._level(maker, -quantity, 0)
            self.outcome.changed[maker.id] = maker
        if taker_ends:
            self._cancel_taker(taker, "self_trade")
        else:
            self.available[taker.account] += taker.hold_for(quantity)
            taker.open_quantity -= quantity
            taker.cut += quantity

    def _cancel_taker(self, order: Working, reason: str) -> None:
        self.available[order.account] += order.hold_for(order.open_quantity)
        order.status, order.reason = "CANCELLED", reason

    def _rest(self, order: Working) -> None:
        self.outcome.last_priority += 1
        order.priority = self.outcome.last_priority
        order.status = "OPEN"
        self._hold(order.account, order.hold_for(order.open_quantity))
        self._level(order, order.open_quantity, 1)
        self.book.rest(order)

    def _settle(self, trade: BatchTrade) -> None:
        maker, taker, quantity = trade.maker, trade.taker, trade.quantity
        cost, seconds = trade.price * quantity, GPU_SECONDS_PER_LOT * quantity
        # Taker and maker both pay out of what they set aside; only a buyer's better price gives something back.
        self._hold(maker.account, -maker.hold_for(quantity))
        self.available[taker.account] += taker.hold_for(quantity) - (cost if taker.side == BUY else seconds)
        self.available[trade.buyer.receiving_account] += seconds
        self.available[trade.seller.receiving_account] += cost
        for order in (maker, taker):
            order.filled_quantity += quantity
            order.filled_value += cost
        self._level(maker, -quantity, 0 if maker.open_quantity else -1)
        if not maker.open_quantity:
            maker.status = "FILLED"
        self.outcome.changed[maker.id] = maker
        self.outcome.trades.append(trade)

    def _hold(self, account: int, change: int) -> None:
        self.outcome.held[account] = self.outcome.held.get(account, 0) + change

    def _level(self, order: Working, quantity: int, orders: int) -> None:
        level = self.outcome.levels.setdefault((order.side, order.limit_price), [0, 0])
        level[0] += quantity
        level[1] += orders
