"""Entering a clearing: take the instrument's lock and read everything that the waiting orders can touch."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import repeat
from typing import Any

from ledger.arrays import integers, optional_integers, texts
from ledger.governance.policies import refusal_for
from ledger.models import Asset, Entry, Wallet
from ledger.pipelining import Cursor
from ledger.statements import call
from market.answers import NewOrder
from market.bands import band
from market.batch import CANCEL_BOTH, CANCEL_NEWEST, CANCEL_OLDEST, DECREMENT, OPEN_RULES, Rules, Working
from market.known import accounts_for, forget, tags_of
from market.matching import BUY
from market.models import Instrument

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Kinds of rows and bits of `flags` as market_enter sets them (migration 0011). Above the bits stand the fee rates.
_HEAD, _INBOX, _BOOK, _ACCOUNTS, _NEW, _POLICIES, _RULES = range(7)
_MAKER_FEE_SHIFT, _TAKER_FEE_SHIFT, _FEE_MASK = 16, 32, 0xFFFF
_NO_RATES = (0, 0)
_BUYS, _IMMEDIATE, _FROZEN, _MAY_NOT_SELL, _SPECIAL, _FILL_OR_KILL, _POST_ONLY = 1, 2, 4, 8, 16, 32, 64
_SELF_TRADE_SHIFT, _IS_OVER, _AT_MARKET = 7, 512, 1024
_PASSES_BY = 3 << _SELF_TRADE_SHIFT  # orders of its own owner's are cancelled, or shrink
_NOT_PLAIN = _IMMEDIATE | _FILL_OR_KILL | _POST_ONLY | _PASSES_BY | _AT_MARKET
_FLAGS = 7  # the column
_SELF_TRADES = (CANCEL_NEWEST, CANCEL_OLDEST, CANCEL_BOTH, DECREMENT)
_PAUSED, _PRICE_PAUSED, _SPECIAL_SERIES = 1, 2, 4
# The phases in which nothing can be placed.
_SHUT: dict[str, str] = {
    Instrument.Phase.HALTED: "instrument_halted",
    Instrument.Phase.CANCEL_ONLY: "cancel_only",
    Instrument.Phase.CLOSED: "instrument_closed",
}

_ENTER = call(
    "market_enter",
    [
        *["bigint", "boolean", "bigint[]", "bigint[]", "bigint[]"],  # of the instrument; wallets and their accounts
        *["text[]", "bigint[]", "bigint[]", "text[]", "text[]", "bigint[]", "bigint[]", "bigint[]"],  # orders
        *["bigint"] * 6,  # how far into the book they reach
    ],
)
_PLAIN = (0, None)
# Columns of what was read, one row of them for each kind.
Sets = Sequence[tuple[Any, ...]]


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
    # Of the series: when it ends; whether transfers of it are paused, and those of credits.
    expires_at: datetime
    is_paused: bool
    credits_paused: bool
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
        return not (self.is_paused or self.credits_paused or self.has_expired)

    @property
    def has_expired(self) -> bool:
        return self.expires_at <= self.now


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


def enter(cursor: Cursor, instrument_id: int, orders: Sequence[NewOrder], *, block: bool) -> Loaded | None:
    """Lock and read; None when another process has the lock, and then the orders are in the inbox."""
    accounts = accounts_of(cursor, instrument_id, orders)
    sets = _enter(cursor, instrument_id, orders, accounts, block=block)
    if not sets:
        return None
    loaded = read(cursor, sets, orders, accounts)
    if all(account in loaded.available for pair in accounts for account in pair):
        return loaded
    forget()
    return enter(cursor, instrument_id, orders, block=block)


def accounts_of(cursor: Cursor, instrument_id: int, orders: Sequence[NewOrder]) -> list[tuple[int, int]]:
    """What each order pays from and receives in."""
    known = accounts_for(cursor, instrument_id, (order.wallet_id for order in orders))
    pairs = [(order.side, known[order.wallet_id]) for order in orders]
    return [(theirs.price, theirs.base) if side == "BUY" else (theirs.base, theirs.price) for side, theirs in pairs]


def _enter(
    cursor: Cursor,
    instrument_id: int,
    orders: Sequence[NewOrder],
    accounts: Sequence[tuple[int, int]],
    *,
    block: bool,
) -> Sets:
    buys = [order for order in orders if order.side == "BUY"]
    sells = [order for order in orders if order.side == "SELL"]
    options = [options_of(order) for order in orders]
    cursor.execute(
        _ENTER,
        [
            instrument_id,
            block,
            integers(order.wallet_id for order in orders),
            integers(account for account, _ in accounts),
            integers(receiving for _, receiving in accounts),
            texts([order.side for order in orders]),
            integers(order.limit_price for order in orders),
            integers(order.quantity for order in orders),
            texts([order.time_in_force for order in orders]),
            texts([order.client_order_id for order in orders]),
            integers(options),
            optional_integers(expiry_of(order) for order in orders),
            integers(order.wallet_id for order, bits in zip(orders, options, strict=True) if bits & _PASSES_BY),
            len(buys),
            sum(order.quantity for order in buys),
            max((order.limit_price for order in buys), default=0),
            len(sells),
            sum(order.quantity for order in sells),
            min((order.limit_price for order in sells), default=2**62),
        ],
    )
    return cursor.fetchall()


def read(
    cursor: Cursor,
    sets: Sets,
    orders: Sequence[NewOrder] = (),
    accounts: Sequence[tuple[int, int]] = (),
) -> Loaded:
    """What market_enter, or market_auction, answers, as values. `accounts` are the orders' own."""
    loaded = _read_head(sets[0])
    kinds: dict[int, list[tuple[Any, ...]]] = {}
    for kind, *columns in sets[1:]:
        kinds.setdefault(kind, []).append(tuple(columns))
    if _RULES in kinds:
        _read_rules(loaded, kinds[_RULES][0])
    for ids, _, balances, held, *_rest in kinds.get(_ACCOUNTS, ()):
        loaded.available = {id_: has - kept for id_, has, kept in zip(ids, balances, held, strict=True)}
    _Orders(cursor, loaded, sets[0][_FLAGS][0], kinds).read(orders, accounts)
    return loaded


