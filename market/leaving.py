"""Steps of leaving the book: orders are taken out, what they held is let go of, and the stream says so."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from django.db import connection

from ledger.holds import change_held
from ledger.log import write_entry
from ledger.models import Entry
from ledger.transfers import lock_accounts
from market.entries import orders_entries
from market.models import Instrument, MarketEvent, Order
from market.settling import event_payload


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
        let_go(instrument, falls, now)
    Order.objects.bulk_update(orders, ["status", "held", "reason", "done_at"], batch_size=1000)
    if levels:
        write_event(instrument, event_payload(trades=[], levels=levels.items(), now=now), now=now)


def let_go(instrument: Instrument, falls: Mapping[int, int], now: datetime) -> None:
    """Lower what the accounts hold, and say so in the log."""
    accounts = lock_accounts(list(falls))
    change_held(list(falls), list(falls.values()))
    changes = [
        ((accounts[id_].wallet.public_id.bytes, bytes(accounts[id_].asset.definition_hash)), fall)
        for id_, fall in falls.items()
    ]
    for entry in orders_entries(instrument.code, changes, now):
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
