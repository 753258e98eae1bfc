"""What one clearing does to orders, holds and balances: pure, and the same for the form's preview as for the market."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from market.bands import NO_BAND, band, fee, within
from market.matching import BUY, Book, BookOrder, can_fill, match, opposite, would_trade

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
    maker_bp: int = 0  # the fee rates it was accepted under
    taker_bp: int = 0
    at_market: bool = False
    filled_quantity: int = 0  # in this batch
    filled_value: int = 0
    fees: int = 0
    status: str = "OPEN"
    reason: str = ""
    cut: int = 0  # taken off the quantity asked for, by decrementing
    held_before: int = 0  # what an amended order sets aside already, though it arrives anew
    initial_open: int = 0

    def __post_init__(self) -> None:
        self.initial_open = self.open_quantity

    @property
    def held(self) -> int:
        """What it sets aside as it stands: an open order all that is open, any other nothing."""
        return self.hold_for(self.open_quantity) if self.status == "OPEN" else 0

    def hold_for(self, quantity: int) -> int:
        """What `quantity` lots of it set aside: for a buyer credits at its limit and the taker fee, which no maker fee
        is above, on all of it at once; GPU-seconds for a seller."""
        if self.side != BUY:
            return quantity * GPU_SECONDS_PER_LOT
        value = quantity * self.limit_price
        return value + fee(value, self.taker_bp) if self.taker_bp else value

    def lets_go_of(self, quantity: int) -> int:
        """What it sets aside less, now that `quantity` lots are taken off what was open."""
        if not self.taker_bp:
            return quantity * (self.limit_price if self.side == BUY else GPU_SECONDS_PER_LOT)
        return self.hold_for(self.open_quantity + quantity) - self.hold_for(self.open_quantity)


class BatchTrade(NamedTuple):
    maker: Working
    taker: Working
    price: int
    quantity: int
    maker_fee: int = 0
    taker_fee: int = 0

    @property
    def buyer(self) -> Working:
        return self.taker if self.taker.side == BUY else self.maker

    @property
    def seller(self) -> Working:
        return self.maker if self.taker.side == BUY else self.taker

    @property
    def fees_of_both(self) -> tuple[int, int]:
        """The buyer's and the seller's."""
        return (self.taker_fee, self.maker_fee) if self.taker.side == BUY else (self.maker_fee, self.taker_fee)


@dataclass(slots=True, frozen=True)
class Rules:
    """What the instrument's phase and bands let happen; a plain one is open and without bands."""

    collects: bool = False  # an auction: orders wait
    only_adds: bool = False
    allowed: tuple[int, int] = NO_BAND  # by the static band
    dynamic_bp: int | None = None
    last_price: int | None = None


@dataclass(slots=True)
class Outcome:
    """All that changes. `held` is the net change by account; `levels` by side and price: quantity and orders.
    `left_band`: an order would have traded outside, and an auction follows."""

    last_priority: int
    trades: list[BatchTrade] = field(default_factory=list)
    changed: dict[int, Working] = field(default_factory=dict)
    held: dict[int, int] = field(default_factory=dict)
    levels: dict[tuple[str, int], list[int]] = field(default_factory=dict)
    left_band: bool = False


OPEN_RULES = Rules()


def clear_batch(
    *,
    waiting: Iterable[Working],
    resting: Iterable[Working],
    available: Mapping[int, int],
    last_priority: int,
    rules: Rules = OPEN_RULES,
) -> Outcome:
    """Take the waiting orders one after the other, each against the book the ones before it left.

    `resting` must reach as far as the waiting orders can: what they cross, up to the sum of their quantities.
    `available` has every account of both, and all of them are locked.
    """
    clearing = Clearing(Outcome(last_priority), dict(available), rules)
    for maker in resting:
        if maker.refusal:
            clearing.cancel_maker(maker, maker.refusal)
        else:
            clearing.book.rest(maker)
    for order in waiting:
        clearing.take(order)
    return clearing.outcome


