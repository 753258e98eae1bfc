"""Amending an order as one operation.

Less at the same price keeps its place in the line. Another price, or more, loses it: the order leaves the book and
arrives anew, in one transaction, and may trade at once. At or below what is filled, the rest is cancelled. What it held
is never let go of and set aside again for others to see: only the difference changes hands at commit.
"""

from django.db import transaction
from django.utils.translation import gettext as _

from ledger.clock import database_now
from ledger.errors import NotEnough
from market.answers import PlacedOrder
from market.bands import fee
from market.clearing import Amended, AuctionDue, clear_locked
from market.errors import AmendmentRefused, BadOrder, OrderNotOpen
from market.leaving import let_go, take_out, write_event
from market.models import GPU_SECONDS_PER_LOT, HIGHEST_PRICE, LARGEST_QUANTITY, Amendment, Instrument, Order
from market.orderly import keep_amending_orderly
from market.orders import retried
from market.phases import clock, is_due, refuse_no_cancel
from market.settling import event_payload
from market.uncrossing import end_auction


def amend_order(*, order_id: int, quantity: int | None = None, limit_price: int | None = None) -> PlacedOrder:
    """Change an open order's total quantity (what is filled included), its limit price, or both.

    Raises OrderNotOpen, BadOrder, NotEnough, TooManyOrders, or AmendmentRefused where the amended order would be
    rejected; the order then stays as it was, place and all.
    """
    while True:
        try:
            return retried(lambda: _amend(order_id, quantity, limit_price))
        except AuctionDue as due:
            end_auction(due.instrument_id)


@transaction.atomic(durable=True)
def _amend(order_id: int, quantity: int | None, limit_price: int | None) -> PlacedOrder:
    order = _lock_open(order_id)
    if is_due(order.instrument, clock()):
        raise AuctionDue(order.instrument_id)
    refuse_no_cancel(order.instrument, clock())
    wanted = order.quantity if quantity is None else quantity
    price = order.limit_price if limit_price is None else limit_price
    if isinstance(wanted, bool) or not 0 <= wanted <= LARGEST_QUANTITY:
        raise BadOrder(_("The quantity must be of a size that makes sense."), field="quantity")
    if isinstance(price, bool) or not 0 < price <= HIGHEST_PRICE:
        raise BadOrder(_("The limit price must be above zero and of a size that makes sense."), field="limit_price")
    if wanted <= order.filled_quantity:
        _close(order)
    elif price != order.limit_price or wanted > order.quantity:
        keep_amending_orderly(order.wallet_id)
        _arrive_anew(order, wanted, price)
    elif wanted < order.quantity:
        _reduce(order, wanted)
    order.refresh_from_db()
    return PlacedOrder(
        order.id, order.status, order.quantity, order.filled_quantity, order.filled_value, order.reason, order.fees_paid
    )


def _lock_open(order_id: int) -> Order:
    instrument_id = Order.objects.values_list("instrument_id", flat=True).get(id=order_id)
    instrument = Instrument.objects.select_for_update(no_key=True).get(id=instrument_id)
    order = Order.objects.get(id=order_id)
    order.instrument = instrument
    if order.status != Order.Status.OPEN:
        raise OrderNotOpen(
            _("Order %(id)s is already %(status)s.") % {"id": order.id, "status": order.get_status_display().lower()}
        )
    if order.expires_at is not None and order.expires_at <= clock():
        # It trades no more, whether or not it has been cleared away yet.
        raise OrderNotOpen(_("Order %(id)s is over: the date it was placed until has come.") % {"id": order.id})
    return order


def _close(order: Order) -> None:
    """No more is asked for than was filled: what is open is cancelled, and nothing of it is asked for any more."""
    take_out([order], instrument=order.instrument, reason="amended", now=database_now())
    if order.filled_quantity:
        order.first_quantity = order.first_quantity or order.quantity
        order.quantity = order.filled_quantity
        order.save(update_fields=["quantity", "first_quantity"])


def _reduce(order: Order, quantity: int) -> None:
    """Less of the same: only what it holds and its level change."""
    less, now = order.quantity - quantity, database_now()
    held = _hold_for(order, order.limit_price, quantity - order.filled_quantity)
    let_go(order.instrument, {order.account_id: held - order.held}, now)
    order.first_quantity = order.first_quantity or order.quantity
    order.quantity, order.held = quantity, held
    order.save(update_fields=["quantity", "first_quantity", "held"])
    level = ((order.side, order.limit_price), (-less, 0))
    write_event(order.instrument, event_payload(trades=[], levels=[level], now=now), now=now)


def _arrive_anew(order: Order, quantity: int, limit_price: int) -> None:
    """Out of the book and into the inbox, the first of all that wait, and cleared at once: with what it holds, so that
    no account is locked before all are, in their order."""
    now, before = database_now(), Amended(order.id, order.held)
    level = ((order.side, order.limit_price), (-order.open_quantity, -1))
    Amendment.objects.create(
        order=order, wallet_id=order.wallet_id, limit_price=limit_price, quantity=quantity,
        filled_quantity=order.filled_quantity, amended_at=now,
    )  # fmt: skip
    order.first_quantity = order.first_quantity or order.quantity
    order.first_price = order.first_price or order.limit_price
    order.quantity, order.limit_price, order.held = quantity, limit_price, 0
    order.status, order.priority = Order.Status.WAITING, None
    order.save(update_fields=["quantity", "limit_price", "first_quantity", "first_price", "held", "status", "priority"])
    write_event(order.instrument, event_payload(trades=[], levels=[level], now=now), now=now)
    try:
        clear_locked(order.instrument_id, [], block=True, amended=before)
    except AmendmentRefused as refusal:
        if refusal.reason != "not_enough":
            raise
        raise NotEnough(_("Your available balance does not cover the amended order."), field="quantity") from refusal


def _hold_for(order: Order, limit_price: int, quantity: int) -> int:
    if order.side == Order.Side.SELL:
        return quantity * GPU_SECONDS_PER_LOT
    return quantity * limit_price + fee(quantity * limit_price, order.taker_fee_bp)
