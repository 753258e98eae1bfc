"""Clearing: everything waiting for an instrument is matched and settled in one transaction, by who has its lock."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeAlias

import psycopg
from django.db import connection, transaction

from ledger.entries import leaf_hash, transfer_body
from ledger.models import Asset, Entry, Wallet
from ledger.policies import refusal_for
from market.batch import GPU_SECONDS_PER_LOT, BatchTrade, Outcome, Working, clear_batch
from market.errors import ClientOrderIdConflict
from market.models import Instrument, Order

# From about fifty trades on COPY is faster than arrays (clearing.md).
COPY_FROM_TRADES = 50
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
# Bits of a row's `flags` as market_enter sets them.
_BUYS, _IMMEDIATE, _FROZEN, _MAY_NOT_SELL = 1, 2, 4, 8

ENTER = (
    "SELECT * FROM market_enter(%s::bigint, %s::boolean, %s::bigint[], %s::text[], %s::bigint[], %s::bigint[],"
    " %s::text[], %s::text[])"
)
WRITE = (
    "SELECT market_write(%s::bigint, %s::timestamptz, %s::bigint[], %s::bigint[], %s::text[], %s::bytea[],"
    " %s::bytea[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::bigint[], %s::bigint[],"
    " %s::bigint[], %s::bigint[], %s::bigint[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],"
    " %s::text[], %s::bigint, %s::bigint, %s::bigint, %s::bigint, %s::text)"
)


@dataclass(frozen=True, slots=True)
class NewOrder:
    """What a caller asks for. The client order id makes it safe to ask twice."""

    instrument_id: int
    wallet_id: int
    side: str
    limit_price: int
    quantity: int
    client_order_id: str
    time_in_force: str = "GTC"

    @property
    def key(self) -> tuple[int, str]:
        return self.wallet_id, self.client_order_id


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """What became of an order. `reason` is the code of a refusal, in errors.REASONS."""

    order_id: int
    status: str
    quantity: int
    filled_quantity: int
    filled_value: int
    reason: str


Answer: TypeAlias = PlacedOrder | ClientOrderIdConflict
Answers: TypeAlias = dict[NewOrder, Answer]


@dataclass
class _Loaded:
    """What market_enter read under the instrument's lock."""

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
    waiting: list[Working] = field(default_factory=list)
    resting: list[Working] = field(default_factory=list)
    clients: list[tuple[int, str]] = field(default_factory=list)
    available: dict[int, int] = field(default_factory=dict)


def clear(instrument_id: int, orders: Sequence[NewOrder] = ()) -> Answers:
    """Place the orders and clear everything waiting for the instrument.

    When another process is clearing, ours are committed as WAITING and we queue on the row's lock; by then that
    process may have cleared them, which is why an order is looked at only with the lock held.
    """
    answers: Answers = {}
    inserting, block = orders, False
    while True:
        with transaction.atomic(durable=True), connection.wrap_database_errors:
            cursor = psycopg.Cursor(connection.connection)
            rows = _enter(cursor, instrument_id, inserting, block=block)
            inserting = ()
            if not rows:
                block = True
                continue
            loaded = _read(rows)
            outcome = clear_batch(
                waiting=loaded.waiting,
                resting=loaded.resting,
                available=loaded.available,
                last_priority=loaded.last_priority,
            )
            if outcome.changed:
                _write(cursor, loaded, outcome)
            cursor.close()
        answers |= _answers(orders, loaded)
        missing = [order for order in orders if order not in answers]
        if missing:
            answers |= _look_up(missing)
        if not any(isinstance(answer, PlacedOrder) and answer.status == "WAITING" for answer in answers.values()):
            return answers


