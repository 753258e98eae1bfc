"""What pages and streams read of the market: depth, tape, prices. No locks, no names."""

from collections.abc import Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from ledger.clock import database_now
from ledger.governance.policies import owner_of, position_limit, positions_of
from ledger.models import Account, Wallet
from ledger.transfers import MAX_AMOUNT
from market.bands import band, within
from market.batch import CANCEL_NEWEST, GPU_SECONDS_PER_LOT, Outcome, Rules, Working, clear_batch
from market.feed import Level as Level
from market.feed import checksum
from market.loading import refusal_code, rules_of
from market.matching import opposite
from market.models import Instrument, Order, Trade
from market.prices.statistics import DayFigures as DayFigures
from market.prices.statistics import day_figures as day_figures

DEPTH_LEVELS = 500


@dataclass(frozen=True)
class Snapshot:
    """The book at one event number. A level is (price in ticks, quantity in lots, number of orders), best first."""

    number: int
    bids: list[Level]
    asks: list[Level]

    @property
    def best_bid(self) -> int | None:
        return self.bids[0][0] if self.bids else None

    @property
    def spread(self) -> int | None:
        return self.asks[0][0] - self.bids[0][0] if self.asks and self.bids else None

    @property
    def checksum(self) -> int:
        return checksum(self.asks, self.bids)

    @property
    def best_ask(self) -> int | None:
        return self.asks[0][0] if self.asks else None


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


# Number and levels in one statement, so that they belong together. The events process asks it, too.
DEPTH = """
    SELECT i.last_event, l.side, l.limit_price, l.quantity, l.orders
    FROM market_instrument i LEFT JOIN LATERAL (
        (SELECT side, limit_price, sum(quantity - filled_quantity)::bigint AS quantity, count(*) AS orders
         FROM market_order WHERE instrument_id = i.id AND status = 'OPEN' AND side = 'BUY'
         GROUP BY side, limit_price ORDER BY limit_price DESC LIMIT %(levels)s)
        UNION ALL
        (SELECT side, limit_price, sum(quantity - filled_quantity)::bigint, count(*)
         FROM market_order WHERE instrument_id = i.id AND status = 'OPEN' AND side = 'SELL'
         GROUP BY side, limit_price ORDER BY limit_price LIMIT %(levels)s)
    ) l ON true WHERE i.id = %(instrument)s
"""


def depth(instrument_id: int, *, levels: int = DEPTH_LEVELS) -> Snapshot:
    """The book's best levels with their event number."""
    with connection.cursor() as cursor:
        cursor.execute(DEPTH, {"levels": levels, "instrument": instrument_id})
        return snapshot_of(cursor.fetchall())


def snapshot_of(rows: Sequence[tuple[Any, ...]]) -> Snapshot:
    """What the rows of DEPTH say."""
    bids = sorted(((price, size, n) for _, side, price, size, n in rows if side == Order.Side.BUY), reverse=True)
    asks = sorted((price, size, n) for _, side, price, size, n in rows if side == Order.Side.SELL)
    return Snapshot(rows[0][0], bids, asks)


def recent_trades(instrument_id: int, *, limit: int = 50) -> QuerySet[Trade]:
    """The tape, newest first."""
    return Trade.objects.filter(instrument_id=instrument_id).order_by("-number")[:limit]


def price_history(instrument_id: int, *, limit: int = 2000) -> list[Trade]:
    """The last trades, oldest first."""
    return list(recent_trades(instrument_id, limit=limit))[::-1]


