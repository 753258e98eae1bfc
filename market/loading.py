"""Entering a clearing: take the instrument's lock and read everything that the waiting orders can touch."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg

from ledger.arrays import integers, optional_integers, texts
from ledger.governance.policies import refusal_for
from ledger.models import Asset, Entry, Wallet
from market.answers import NewOrder
from market.bands import band
from market.batch import CANCEL_BOTH, CANCEL_NEWEST, CANCEL_OLDEST, DECREMENT, OPEN_RULES, Rules, Working
from market.models import Instrument

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Kinds of rows and bits of `flags` as market_enter sets them (migration 0007). Above the bits stand the fee rates.
_INBOX, _BOOK, _ACCOUNT, _NEW, _KNOWN, _RULES = 1, 2, 3, 4, 5, 6
_MAKER_FEE_SHIFT, _TAKER_FEE_SHIFT, _FEE_MASK = 16, 32, 0xFFFF
_NO_RATES = (0, 0)
_BUYS, _IMMEDIATE, _FROZEN, _MAY_NOT_SELL, _SPECIAL, _FILL_OR_KILL, _POST_ONLY = 1, 2, 4, 8, 16, 32, 64
_SELF_TRADE_SHIFT, _IS_OVER, _AT_MARKET = 7, 512, 1024
_SELF_TRADES = (CANCEL_NEWEST, CANCEL_OLDEST, CANCEL_BOTH, DECREMENT)
_PAUSED, _PRICE_PAUSED, _SPECIAL_SERIES = 1, 2, 4
# The phases in which nothing can be placed.
_SHUT: dict[str, str] = {
    Instrument.Phase.HALTED: "instrument_halted",
    Instrument.Phase.CANCEL_ONLY: "cancel_only",
    Instrument.Phase.CLOSED: "instrument_closed",
}

_ENTER = (
    "SELECT * FROM market_enter(%s::bigint, %s::boolean, %s::bigint[], %s::text[], %s::bigint[], %s::bigint[],"
    " %s::text[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint, %s::bigint, %s::bigint, %s::bigint)"
)


@dataclass(slots=True)
class Loaded:
    """What was read under the instrument's lock. `new` are the caller's orders, by wallet and client order id."""

    instrument_id: int
    last_priority: int
    last_event: int
    last_trade: int
    last_price: int | None
    now: datetime
    phase: str
    code: str
    base: Asset
    price: Asset
    base_tag: bytes
    price_tag: bytes
    maker_bp: int = 0
    taker_bp: int = 0
    fees_account: int = 0
    fees_tag: bytes = b""
    static_band_bp: int | None = None
    dynamic_band_bp: int | None = None
    reference_price: int | None = None
    # Of an auction: when it ends, and its price once that is being settled.
    uncross_at: datetime | None = None
    uncross_price: int | None = None
    new: dict[tuple[int, str], Working] = field(default_factory=dict)
    inbox: dict[tuple[int, str], Working] = field(default_factory=dict)
    resting: list[Working] = field(default_factory=list)
    available: dict[int, int] = field(default_factory=dict)
    # Orders of wallets, or in a series, with other rules than these flags can say (market.limits).
    special: list[Working] = field(default_factory=list)

    @property
    def auction_is_due(self) -> bool:
        return self.uncross_at is not None and self.uncross_at <= self.now and self.may_trade

    @property
    def may_trade(self) -> bool:
        """Neither the series nor credits are paused, and the series has not expired."""
        has_expired = self.base.expires_at is not None and self.base.expires_at <= self.now
        return self.base.paused_at is None and self.price.paused_at is None and not has_expired


def rules_of(instrument: Instrument | Loaded) -> Rules:
    """What phase and bands let an order do."""
    phase, static_bp, dynamic_bp = instrument.phase, instrument.static_band_bp, instrument.dynamic_band_bp
    if phase == Instrument.Phase.CONTINUOUS and static_bp is None and dynamic_bp is None:
        return OPEN_RULES
    return Rules(
        collects=phase == Instrument.Phase.AUCTION,
        only_adds=phase == Instrument.Phase.POST_ONLY,
        allowed=band(instrument.reference_price, static_bp),
        dynamic_bp=dynamic_bp,
        last_price=instrument.last_price,
    )


def enter(cursor: psycopg.Cursor[Any], instrument_id: int, orders: Sequence[NewOrder], *, block: bool) -> Loaded | None:
    """Lock and read; None when another process has the lock, and then the orders are in the inbox."""
    buys = [order for order in orders if order.side == "BUY"]
    sells = [order for order in orders if order.side == "SELL"]
    cursor.execute(
        _ENTER,
        [
            instrument_id,
            block,
            integers(order.wallet_id for order in orders),
            texts([order.side for order in orders]),
            integers(order.limit_price for order in orders),
            integers(order.quantity for order in orders),
            texts([order.time_in_force for order in orders]),
            texts([order.client_order_id for order in orders]),
            integers(options_of(order) for order in orders),
            optional_integers(expiry_of(order) for order in orders),
            str(sum(order.quantity for order in buys)),
            str(max((order.limit_price for order in buys), default=0)),
            str(sum(order.quantity for order in sells)),
            str(min((order.limit_price for order in sells), default=2**62)),
        ],
        prepare=True,
        binary=True,
    )
    rows = cursor.fetchall()
    return read(rows, orders) if rows else None


def read(rows: Sequence[tuple[Any, ...]], orders: Sequence[NewOrder] = ()) -> Loaded:
    """The rows of market_enter, or of market_auction, as values."""
    loaded = _read_head(rows[0])
    special_series = rows[0][7] & _SPECIAL_SERIES
    refusals: dict[tuple[bool, int], str] = {}
    now, own_rates = loaded.now, (loaded.maker_bp, loaded.taker_bp)
    for row in rows[1:]:
        kind, id_, wallet, price_, quantity, account, receiving, flags, extra, word, tag = row
        if kind == _RULES:
            _read_rules(loaded, row)
            continue
        if kind == _ACCOUNT:  # price is its balance, quantity what is held
            loaded.available[id_] = price_ - quantity
            continue
        if kind == _KNOWN:
            continue
        if kind == _NEW:
            order = orders[price_ - 1]
            side, limit_price, quantity = order.side, order.limit_price, order.quantity
            flags |= options_of(order)
            if order.expires_at is not None and order.expires_at <= now:
                flags |= _IS_OVER
            if order.time_in_force in {"IOC", "FOK"}:
                flags |= _IMMEDIATE | (_FILL_OR_KILL if order.time_in_force == "FOK" else 0)
        else:
            side, limit_price = "BUY" if flags & _BUYS else "SELL", price_
        rates = own_rates if kind == _NEW else _rates(flags) if flags >> _MAKER_FEE_SHIFT else _NO_RATES
        trait = (kind == _BOOK, flags & (_FROZEN | _MAY_NOT_SELL | _IS_OVER) | (side == "BUY"))
        if trait not in refusals:
            refusals[trait] = _refusal(loaded, trait[1], resting=trait[0])
        owner = wallet if len(tag) == 16 else int.from_bytes(tag[16:], "big")
        working = Working(
            id_, owner, side, limit_price, quantity, extra, account, receiving, tag[:16], not flags & _IMMEDIATE,
            refusals[trait], wallet, bool(flags & _FILL_OR_KILL), bool(flags & _POST_ONLY),
            _SELF_TRADES[flags >> _SELF_TRADE_SHIFT & 3], *rates, bool(flags & _AT_MARKET),
        )  # fmt: skip
        if flags & _SPECIAL or special_series:
            loaded.special.append(working)
        if kind == _NEW:
            loaded.new[order.key] = working
        elif kind == _INBOX:
            loaded.inbox[wallet, word] = working
        else:
            loaded.resting.append(working)
    return loaded


def _read_head(head: tuple[Any, ...]) -> Loaded:
    _, instrument_id, last_priority, last_event, last_trade, now_us, expires_us, flags, last_price, word, tags = head
    phase, code = word.split(" ", 1)
    now = _EPOCH + timedelta(microseconds=now_us)
    base = Asset(
        code=code,
        kind=Asset.Kind.POOL,
        paused_at=now if flags & _PAUSED else None,
        expires_at=_EPOCH + timedelta(microseconds=expires_us),
    )
    price = Asset(code="CREDITS", kind=Asset.Kind.CREDITS, paused_at=now if flags & _PRICE_PAUSED else None)
    loaded = Loaded(
        instrument_id, last_priority, last_event, last_trade, last_price, now, phase, code, base, price, tags[:32],
        tags[32:],
    )  # fmt: skip
    loaded.maker_bp, loaded.taker_bp = _rates(flags)
    return loaded


def _read_rules(loaded: Loaded, row: tuple[Any, ...]) -> None:
    """A second row about the instrument, where it has fees, bands or an auction."""
    _, fees_account, static_bp, dynamic_bp, reference, uncross_us, uncross_price, _, _, _, fees_tag = row
    loaded.fees_account, loaded.fees_tag = fees_account or 0, fees_tag or b""
    loaded.static_band_bp, loaded.dynamic_band_bp, loaded.reference_price = static_bp, dynamic_bp, reference
    loaded.uncross_at = None if uncross_us is None else _EPOCH + timedelta(microseconds=uncross_us)
    loaded.uncross_price = uncross_price


def _rates(flags: int) -> tuple[int, int]:
    """The maker and the taker fee in basis points."""
    return flags >> _MAKER_FEE_SHIFT & _FEE_MASK, flags >> _TAKER_FEE_SHIFT


def _refusal(loaded: Loaded, flags: int, *, resting: bool) -> str:
    if flags & _IS_OVER:
        return "order_expired"
    wallet = Wallet(frozen_at=loaded.now if flags & _FROZEN else None, may_sell=not flags & _MAY_NOT_SELL)
    buys = bool(flags & _BUYS)
    if not resting:
        return refusal_code(
            phase=loaded.phase, base=loaded.base, price=loaded.price, wallet=wallet, buys=buys, now=loaded.now
        )
    # A pause stops arrivals and leaves the book as it is: only the wallet counts.
    base, price = Asset(code=loaded.code, kind=Asset.Kind.POOL), Asset(code="CREDITS", kind=Asset.Kind.CREDITS)
    phase = Instrument.Phase.CONTINUOUS
    return refusal_code(phase=phase, base=base, price=price, wallet=wallet, buys=buys, now=loaded.now)


def refusal_code(
    *, phase: str, base: Asset, price: Asset, wallet: Wallet, buys: bool, now: datetime, position: int | None = None
) -> str:
    """Why this wallet may not place this side now: the instrument's phase and the ledger's policies; empty when it
    may. `position` is what its beneficial owner would have and bid for of the series, the order included."""
    if phase in _SHUT:
        return _SHUT[phase]
    for asset, gives in ((base, not buys), (price, buys)):
        refusal = refusal_for(
            kind=Entry.TransferKind.TRADE, asset=asset, wallet=wallet, gives=gives, now=now,
            position=position if asset is base else None,
        )  # fmt: skip
        if refusal is not None:
            return refusal.code
    return ""


def options_of(order: NewOrder) -> int:
    """What an order asks for beyond a plain one, in bits."""
    if order.is_plain:
        return 0
    return (
        (_POST_ONLY if order.post_only else 0)
        | _SELF_TRADES.index(order.self_trade) << _SELF_TRADE_SHIFT
        | (_AT_MARKET if order.kind == "MARKET" else 0)
    )


def expiry_of(order: NewOrder) -> int | None:
    """Microseconds since 1970 UTC until which an order stays; None for as long as its series."""
    return None if order.expires_at is None else (order.expires_at - _EPOCH) // timedelta(microseconds=1)