def _enter(
    cursor: psycopg.Cursor[Any], instrument_id: int, orders: Sequence[NewOrder], *, block: bool
) -> list[tuple[Any, ...]]:
    cursor.execute(
        ENTER,
        [
            instrument_id,
            block,
            _integers(order.wallet_id for order in orders),
            [order.side for order in orders],
            _integers(order.limit_price for order in orders),
            _integers(order.quantity for order in orders),
            [order.time_in_force for order in orders],
            [order.client_order_id for order in orders],
        ],
        prepare=True,
        binary=True,
    )
    return cursor.fetchall()


def _read(rows: Sequence[tuple[Any, ...]]) -> _Loaded:
    _, id_, last_priority, last_event, last_trade, now_us, expires_us, paused, last_price, word, tags = rows[0]
    phase, code = word.split(" ", 1)
    now = _EPOCH + timedelta(microseconds=now_us)
    base = Asset(
        code=code,
        kind=Asset.Kind.POOL,
        paused_at=now if paused & 1 else None,
        expires_at=_EPOCH + timedelta(microseconds=expires_us),
    )
    price = Asset(code="CREDITS", kind=Asset.Kind.CREDITS, paused_at=now if paused & 2 else None)
    loaded = _Loaded(
        id_, last_priority, last_event, last_trade, last_price, now, phase, code, base, price, tags[:32], tags[32:]
    )
    refusals: dict[tuple[int, int], str] = {}
    for kind, id_, wallet, price_, quantity, account, receiving, flags, extra, word, tag in rows[1:]:
        if kind == 3:  # an account: price is its balance, quantity what is held
            loaded.available[id_] = price_ - quantity
            continue
        trait = (kind, flags & ~_IMMEDIATE)
        if trait not in refusals:
            refusals[trait] = _refusal(loaded, flags, resting=kind == 2)
        order = Working(
            id=id_, owner=wallet, side="BUY" if flags & _BUYS else "SELL", limit_price=price_, open_quantity=quantity,
            priority=extra, account=account, receiving_account=receiving, wallet_tag=tag,
            stays=not flags & _IMMEDIATE, refusal=refusals[trait],
        )  # fmt: skip
        if kind == 1:
            loaded.waiting.append(order)
            loaded.clients.append((wallet, word))
        else:
            loaded.resting.append(order)
    return loaded


def _refusal(loaded: _Loaded, flags: int, *, resting: bool) -> str:
    """The ledger's policies, asked once for all orders alike. A pause stops arrivals and leaves the book as it is."""
    if not resting and loaded.phase != Instrument.Phase.CONTINUOUS:
        return "instrument_halted" if loaded.phase == Instrument.Phase.HALTED else "instrument_closed"
    wallet = Wallet(frozen_at=loaded.now if flags & _FROZEN else None, may_sell=not flags & _MAY_NOT_SELL)
    buys = bool(flags & _BUYS)
    for asset, gives in ((loaded.base, not buys), (loaded.price, buys)):
        if resting:
            asset = Asset(code=asset.code, kind=asset.kind)
        refusal = refusal_for(kind=Entry.TransferKind.TRADE, asset=asset, wallet=wallet, gives=gives, now=loaded.now)
        if refusal is not None:
            return refusal.code
    return ""