def preview_order(
    *,
    instrument: Instrument,
    wallet_id: int,
    side: str,
    limit_price: int,
    quantity: int,
    time_in_force: str,
    post_only: bool = False,
    self_trade: str = CANCEL_NEWEST,
    expires_at: datetime | None = None,
    kind: str = Order.Kind.LIMIT,
) -> Preview:
    """What the order would do if it arrived now, by the very function that clears; nothing is written or locked."""
    buys, wallet = side == Order.Side.BUY, Wallet.objects.get(id=wallet_id)
    refusal = refusal_code(
        phase=instrument.phase, base=instrument.asset, price=instrument.price_asset,
        wallet=wallet, buys=buys, now=database_now(), position=_position(instrument, wallet, buys, quantity),
    )  # fmt: skip
    pays_in = instrument.price_asset_id if buys else instrument.asset_id
    account = Account.objects.filter(wallet_id=wallet_id, asset_id=pays_in).first()
    stays = time_in_force in {Order.TimeInForce.GTC, Order.TimeInForce.GTD}
    if expires_at is not None and expires_at <= database_now():
        refusal = "order_expired"
    passed_owner = None if self_trade == CANCEL_NEWEST else owner_of(wallet)
    rules = rules_of(instrument)
    book = []
    if not rules.collects:
        book = list(_crossing(instrument.id, side, limit_price, quantity, passed_owner=passed_owner))

    def arrive(refusal: str, available: int) -> tuple[Working, Outcome]:
        order = Working(
            0, owner_of(wallet), side, limit_price, quantity, stays=stays, refusal=refusal, post_only=post_only,
            fill_or_kill=time_in_force == Order.TimeInForce.FOK, self_trade=self_trade,
            maker_bp=instrument.maker_fee_bp, taker_bp=instrument.taker_fee_bp, at_market=kind == Order.Kind.MARKET,
        )  # fmt: skip
        resting = [copy(maker) for maker in book]
        return order, clear_batch(
            waiting=[order], resting=resting, available={0: available}, last_priority=0, rules=rules
        )

    edge = _edge(rules, side, limit_price)
    order, outcome = arrive(refusal, account.available if account else 0)
    reason = order.reason if order.status == Order.Status.REJECTED else ""
    if reason:
        # Refused as things are; what it would do is said all the same.
        order, outcome = arrive("", MAX_AMOUNT)
    return Preview(
        side=side,
        quantity=quantity,
        filled_quantity=order.filled_quantity,
        filled_value=order.filled_value,
        worst_price=outcome.trades[-1].price if outcome.trades else None,
        rest_quantity=order.open_quantity if order.status == Order.Status.OPEN else 0,
        held_amount=order.held,
        fees=order.fees,
        meets_own=order.reason == "self_trade" or any(o.reason == "self_trade" for o in outcome.changed.values()),
        cannot_fill=order.reason == "fill_or_kill",
        reason=reason,
        edge=edge,
        reaches_edge=outcome.left_band or order.reason == "outside_band",
    )


def _edge(rules: Rules, side: str, limit_price: int) -> int | None:
    """The price beyond which the bands let nothing trade now, where the limit would; an auction has no bands."""
    if rules.collects:
        return None
    lowest, highest = band(rules.last_price, rules.dynamic_bp)
    edge = within(side, limit_price, (max(rules.allowed[0], lowest), min(rules.allowed[1], highest)))
    return edge if edge != limit_price else None


def _position(instrument: Instrument, wallet: Wallet, buys: bool, quantity: int) -> int | None:
    """What the wallet's owner would have and bid for; None where nothing limits that."""
    if not buys or position_limit(instrument.asset, wallet) is None:
        return None
    owner = owner_of(wallet)
    return positions_of([owner], instrument.asset_id)[owner] + quantity * GPU_SECONDS_PER_LOT


def _crossing(
    instrument_id: int, side: str, limit_price: int, quantity: int, *, passed_owner: int | None
) -> Iterator[Working]:
    """The orders that this one could meet, best first, up to its quantity; those that give way to it on top."""
    orders = Order.objects.filter(instrument_id=instrument_id, status=Order.Status.OPEN, side=opposite(side))
    orders = orders.exclude(expires_at__lte=database_now()).select_related("wallet")
    if side == Order.Side.BUY:
        orders = orders.filter(limit_price__lte=limit_price).order_by("limit_price", "priority")
    else:
        orders = orders.filter(limit_price__gte=limit_price).order_by("-limit_price", "priority")
    left = quantity
    for order in orders.iterator(chunk_size=200):
        owner = owner_of(order.wallet)
        yield Working(order.id, owner, order.side, order.limit_price, order.open_quantity, order.priority or 0)
        if owner != passed_owner:
            left -= order.open_quantity
        if left <= 0:
            return
