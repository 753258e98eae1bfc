"""Placing and cancelling orders."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import TypeVar
from uuid import uuid4

from django.db import OperationalError, models, transaction
from django.utils.translation import gettext as _
from psycopg.errors import DeadlockDetected

from ledger.clock import database_now
from market.answers import Answer, Answers, NewOrder, PlacedOrder
from market.combining import LARGEST_BATCH, combiner_for
from market.errors import BadOrder, NoCancel, OrderNotOpen
from market.leaving import take_out
from market.models import HIGHEST_PRICE, LARGEST_QUANTITY, Order
from market.orderly import keep_orderly
from market.phases import clock, lock_instrument, refuse_no_cancel

Result = TypeVar("Result")

_TRIES = 3
_SIDES = frozenset(Order.Side.values)
_KINDS = frozenset(Order.Kind.values)
_SELF_TRADES = frozenset(Order.SelfTrade.values)
_TIMES_IN_FORCE = frozenset(Order.TimeInForce.values)


def place_order(
    *,
    instrument_id: int,
    wallet_id: int,
    side: str,
    limit_price: int,
    quantity: int,
    time_in_force: str = Order.TimeInForce.GTC,
    client_order_id: str = "",
    kind: str = Order.Kind.LIMIT,
    post_only: bool = False,
    self_trade: str = Order.SelfTrade.CANCEL_NEWEST,
    expires_at: datetime | None = None,
) -> PlacedOrder:
    """Place one order and answer what became of it: open, filled, cancelled or rejected with a reason.

    Raises BadOrder for what no instrument takes, and ClientOrderIdConflict when the id was used for another order; the
    same id with the same content answers the same order.
    """
    order = NewOrder(
        instrument_id, wallet_id, str(side), limit_price, quantity, client_order_id or uuid4().hex, str(time_in_force),
        str(kind), post_only, str(self_trade), expires_at,
    )  # fmt: skip
    answer = place_orders([order])[0]
    if isinstance(answer, PlacedOrder):
        return answer
    raise answer


def place_orders(orders: Sequence[NewOrder]) -> list[Answer]:
    """Place many orders, in the order given for each instrument; answers stand in the same places."""
    for order in orders:
        check_order(order)
    keep_orderly(orders)
    places: dict[int, list[int]] = {}
    for place, order in enumerate(orders):
        places.setdefault(order.instrument_id, []).append(place)
    answers: dict[int, Answer] = {}
    for instrument_id, ours in places.items():
        for start in range(0, len(ours), LARGEST_BATCH):
            chunk = ours[start : start + LARGEST_BATCH]
            answers.update(zip(chunk, _submit(instrument_id, [orders[place] for place in chunk]), strict=True))
    return [answers[place] for place in range(len(orders))]


def check_order(order: NewOrder) -> None:
    """What can be said of an order without looking at anything else."""
    if order.side not in _SIDES:
        raise BadOrder(_("The side must be BUY or SELL."), field="side")
    if order.time_in_force not in _TIMES_IN_FORCE:
        raise BadOrder(_("The time in force must be GTC, GTD, IOC or FOK."), field="time_in_force")
    if order.kind not in _KINDS:
        raise BadOrder(_("The kind must be LIMIT or MARKET."), field="kind")
    if order.self_trade not in _SELF_TRADES:
        raise BadOrder(_("There is no such rule for meeting one's own orders."), field="self_trade")
    stays = order.time_in_force in {"GTC", "GTD"}
    if order.kind == "MARKET" and stays:
        raise BadOrder(_("A market order never waits: its time in force is IOC or FOK."), field="time_in_force")
    if order.post_only and not (stays and order.kind == "LIMIT"):
        raise BadOrder(_("An order that may only be added to the book must be able to wait there."), field="post_only")
    if (order.time_in_force == "GTD") != (order.expires_at is not None):
        raise BadOrder(_("An order until a date needs the date, and no other order has one."), field="expires_at")
    if isinstance(order.limit_price, bool) or not 0 < order.limit_price <= HIGHEST_PRICE:
        raise BadOrder(_("The limit price must be above zero and of a size that makes sense."), field="limit_price")
    if isinstance(order.quantity, bool) or not 0 < order.quantity <= LARGEST_QUANTITY:
        raise BadOrder(_("The quantity must be above zero and of a size that makes sense."), field="quantity")
    if not 0 < len(order.client_order_id) <= 80 or "\x00" in order.client_order_id:
        raise BadOrder(_("A client order id has 1 to 80 characters."), field="client_order_id")


@transaction.atomic(durable=True)
def cancel_order(*, order_id: int, now: datetime, by_operator: bool = False) -> Order:
    """Take an order out of the book and give back what it held. Raises OrderNotOpen when it is done already, and
    NoCancel in the last part of an auction, where only operators can."""
    instrument_id = Order.objects.values_list("instrument_id", flat=True).get(id=order_id)
    instrument = lock_instrument(instrument_id)
    order = Order.objects.get(id=order_id)
    if order.status not in {Order.Status.WAITING, Order.Status.OPEN}:
        raise OrderNotOpen(
            _("Order %(id)s is already %(status)s.") % {"id": order.id, "status": order.get_status_display().lower()}
        )
    if not by_operator:
        refuse_no_cancel(instrument, clock())
    take_out([order], instrument=instrument, reason="by_operator" if by_operator else "cancelled", now=now)
    return order


def cancel_orders(
    *, wallet_id: int, instrument_id: int | None = None, reason: str = "cancelled", always: bool = False
) -> int:
    """Cancel all orders of the wallet, or those in one instrument; answers how many. Each instrument is an action.

    Where an auction is about to end its orders stay, and the others are cancelled all the same; then NoCancel says so.
    With `always` they go from there, too: of a wallet that may not trade any more.
    """
    mine = Order.objects.filter(wallet_id=wallet_id).unfinished()
    instruments = mine.values_list("instrument_id", flat=True) if instrument_id is None else [instrument_id]
    cancelled, kept = 0, None
    for id_ in sorted(set(instruments)):
        try:
            cancelled += _cancel_in(id_, mine, reason, always=always)
        except NoCancel as refusal:
            kept = refusal
    if kept is not None:
        raise kept
    return cancelled


@transaction.atomic(durable=True)
def _cancel_in(instrument_id: int, orders: models.QuerySet[Order], reason: str, *, always: bool = False) -> int:
    instrument, now = lock_instrument(instrument_id), database_now()
    found = list(orders.filter(instrument_id=instrument_id).order_by("id"))
    if found and not always:
        refuse_no_cancel(instrument, clock())
    take_out(found, instrument=instrument, reason=reason, now=now)
    return len(found)


def expire_orders(*, limit: int = 500) -> int:
    """Cancel resting orders whose date is over; answers how many. None of them has traded since: clearing passes them
    by."""
    due = Order.objects.filter(status=Order.Status.OPEN, expires_at__lte=database_now())
    rows = due.order_by("expires_at", "id").values_list("instrument_id", "id")[:limit]
    ids: dict[int, list[int]] = {}
    for instrument_id, order_id in rows:
        ids.setdefault(instrument_id, []).append(order_id)
    return sum(
        _cancel_in(instrument_id, due.filter(id__in=theirs), "order_expired", always=True)
        for instrument_id, theirs in sorted(ids.items())
    )


def _submit(instrument_id: int, orders: Sequence[NewOrder]) -> Answers:
    return retried(lambda: combiner_for(instrument_id).submit(orders))


def retried(act: Callable[[], Result]) -> Result:
    """Ask again what ended in a deadlock: two bulk callers with the same client order ids the other way round."""
    for attempt in range(1, _TRIES + 1):
        try:
            return act()
        except OperationalError as error:
            if attempt == _TRIES or not isinstance(error.__cause__, DeadlockDetected):
                raise
    raise AssertionError("unreachable")
