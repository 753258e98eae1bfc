"""What an order would do if it arrived now, by the very function that clears; nothing is written or locked."""

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass

from ledger.clock import database_now
from ledger.governance.policies import owner_of, position_limit, positions_of
from ledger.models import Account, Wallet
from ledger.transfers import MAX_AMOUNT
from market.answers import NewOrder
from market.bands import band, within
from market.batch import CANCEL_NEWEST, GPU_SECONDS_PER_LOT, Outcome, Rules, Working, clear_batch
from market.loading import refusal_code, rules_of
from market.matching import opposite
from market.models import Instrument, Order


@dataclass(frozen=True)
class Preview:
    """What an order would do if it arrived now. Quantities in lots, credits in 1/10,000, compute in GPU-seconds."""

    side: str
    quantity: int
    filled_quantity: int
    filled_value: int
    worst_price: int | None
    rest_quantity: int
    held_amount: int
    meets_own: bool
    fees: int = 0  # of what is filled at once
    cannot_fill: bool = False  # fill or kill, and not all of it is there
    # Why it would be rejected: a code of errors.REASONS, or nothing.
    reason: str = ""
    # The edge of the bands, where that stops it before its limit does; and whether it now comes that far.
    edge: int | None = None
    reaches_edge: bool = False


def preview_order(*, instrument: Instrument, order: NewOrder) -> Preview:
    """Filled and resting quantity, cost and fees, and why it would be rejected. Its client order id does not count."""
    wallet = Wallet.objects.get(id=order.wallet_id)
    owner, rules = owner_of(wallet), rules_of(instrument)
    book = [] if rules.collects else list(_crossing(order, owner))
    working = _arriving(instrument, order, owner, refusal=_refusal(instrument, wallet, order))
    outcome = _cleared(working, book, _available(instrument, order), rules)
    reason = working.reason if working.status == Order.Status.REJECTED else ""
    if reason:
        # Refused as things are; what it would do is said all the same.
        working = _arriving(instrument, order, owner, refusal="")
        outcome = _cleared(working, book, MAX_AMOUNT, rules)
    return Preview(
        side=order.side,
        quantity=order.quantity,
        filled_quantity=working.filled_quantity,
        filled_value=working.filled_value,
        worst_price=outcome.trades[-1].price if outcome.trades else None,
        rest_quantity=working.open_quantity if working.status == Order.Status.OPEN else 0,
        held_amount=working.held,
        fees=working.fees,
        meets_own=working.reason == "self_trade" or any(o.reason == "self_trade" for o in outcome.changed.values()),
        cannot_fill=working.reason == "fill_or_kill",
        reason=reason,
        edge=_edge(rules, order),
        reaches_edge=outcome.left_band or working.reason == "outside_band",
    )


def _refusal(instrument: Instrument, wallet: Wallet, order: NewOrder) -> str:
    """Why it may not be placed at all, whatever the book holds."""
    now = database_now()
    if order.expires_at is not None and order.expires_at <= now:
        return "order_expired"
    return refusal_code(
        phase=instrument.phase, base=instrument.asset, price=instrument.price_asset, wallet=wallet,
        buys=_buys(order), now=now, position=_position(instrument, wallet, order),
    )  # fmt: skip


def _buys(order: NewOrder) -> bool:
    return order.side == Order.Side.BUY


def _position(instrument: Instrument, wallet: Wallet, order: NewOrder) -> int | None:
    """What the wallet's owner would have and bid for; None where nothing limits that."""
    if not _buys(order) or position_limit(instrument.asset, wallet) is None:
        return None
    owner = owner_of(wallet)
    return positions_of([owner], instrument.asset_id)[owner] + order.quantity * GPU_SECONDS_PER_LOT


def _available(instrument: Instrument, order: NewOrder) -> int:
    pays_in = instrument.price_asset_id if _buys(order) else instrument.asset_id
    account = Account.objects.filter(wallet_id=order.wallet_id, asset_id=pays_in).first()
    return account.available if account else 0


def _crossing(order: NewOrder, owner: int) -> Iterator[Working]:
    """The orders that this one could meet, best first, up to its quantity; those that give way to it on top."""
    gives_way = None if order.self_trade == CANCEL_NEWEST else owner
    orders = Order.objects.filter(
        instrument_id=order.instrument_id, status=Order.Status.OPEN, side=opposite(order.side)
    ).exclude(expires_at__lte=database_now())
    if _buys(order):
        orders = orders.filter(limit_price__lte=order.limit_price).order_by("limit_price", "priority")
    else:
        orders = orders.filter(limit_price__gte=order.limit_price).order_by("-limit_price", "priority")
    left = order.quantity
    for maker in orders.select_related("wallet").iterator(chunk_size=200):
        makers = owner_of(maker.wallet)
        yield Working(maker.id, makers, maker.side, maker.limit_price, maker.open_quantity, maker.priority or 0)
        if makers != gives_way:
            left -= maker.open_quantity
        if left <= 0:
            return


def _arriving(instrument: Instrument, order: NewOrder, owner: int, *, refusal: str) -> Working:
    return Working(
        0, owner, order.side, order.limit_price, order.quantity,
        stays=order.time_in_force in {Order.TimeInForce.GTC, Order.TimeInForce.GTD}, refusal=refusal,
        post_only=order.post_only, fill_or_kill=order.time_in_force == Order.TimeInForce.FOK,
        self_trade=order.self_trade, maker_bp=instrument.maker_fee_bp, taker_bp=instrument.taker_fee_bp,
        at_market=order.kind == Order.Kind.MARKET,
    )  # fmt: skip


def _cleared(working: Working, book: list[Working], available: int, rules: Rules) -> Outcome:
    """What a clearing makes of it, against copies of the book."""
    return clear_batch(
        waiting=[working], resting=[copy(maker) for maker in book], available={0: available}, last_priority=0,
        rules=rules,
    )  # fmt: skip


def _edge(rules: Rules, order: NewOrder) -> int | None:
    """The price beyond which the bands let nothing trade now, where the limit would; an auction has no bands."""
    if rules.collects:
        return None
    lowest, highest = band(rules.last_price, rules.dynamic_bp)
    edge = within(order.side, order.limit_price, (max(rules.allowed[0], lowest), min(rules.allowed[1], highest)))
    return edge if edge != order.limit_price else None