class _Orders:
    """Orders as they are read, with what their wallets may do."""

    def __init__(self, cursor: Cursor, loaded: Loaded, flags: int, kinds: dict[int, list[tuple[Any, ...]]]) -> None:
        self.cursor = cursor
        self.loaded = loaded
        self.kinds = kinds
        self.all_special = bool(flags & _SPECIAL_SERIES)
        self.refusals: dict[tuple[bool, int], str] = {}
        self.policies: dict[int, tuple[int, int | None]] = {}
        for ids, *_columns, flags_, owners, _ in kinds.get(_POLICIES, ()):
            self.policies = {id_: (bits, owner) for id_, bits, owner in zip(ids, flags_, owners, strict=True)}

    def read(self, orders: Sequence[NewOrder], accounts: Sequence[tuple[int, int]]) -> None:
        loaded = self.loaded
        for ids, wallets, prices, quantities, account, receiving, flags, _, words in self.kinds.get(_INBOX, ()):
            orders_ = self._read((ids, wallets, prices, quantities, account, receiving, flags, repeat(0)))
            for word, working in zip(words, orders_, strict=True):
                loaded.inbox[working.wallet, word] = working
        for ids, *_columns, known, _ in self.kinds.get(_NEW, ()):
            self._read_new(orders, accounts, ids, known)
        for *columns, _ in self.kinds.get(_BOOK, ()):
            loaded.resting += self._read(columns, resting=True)

    def _read(self, columns: Sequence[Iterable[int]], *, resting: bool = False) -> Iterator[Working]:
        """Orders that are in the database."""
        tags = tags_of(self.cursor, columns[1])
        for id_, wallet, price, quantity, account, receiving, bits, priority in zip(*columns, strict=False):
            side = "BUY" if bits & _BUYS else "SELL"
            rates = _rates(bits) if bits >> _MAKER_FEE_SHIFT else _NO_RATES
            working = Working(id_, wallet, side, price, quantity, priority, account, receiving, tags[wallet])
            self._finish(working, wallet, bits, rates, resting=resting)
            yield working

    def _read_new(
        self,
        orders: Sequence[NewOrder],
        accounts: Sequence[tuple[int, int]],
        ids: Sequence[int],
        known: Sequence[int | None],
    ) -> None:
        """The caller's, but for those that were asked for before."""
        loaded = self.loaded
        rates, now = (loaded.maker_bp, loaded.taker_bp), loaded.now
        tags = tags_of(self.cursor, (order.wallet_id for order in orders))
        for id_, before, order, (account, receiving) in zip(ids, known, orders, accounts, strict=True):
            if before is None:
                wallet, side = order.wallet_id, order.side
                working = Working(
                    id_, wallet, side, order.limit_price, order.quantity, 0, account, receiving, tags[wallet]
                )
                self._finish(working, wallet, _bits_of(order, now), rates)
                loaded.new[order.key] = working

    def _finish(self, order: Working, wallet: int, bits: int, rates: tuple[int, int], *, resting: bool = False) -> None:
        """What its wallet's policies and its own bits say of it."""
        policy, owner = self.policies.get(wallet, _PLAIN)
        if owner is not None:
            order.owner = owner
        order.wallet, (order.maker_bp, order.taker_bp) = wallet, rates
        trait = resting, policy & (_FROZEN | _MAY_NOT_SELL) | bits & _IS_OVER | (order.side == BUY)
        refusal = self.refusals.get(trait)
        if refusal is None:
            refusal = self.refusals[trait] = _refusal(self.loaded, trait[1], resting=resting)
        order.refusal = refusal
        if bits & _NOT_PLAIN:
            order.stays, order.fill_or_kill = not bits & _IMMEDIATE, bool(bits & _FILL_OR_KILL)
            order.post_only, order.at_market = bool(bits & _POST_ONLY), bool(bits & _AT_MARKET)
            order.self_trade = _SELF_TRADES[bits >> _SELF_TRADE_SHIFT & 3]
        if self.all_special or policy & _SPECIAL:
            self.loaded.special.append(order)