def _write(cursor: psycopg.Cursor[Any], loaded: _Loaded, outcome: Outcome) -> None:
    falls = {account: change for account, change in outcome.held.items() if change < 0}
    rises = {account: change for account, change in outcome.held.items() if change > 0}
    trades = outcome.trades
    references = [f"trade:{loaded.code}:{number}" for number, _ in enumerate(trades, loaded.last_trade + 1)]
    bodies = [_body(loaded, trade, reference) for trade, reference in zip(trades, references, strict=True)]
    last_trade = loaded.last_trade + len(trades)
    if len(trades) >= COPY_FROM_TRADES:
        _copy(cursor, loaded, falls, trades, references, bodies)
        falls, trades, references, bodies = {}, [], [], []
    changed = outcome.changed.values()
    said = bool(outcome.levels or outcome.trades)
    cursor.execute(
        WRITE,
        [
            loaded.instrument_id,
            loaded.now,
            _integers(falls),
            _integers(falls.values()),
            references,
            bodies,
            [leaf_hash(body) for body in bodies],
            _integers(account for trade in trades for account, _ in _postings(trade)),
            _integers(amount for trade in trades for _, amount in _postings(trade)),
            _integers(trade.maker.id for trade in trades),
            _integers(trade.taker.id for trade in trades),
            [trade.taker.side for trade in trades],
            _integers(trade.price for trade in trades),
            _integers(trade.quantity for trade in trades),
            _integers(rises),
            _integers(rises.values()),
            _integers(outcome.changed),
            [order.status for order in changed],
            _integers(order.filled_quantity for order in changed),
            _integers(order.filled_value for order in changed),
            _integers(order.hold_for(order.open_quantity) if order.status == "OPEN" else 0 for order in changed),
            _integers(order.priority for order in changed),
            [order.reason for order in changed],
            outcome.last_priority,
            last_trade,
            outcome.trades[-1].price if outcome.trades else loaded.last_price,
            loaded.last_event + 1,
            _payload(loaded, outcome) if said else None,
        ],
        prepare=True,
    )


def _copy(
    cursor: psycopg.Cursor[Any],
    loaded: _Loaded,
    falls: dict[int, int],
    trades: Sequence[BatchTrade],
    references: Sequence[str],
    bodies: Sequence[bytes],
) -> None:
    """A large batch's trades: falls of held, then entries, postings and trades by COPY."""
    cursor.execute(
        "SELECT ARRAY(SELECT nextval('ledger_entry_id_seq') FROM generate_series(1, %s::integer)),"
        " ledger_change_held(%s::bigint[], %s::bigint[])",
        [len(trades), _integers(falls), _integers(falls.values())],
        binary=True,
    )
    row = cursor.fetchone()
    assert row is not None
    ids: list[int] = row[0]
    with cursor.copy(
        "COPY ledger_entry (id, kind, transfer_kind, reference, body, leaf_hash, recorded_at)"
        " FROM STDIN (FORMAT BINARY)"
    ) as copy:
        copy.set_types(["int8", "text", "text", "text", "bytea", "bytea", "timestamptz"])
        for id_, reference, body in zip(ids, references, bodies, strict=True):
            copy.write_row((id_, "TRANSFER", "TRADE", reference, body, leaf_hash(body), loaded.now))
    with cursor.copy("COPY ledger_posting (transfer_id, account_id, amount) FROM STDIN (FORMAT BINARY)") as copy:
        copy.set_types(["int8", "int8", "int8"])
        for id_, trade in zip(ids, trades, strict=True):
            for account, amount in _postings(trade):
                copy.write_row((id_, account, amount))
    with cursor.copy(
        "COPY market_trade (instrument_id, number, maker_id, taker_id, taker_side, price, quantity, transfer_id,"
        " traded_at) FROM STDIN (FORMAT BINARY)"
    ) as copy:
        copy.set_types(["int8", "int8", "int8", "int8", "text", "int8", "int8", "int8", "timestamptz"])
        for number, (id_, trade) in enumerate(zip(ids, trades, strict=True), loaded.last_trade + 1):
            copy.write_row(
                (
                    loaded.instrument_id, number, trade.maker.id, trade.taker.id, trade.taker.side, trade.price,
                    trade.quantity, id_, loaded.now,
                )
            )  # fmt: skip


def _postings(trade: BatchTrade) -> tuple[tuple[int, int], ...]:
    """The four sides of a trade: credits from buyer to seller, GPU-seconds from seller to buyer."""
    cost, seconds = trade.price * trade.quantity, GPU_SECONDS_PER_LOT * trade.quantity
    buyer, seller = trade.buyer, trade.seller
    return (
        (buyer.account, -cost),
        (seller.receiving_account, cost),
        (seller.account, -seconds),
        (buyer.receiving_account, seconds),
    )


