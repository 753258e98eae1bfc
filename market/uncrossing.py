"""Ending an auction: one price, then trades at it in as many transactions as it takes, then open again.

What an auction has come to is in the instrument's row: its price is there from the first of these transactions to the
last. So it can be killed between any two, and whoever comes next goes on: the worker's beat, or any clearing. An order
that comes while it goes on is cleared after it.
"""

from datetime import datetime

from django.db import transaction

from ledger.pipelining import Cursor, step_cursor
from ledger.statements import call
from ledger.transfers import lock_accounts
from market.auctions.pairing import pair_off, settle_price
from market.auctions.reads import edges, reference_of
from market.batch import Outcome
from market.leaving import take_out
from market.limits import refuse_special
from market.loading import Loaded, read
from market.models import Instrument, InstrumentChange, Order
from market.offerings.allotting import allot_to_small, count_in, finish, note_bids, open_offering
from market.phases import change_phase, clock, is_due, lock_instrument
from market.settling import write


class NotNow(Exception):
    """The series is paused, or has expired: nothing may be traded."""


_AUCTION = call("market_auction", ["bigint"] * 4)
# So many orders of each side, and trades, in one transaction.
CHUNK = 1000
_EVERYTHING = 2**40


def due_auctions() -> list[int]:
    """Instruments whose auction ends now, or has begun to end."""
    due = Instrument.objects.filter(phase=Instrument.Phase.AUCTION, uncross_at__lte=clock())
    return list(due.order_by("id").values_list("id", flat=True))


def end_auction(instrument_id: int) -> bool:
    """Uncross what is due and open the instrument again; False where nothing was due, or nothing may be traded now: it
    waits while the series is paused. Two at once share the work: each transaction takes the instrument's lock and goes
    on from where the one before it left off."""
    moved = False
    try:
        while _move_on(instrument_id):
            moved = True
    except NotNow:
        pass
    return moved


@transaction.atomic(durable=True)
def _move_on(instrument_id: int) -> bool:
    """One transaction's worth of it; False where there is nothing to do."""
    instrument = lock_instrument(instrument_id)
    now = clock()
    if not is_due(instrument, now):
        return False
    if instrument.uncross_price is not None:
        _settle_some(instrument)
    elif not _fix_price(instrument):
        _open(instrument, now)
    return True


def _fix_price(instrument: Instrument) -> bool:
    """Find the price and keep it; False where there is none."""
    highest_bid, lowest_ask, ends = edges(instrument.id)
    if highest_bid is None or lowest_ask is None or highest_bid < lowest_ask:
        return False
    with step_cursor() as cursor:
        loaded = _load(cursor, instrument, lowest_ask, highest_bid, _EVERYTHING)
        found, outcome = settle_price(
            loaded.resting, reference_of(instrument), ends=ends, available=loaded.available,
            last_priority=loaded.last_priority,
        )  # fmt: skip
        _write(cursor, loaded, outcome)
    offering = open_offering(instrument.id)
    if offering is not None and found.price is not None:
        note_bids(offering, loaded.resting, found.price, found.volume)
    if found.price is None:
        # What would have met its own owner is gone, and nothing else crosses but what has no price to trade at.
        return False
    Instrument.objects.filter(id=instrument.id).update(uncross_price=found.price)
    return True


def _settle_some(instrument: Instrument) -> None:
    price = instrument.uncross_price
    assert price is not None
    offering = open_offering(instrument.id)
    first = offering is not None and offering.set_aside_left > 0
    with step_cursor() as cursor:
        # A small holder's bid may stand anywhere in the line.
        loaded = _load(cursor, instrument, price, price, _EVERYTHING if first else CHUNK)
        if offering is not None and first:
            outcome = allot_to_small(offering, loaded, price, limit=CHUNK)
        else:
            outcome = pair_off(
                loaded.resting, price, available=loaded.available, last_priority=loaded.last_priority, limit=CHUNK
            )
        _write(cursor, loaded, outcome)
    if offering is not None:
        count_in(offering, outcome, set_aside=first)
    if not outcome.changed and not first:
        # All that could trade at the price has; what else crosses by now, where orders gave way, gets a price anew.
        Instrument.objects.filter(id=instrument.id).update(uncross_price=None, reference_price=price)


def _load(cursor: Cursor, instrument: Instrument, lowest_buy: int, highest_sell: int, limit: int) -> Loaded:
    cursor.execute(
        _AUCTION,
        [instrument.id, lowest_buy, highest_sell, limit],
    )
    loaded = read(cursor, cursor.fetchall())
    if not loaded.may_trade:
        raise NotNow
    refuse_special(loaded)
    return loaded


def _write(cursor: Cursor, loaded: Loaded, outcome: Outcome) -> None:
    if outcome.changed:
        write(cursor, loaded, outcome, [])


def _open(instrument: Instrument, now: datetime) -> None:
    """The auction is over: market orders wait no longer, all else trades on."""
    left = list(
        Order.objects.filter(instrument=instrument, status=Order.Status.OPEN, kind=Order.Kind.MARKET).order_by("id")
    )
    instrument.refresh_from_db()
    offering, unsold = open_offering(instrument.id), list[Order]()
    if offering is not None:
        finish(offering, now)
        unsold = list(Order.objects.filter(id=offering.order_id, status=Order.Status.OPEN))
    # All of them at once, as everybody locks accounts in their order.
    lock_accounts([order.account_id for order in [*unsold, *left]])
    take_out(unsold, instrument=instrument, reason="offering_over", now=now)
    take_out(left, instrument=instrument, reason="auction_over", now=now)
    change_phase(
        instrument,
        Instrument.Phase.CONTINUOUS,
        cause=InstrumentChange.Cause.UNCROSSED,
        now=now,
        content={"price": instrument.reference_price, "last_trade": instrument.last_trade},
    )