class Clearing:
    """A batch while it is cleared: the book, what is available, and what has changed so far."""

    def __init__(self, outcome: Outcome, available: dict[int, int], rules: Rules) -> None:
        self.outcome = outcome
        self.available = available
        self.rules = rules
        self.collects = rules.collects
        self.last_price = rules.last_price
        self.has_bands = rules.allowed != NO_BAND or rules.dynamic_bp is not None
        self.book = Book()

    def take(self, order: Working) -> None:
        self.outcome.changed[order.id] = order
        if order.held_before:
            self._hold(order.account, -order.held_before)
            self.available[order.account] += order.held_before
        need = order.hold_for(order.open_quantity)
        if need > self.available[order.account] and not order.refusal:
            order.refusal = "not_enough"
        order.refusal = order.refusal or self._not_now(order)
        if order.refusal:
            order.status, order.reason = "REJECTED", order.refusal
            return
        if self.collects:
            self._rest(order)
            return
        worst_price = self._worst_price(order)
        past_own = order.self_trade == CANCEL_OLDEST
        if order.fill_or_kill and not can_fill(self.book, order, worst_price, past_own=past_own):
            order.status, order.reason = "CANCELLED", "fill_or_kill"
            return
        # It pays as it trades; only what then rests is set aside.
        self._fill(order, worst_price)
        if order.status == "OPEN":
            self._end_or_rest(order)

    def _not_now(self, order: Working) -> str:
        """What the phase and the book do not let this order do."""
        if self.collects:
            waits = order.stays or (order.at_market and not order.fill_or_kill)
            return "" if waits and not order.post_only else "not_in_auction"
        if self.rules.only_adds and not order.post_only:
            return "post_only_phase"
        return "would_trade" if order.post_only and would_trade(self.book, order) else ""

    def _worst_price(self, order: Working) -> int:
        """Its limit, or the edge of the band: round the last trade before it came, so that one order sweeping the book
        does not carry the band along."""
        if not self.has_bands:
            return order.limit_price
        (low, high), (lowest, highest) = self.rules.allowed, band(self.last_price, self.rules.dynamic_bp)
        return within(order.side, order.limit_price, (max(low, lowest), min(high, highest)))

    def _end_or_rest(self, order: Working) -> None:
        if not order.open_quantity:
            order.status = "FILLED"
            return
        outside = self.has_bands and would_trade(self.book, order)
        if outside and (order.stays or order.at_market):
            outside = self._meets_others_outside(order)
            if order.status != "OPEN":
                return
            # All that comes after it waits for the auction, too.
            self.outcome.left_band = self.collects = outside
        if order.stays or (outside and order.at_market):
            self._rest(order)
        else:
            order.status, order.reason = "CANCELLED", "outside_band" if outside else "immediate_or_cancel"

    def _meets_others_outside(self, order: Working) -> bool:
        """Would it trade outside the band? Its own owner's orders give way there as anywhere, so nobody begins an
        auction by themself."""
        while order.status == "OPEN" and would_trade(self.book, order):
            best = self.book.best(opposite(order.side))
            assert isinstance(best, Working)
            if best.owner != order.owner:
                return True
            self._meet_own(order, best)
        return False

    def cancel_maker(self, maker: Working, reason: str) -> None:
        """Take a resting order out: its wallet may not trade any more, or it would meet its own owner."""
        hold = maker.held
        self._hold(maker.account, -hold)
        self.available[maker.account] += hold
        self._level(maker, -maker.open_quantity, -1)
        maker.status, maker.reason, maker.open_quantity = "CANCELLED", reason, 0
        self.outcome.changed[maker.id] = maker

    def shrink_maker(self, maker: Working, quantity: int) -> None:
        """Less of a resting order is asked for from now on."""
        maker.open_quantity -= quantity
        maker.cut += quantity
        self._let_go(maker, quantity)
        self._level(maker, -quantity, 0)
        self.outcome.changed[maker.id] = maker

    def _fill(self, order: Working, worst_price: int) -> None:
        """Match until nothing crosses, or the order meets its own owner's and is cancelled for it."""
        while order.status == "OPEN":
            found = match(self.book, order, worst_price)
            for fill in found.fills:
                assert isinstance(fill.maker, Working)
                maker = fill.maker
                self.trade(maker, order, fill.price, fill.quantity, maker_bp=maker.maker_bp, taker_bp=order.taker_bp)
                self.leave_level(maker, fill.quantity)
            if found.fills:
                self.last_price = found.fills[-1].price
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
            taker.status, taker.reason = "CANCELLED", "self_trade"

    def _decrement(self, taker: Working, maker: Working) -> None:
        """Both shrink by the smaller one's open quantity; the smaller, or both, are cancelled."""
        quantity = min(taker.open_quantity, maker.open_quantity)
        taker_ends = quantity == taker.open_quantity
        if quantity == maker.open_quantity:
            self.cancel_maker(maker, "self_trade")
        else:
            self.shrink_maker(maker, quantity)
        if taker_ends:
            taker.status, taker.reason = "CANCELLED", "self_trade"
        else:
            taker.open_quantity -= quantity
            taker.cut += quantity

    def _rest(self, order: Working) -> None:
        self.outcome.last_priority += 1
        order.priority = self.outcome.last_priority
        order.status = "OPEN"
        hold = order.hold_for(order.open_quantity)
        self.available[order.account] -= hold
        self._hold(order.account, hold)
        self._level(order, order.open_quantity, 1)
        self.book.rest(order)

    def trade(self, maker: Working, taker: Working, price: int, quantity: int, *, maker_bp: int, taker_bp: int) -> None:
        """Both pay and both receive. The quantity is taken off what is open of both already."""
        value = price * quantity
        maker_fee = fee(value, maker_bp) if maker_bp else 0
        taker_fee = fee(value, taker_bp) if taker_bp else 0
        self._move(maker, quantity, value, maker_fee)
        self._move(taker, quantity, value, taker_fee)
        self.outcome.trades.append(BatchTrade(maker, taker, price, quantity, maker_fee, taker_fee))

    def leave_level(self, order: Working, quantity: int) -> None:
        """So much of a resting order was traded: what it holds, its level, and perhaps the order itself are done."""
        self._let_go(order, quantity)
        if order.open_quantity:
            self._level(order, -quantity, 0)
        else:
            self._level(order, -quantity, -1)
            order.status = "FILLED"
        self.outcome.changed[order.id] = order

    def _move(self, order: Working, quantity: int, value: int, paid_fee: int) -> None:
        seconds = GPU_SECONDS_PER_LOT * quantity
        if order.side == BUY:
            self.available[order.account] -= value + paid_fee
            self.available[order.receiving_account] += seconds
        else:
            self.available[order.account] -= seconds
            self.available[order.receiving_account] += value - paid_fee
        order.filled_quantity += quantity
        order.filled_value += value
        order.fees += paid_fee

    def _let_go(self, order: Working, quantity: int) -> None:
        """Of a resting order, after `quantity` was taken off what is open: a buyer's better price and lower fee come
        back with it."""
        back = order.lets_go_of(quantity)
        self._hold(order.account, -back)
        self.available[order.account] += back

    def _hold(self, account: int, change: int) -> None:
        self.outcome.held[account] = self.outcome.held.get(account, 0) + change

    def _level(self, order: Working, quantity: int, orders: int) -> None:
        level = self.outcome.levels.setdefault((order.side, order.limit_price), [0, 0])
        level[0] += quantity
        level[1] += orders