def _body(loaded: _Loaded, trade: BatchTrade, reference: str) -> bytes:
    (_, paid), (_, got), (_, given), (_, taken) = _postings(trade)
    buyer, seller = trade.buyer.wallet_tag, trade.seller.wallet_tag
    sides = (
        (buyer, loaded.price_tag, paid),
        (seller, loaded.price_tag, got),
        (seller, loaded.base_tag, given),
        (buyer, loaded.base_tag, taken),
    )
    return transfer_body(kind="TRADE", reference=reference, recorded_at=loaded.now, postings=sides)


def _payload(loaded: _Loaded, outcome: Outcome) -> str:
    trades = [
        [number, trade.price, trade.quantity, trade.taker.side]
        for number, trade in enumerate(outcome.trades, loaded.last_trade + 1)
    ]
    return event_payload(trades=trades, levels=outcome.levels.items(), now=loaded.now)


def event_payload(
    *, trades: Sequence[Sequence[object]], levels: Iterable[tuple[tuple[str, int], Sequence[int]]], now: datetime
) -> str:
    """An event in JSON: trades as [number, price, quantity, taker's side], levels as [side, price, change of
    quantity, change of orders]. No names, no ids of orders."""
    changes = [[side, price, quantity, orders] for (side, price), (quantity, orders) in levels if quantity or orders]
    content = {"at": now.isoformat(), "trades": trades, "levels": changes}
    return json.dumps(content, separators=(",", ":"))


def _answers(orders: Sequence[NewOrder], loaded: _Loaded) -> Answers:
    cleared = dict(zip(loaded.clients, loaded.waiting, strict=True))
    answers: Answers = {}
    for order in orders:
        found = cleared.get(order.key)
        if found is None:
            continue
        quantity = found.open_quantity + found.filled_quantity
        content = found.side, found.limit_price, quantity, "GTC" if found.stays else "IOC"
        answers[order] = _conflict(order, (order.instrument_id, *content)) or PlacedOrder(
            found.id, found.status, quantity, found.filled_quantity, found.filled_value, found.reason
        )
    return answers


def _look_up(orders: Sequence[NewOrder]) -> Answers:
    """Orders asked for before, or cleared by another process in the meantime."""
    wallets = {order.wallet_id for order in orders}
    clients = {order.client_order_id for order in orders}
    rows = Order.objects.filter(wallet_id__in=wallets, client_order_id__in=clients)
    by_key = {(row.wallet_id, row.client_order_id): row for row in rows}
    answers: Answers = {}
    for order in orders:
        row = by_key[order.key]
        content = row.instrument_id, row.side, row.limit_price, row.quantity, row.time_in_force
        answers[order] = _conflict(order, content) or PlacedOrder(
            row.id, row.status, row.quantity, row.filled_quantity, row.filled_value, row.reason
        )
    return answers


def _conflict(order: NewOrder, content: tuple[int, str, int, int, str]) -> ClientOrderIdConflict | None:
    asked = order.instrument_id, order.side, order.limit_price, order.quantity, order.time_in_force
    if asked == content:
        return None
    names = ("instrument", "side", "limit_price", "quantity", "time_in_force")
    name = next(name for name, ours, theirs in zip(names, asked, content, strict=True) if ours != theirs)
    return ClientOrderIdConflict(
        f"The client order id {order.client_order_id} was used before with another {name.replace('_', ' ')}.",
        field=name,
    )


def _integers(values: Iterable[int]) -> str:
    """An array literal: one parameter type whatever the numbers' sizes, so that one prepared statement serves all."""
    return "{" + ",".join(map(str, values)) + "}"


def chunks(orders: Sequence[NewOrder], size: int) -> Iterator[Sequence[NewOrder]]:
    for start in range(0, len(orders), size):
        yield orders[start : start + size]
