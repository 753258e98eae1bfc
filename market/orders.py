"""Placing and cancelling orders."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from uuid import uuid4

from django.db import OperationalError, connection, transaction
from django.utils.translation import gettext as _
from psycopg.errors import DeadlockDetected

from ledger.entries import MAX_SIDES
from ledger.holds import change_held
from ledger.log import write_entry
from ledger.models import Entry
from ledger.transfers import lock_accounts
from market.answers import Answer, Answers, NewOrder, PlacedOrder
from market.combining import LARGEST_BATCH, combiner_for
from market.entries import orders_entry
from market.errors import BadOrder, OrderNotOpen
from market.models import HIGHEST_PRICE, LARGEST_QUANTITY, Instrument, MarketEvent, Order
from market.settling import event_payload

_TRIES = 3
_SIDES = frozenset(Order.Side.values)
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
) -> PlacedOrder:
    """Place one order and answer what became of it: open, filled, cancelled or rejected with a reason.

    Raises BadOrder for what no instrument takes, and ClientOrderIdConflict when the id was used for another order; the
    same id with the same content answers the same order.
    """
    order = NewOrder(
        instrument_id, wallet_id, str(side), limit_price, quantity, client_order_id or uuid4().hex, str(time_in_force)
    )
    answer = place_orders([order])[0]
    if isinstance(answer, PlacedOrder):
        return answer
    raise answer


def place_orders(orders: Sequence[NewOrder]) -> list[Answer]:
    """Place many orders, in the order given for each instrument; answers stand in the same places."""
    for order in orders:
        check_order(order)
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
        raise BadOrder(_("The time in force must be GTC or IOC."), field="time_in_force")
    if isinstance(order.limit_price, bool) or not 0 < order.limit_price <= HIGHEST_PRICE:
        raise BadOrder(_("The limit price must be above zero and of a size that makes sense."), field="limit_price")
    if isinstance(order.quantity, bool) or not 0 < order.quantity <= LARGEST_QUANTITY:
        raise BadOrder(_("The quantity must be above zero and of a size that makes sense."), field="quantity")
    if not 0 < len(order.client_order_id) <= 80 or "\x00" in order.client_order_id:
        raise BadOrder(_("A client order id has 1 to 80 characters."), field="client_order_id")


@transaction.atomic(durable=True)
def cancel_order(*, order_id: int, now: datetime) -> Order:
    """Take an order out of the book and give back what it held. Raises OrderNotOpen when it is done already."""
    instrument_id = Order.objects.values_list("instrument_id", flat=True).get(id=order_id)
    instrument = Instrument.objects.select_for_update(no_key=True).get(id=instrument_id)
    order = Order.objects.get(id=order_id)
    if order.status not in {Order.Status.WAITING, Order.Status.OPEN}:
        raise OrderNotOpen(
            _("Order %(id)s is already %(status)s.") % {"id": order.id, "status": order.get_status_display().lower()}
        )
    take_out([order], instrument=instrument, reason="cancelled", now=now)
    return order


def take_out(orders: Sequence[Order], *, instrument: Instrument, reason: str, now: datetime) -> None:
    """Cancel unfinished orders of a locked instrument, release what they hold and say so on the stream."""
    falls: dict[int, int] = {}
    levels: dict[tuple[str, int], list[int]] = {}
    for order in orders:
        if order.held:
            falls[order.account_id] = falls.get(order.account_id, 0) - order.held
        if order.status == Order.Status.OPEN:
            level = levels.setdefault((order.side, order.limit_price), [0, 0])
            level[0] -= order.open_quantity
            level[1] -= 1
        order.status, order.held, order.reason, order.done_at = Order.Status.CANCELLED, 0, reason, now
    if falls:
        _let_go(instrument, falls, now)
    Order.objects.bulk_update(orders, ["status", "held", "reason", "done_at"], batch_size=1000)
    if levels:
        write_event(instrument, event_payload(trades=[], levels=levels.items(), now=now), now=now)


def _let_go(instrument: Instrument, falls: Mapping[int, int], now: datetime) -> None:
    """Change what the accounts hold, and say so in the log."""
    accounts = lock_accounts(list(falls))
    change_held(list(falls), list(falls.values()))
    sides = [
        (accounts[id_].wallet.public_id.bytes, bytes(accounts[id_].asset.definition_hash), fall)
        for id_, fall in falls.items()
    ]
    for start in range(0, len(sides), MAX_SIDES):
        entry = orders_entry(instrument.code, sides[start : start + MAX_SIDES], now)
        write_entry(kind=Entry.Kind.HOLD, body=entry.body, reference=entry.reference, now=now)


def write_event(instrument: Instrument, payload: str, *, now: datetime) -> None:
    """The next event of a locked instrument. Postgres reads the JSON, so it is written as text."""
    instrument.last_event += 1
    instrument.save(update_fields=["last_event"])
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO {MarketEvent._meta.db_table} (instrument_id, number, payload, recorded_at)"  # noqa: S608
            " VALUES (%s, %s, %s::jsonb, %s)",
            [instrument.id, instrument.last_event, payload, now],
        )


def _submit(instrument_id: int, orders: Sequence[NewOrder]) -> Answers:
    for attempt in range(1, _TRIES + 1):
        try:
            return combiner_for(instrument_id).submit(orders)
        except OperationalError as error:
            # Two bulk callers with the same client order ids the other way round: one of them asks again.
            if attempt == _TRIES or not isinstance(error.__cause__, DeadlockDetected):
                raise
    raise AssertionError("unreachable")
