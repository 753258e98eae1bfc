"""The plain way, to compare with: one order a transaction, through the ORM, with the instrument's row locked."""

from datetime import datetime

from django.db import connection, transaction

from ledger.models import Account
from ledger.transfers import Move, post_transfer
from market.answers import NewOrder
from market.models import GPU_SECONDS_PER_LOT, Instrument, MarketEvent, Order, Trade


@transaction.atomic(durable=True)
def place_with_orm(asked: NewOrder, *, now: datetime) -> Order:
    instrument = Instrument.objects.select_for_update().get(id=asked.instrument_id)
    compute = Account.objects.get(wallet_id=asked.wallet_id, asset_id=instrument.asset_id)
    money = Account.objects.get(wallet_id=asked.wallet_id, asset_id=instrument.price_asset_id)
    pays, receives = (money, compute) if asked.side == "BUY" else (compute, money)
    order = Order.objects.create(
        instrument=instrument, wallet_id=asked.wallet_id, account=pays, receiving_account=receives, side=asked.side,
        limit_price=asked.limit_price, quantity=asked.quantity, client_order_id=asked.client_order_id, placed_at=now,
    )  # fmt: skip
    fills, levels = _fill(order, instrument, now)
    if order.open_quantity:
        instrument.last_priority += 1
        order.priority, order.status = instrument.last_priority, Order.Status.OPEN
        order.held = _hold(order, order.open_quantity)
        _change_held(order.account_id, order.held)
        levels.append([order.side, order.limit_price, order.open_quantity, 1])
    else:
        order.status, order.done_at = Order.Status.FILLED, now
    order.save(update_fields=["filled_quantity", "filled_value", "held", "status", "priority", "done_at"])
    instrument.last_event += 1
    MarketEvent.objects.create(
        instrument=instrument, number=instrument.last_event, recorded_at=now,
        payload={"at": now.isoformat(), "trades": fills, "levels": levels},
    )  # fmt: skip
    instrument.save()
    return order


def _fill(order: Order, instrument: Instrument, now: datetime) -> tuple[list[list[object]], list[list[object]]]:
    book = Order.objects.filter(instrument=instrument, status="OPEN").exclude(wallet_id=order.wallet_id)
    if order.side == "BUY":
        makers = book.filter(side="SELL", limit_price__lte=order.limit_price).order_by("limit_price", "priority")
    else:
        makers = book.filter(side="BUY", limit_price__gte=order.limit_price).order_by("-limit_price", "priority")
    fills: list[list[object]] = []
    levels: list[list[object]] = []
    # An order of at most ten lots meets at most ten others.
    for maker in makers[: order.quantity]:
        if not order.open_quantity:
            break
        quantity = min(maker.open_quantity, order.open_quantity)
        _settle(order, maker, quantity, instrument, now)
        fills.append([instrument.last_trade, maker.limit_price, quantity, order.side])
        levels.append([maker.side, maker.limit_price, -quantity, 0 if maker.open_quantity else -1])
    return fills, levels


def _settle(order: Order, maker: Order, quantity: int, instrument: Instrument, now: datetime) -> None:
    buyer, seller = (order, maker) if order.side == "BUY" else (maker, order)
    cost, seconds = maker.limit_price * quantity, GPU_SECONDS_PER_LOT * quantity
    _change_held(maker.account_id, -_hold(maker, quantity))
    instrument.last_trade += 1
    moves = [
        Move(buyer.account_id, -cost),
        Move(seller.receiving_account_id, cost),
        Move(seller.account_id, -seconds),
        Move(buyer.receiving_account_id, seconds),
    ]
    reference = f"trade:{instrument.code}:{instrument.last_trade}"
    transfer = post_transfer(kind="TRADE", moves=moves, now=now, reference=reference)
    Trade.objects.create(
        instrument=instrument, number=instrument.last_trade, maker=maker, taker=order, taker_side=order.side,
        price=maker.limit_price, quantity=quantity, transfer=transfer, traded_at=now,
    )  # fmt: skip
    for side in (order, maker):
        side.filled_quantity += quantity
        side.filled_value += cost
    maker.held = _hold(maker, maker.open_quantity)
    if not maker.open_quantity:
        maker.status, maker.done_at = Order.Status.FILLED, now
    maker.save(update_fields=["filled_quantity", "filled_value", "held", "status", "done_at"])


def _hold(order: Order, quantity: int) -> int:
    return quantity * (order.limit_price if order.side == "BUY" else GPU_SECONDS_PER_LOT)


def _change_held(account_id: int, change: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_change_held(%s::bigint[], %s::bigint[])", [[account_id], [change]])