def _bits_of(order: NewOrder, now: datetime) -> int:
    """What the order says of itself, as market_enter does of those in the database."""
    bits = options_of(order)
    if order.expires_at is not None and order.expires_at <= now:
        bits |= _IS_OVER
    if order.time_in_force in {"IOC", "FOK"}:
        bits |= _IMMEDIATE | (_FILL_OR_KILL if order.time_in_force == "FOK" else 0)
    return bits


def _read_head(head: tuple[Any, ...]) -> Loaded:
    """What stands in the first row: each array of one, but for the words."""
    *numbers, words = head[1:]
    instrument_id, last_priority, last_event, last_trade, now_us, expires_us, flags, last_price = (
        number for (number,) in numbers
    )
    phase, code, base_tag, price_tag = words
    now = _EPOCH + timedelta(microseconds=now_us)
    loaded = Loaded(
        instrument_id, last_priority, last_event, last_trade, last_price, now, phase, code,
        _EPOCH + timedelta(microseconds=expires_us), bool(flags & _PAUSED), bool(flags & _PRICE_PAUSED),
        bytes.fromhex(base_tag), bytes.fromhex(price_tag),
    )  # fmt: skip
    loaded.maker_bp, loaded.taker_bp = _rates(flags)
    return loaded


def _read_rules(loaded: Loaded, columns: tuple[Any, ...]) -> None:
    """A second row about the instrument, where it has fees, bands or an auction."""
    fees_account, static_bp, dynamic_bp, reference, uncross_us, uncross_price, _, _, fees_tag = (
        value for (value,) in columns
    )
    loaded.fees_account, loaded.fees_tag = fees_account or 0, bytes.fromhex(fees_tag or "")
    loaded.static_band_bp, loaded.dynamic_band_bp, loaded.reference_price = static_bp, dynamic_bp, reference
    loaded.uncross_at = None if uncross_us is None else _EPOCH + timedelta(microseconds=uncross_us)
    loaded.uncross_price = uncross_price


def _rates(flags: int) -> tuple[int, int]:
    """The maker and the taker fee in basis points."""
    return flags >> _MAKER_FEE_SHIFT & _FEE_MASK, flags >> _TAKER_FEE_SHIFT


def _refusal(loaded: Loaded, flags: int, *, resting: bool) -> str:
    if flags & _IS_OVER:
        return "order_expired"
    if resting:
        # A pause stops arrivals and leaves the book as it is: only the wallet counts.
        return _code_of(flags, Instrument.Phase.CONTINUOUS, False, False, False)
    return _code_of(flags, loaded.phase, loaded.is_paused, loaded.credits_paused, loaded.has_expired)


@lru_cache(1000)
def _code_of(flags: int, phase: str, paused: bool, credits_paused: bool, expired: bool) -> str:
    """The refusal of an order whose wallet and series have no other rules than these: few cases, asked again and
    again."""
    now = _EPOCH
    base = Asset(kind=Asset.Kind.POOL, paused_at=now if paused else None, expires_at=now if expired else None)
    price = Asset(kind=Asset.Kind.CREDITS, paused_at=now if credits_paused else None)
    wallet = Wallet(frozen_at=now if flags & _FROZEN else None, may_sell=not flags & _MAY_NOT_SELL)
    return refusal_code(phase=phase, base=base, price=price, wallet=wallet, buys=bool(flags & _BUYS), now=now)


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
