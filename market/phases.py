"""What an instrument does now: steps that change its phase, say so on the stream, and keep who did it and why."""

from datetime import datetime, timedelta
from typing import Any

from django.db import connection
from django.utils.translation import gettext as _

from market.errors import InstrumentClosed, NoCancel
from market.leaving import write_event
from market.models import Instrument, InstrumentChange
from market.prices.models import ReferencePrice
from market.prices.reference import newest_reference
from market.settling import event_payload

Cause, Phase = InstrumentChange.Cause, Instrument.Phase


def lock_instrument(instrument_id: int) -> Instrument:
    # This row's lock is the matching queue: nothing is cleared while the phase changes.
    return Instrument.objects.select_for_update(no_key=True).get(id=instrument_id)


def clock() -> datetime:
    """The database's time at this very moment: asked under the instrument's lock, where now() may be older than what
    others have done before they let go of it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_clock()")
        now: datetime = cursor.fetchone()[0]
    return now


def change_phase(
    instrument: Instrument, phase: str, *, cause: str, reason: str = "", by_id: int | None = None, now: datetime,
    content: dict[str, Any] | None = None,
) -> None:  # fmt: skip
    """Of a locked instrument, to anything but an auction."""
    instrument.no_cancel_at = instrument.uncross_at = instrument.uncross_price = instrument.auction_reference = None
    _record(instrument, phase, cause, reason, by_id, now, content or {})


def begin_auction(
    instrument: Instrument, *, cause: str, reason: str = "", by_id: int | None = None, now: datetime,
    collect_seconds: int | None = None, no_cancel_seconds: int | None = None,
) -> None:  # fmt: skip
    """Collect from now on; the instrument's own times where none are given."""
    collect = instrument.collect_seconds if collect_seconds is None else collect_seconds
    no_cancel = instrument.no_cancel_seconds if no_cancel_seconds is None else no_cancel_seconds
    instrument.no_cancel_at = now + timedelta(seconds=collect)
    instrument.uncross_at = instrument.no_cancel_at + timedelta(seconds=no_cancel)
    instrument.uncross_price = None
    instrument.auction_reference = _published_reference(instrument)
    terms = {
        "no_cancel_at": instrument.no_cancel_at.isoformat(), "uncross_at": instrument.uncross_at.isoformat(),
        "reference": instrument.auction_reference,
    }  # fmt: skip
    _record(instrument, Phase.AUCTION, cause, reason, by_id, now, terms)


def _published_reference(instrument: Instrument) -> int | None:
    """Of its trades, without the suspicious ones; None where there were never enough of them. It is kept with the
    change that begins the auction, so that a replay finds it."""
    newest = newest_reference(instrument.id)
    return newest.price if newest is not None and newest.basis != ReferencePrice.Basis.ISSUE else None


def _record(
    instrument: Instrument, phase: str, cause: str, reason: str, by_id: int | None, now: datetime,
    content: dict[str, Any],
) -> None:  # fmt: skip
    if instrument.phase == Phase.CLOSED:
        raise InstrumentClosed(_("Trading of %(code)s has ended.") % {"code": instrument.code})
    instrument.phase = phase
    instrument.halted_reason = reason if phase == Phase.HALTED else ""
    instrument.save(
        update_fields=[
            "phase", "halted_reason", "no_cancel_at", "uncross_at", "uncross_price", "auction_reference",
            "reference_price",
        ]
    )  # fmt: skip
    InstrumentChange.objects.create(
        instrument=instrument, cause=cause, phase=phase, reason=reason, content=content, changed_by_id=by_id,
        changed_at=now,
    )  # fmt: skip
    write_event(instrument, event_payload(trades=[], levels=(), now=now, phase=phase), now=now)


def is_due(instrument: Instrument, now: datetime) -> bool:
    """Is its auction to be ended? Not while the series is paused, nor once it has expired."""
    asset = instrument.asset
    may_trade = asset.paused_at is None and instrument.price_asset.paused_at is None
    has_expired = asset.expires_at is not None and asset.expires_at <= now
    return instrument.uncross_at is not None and instrument.uncross_at <= now and may_trade and not has_expired


def refuse_no_cancel(instrument: Instrument, now: datetime) -> None:
    """In the last part of an auction what is in it stays in it, unless it cannot end because the series is paused."""
    if instrument.uncross_at is not None and instrument.uncross_at <= now and not is_due(instrument, now):
        return
    if instrument.no_cancel_at is not None and instrument.no_cancel_at <= now:
        raise NoCancel(_("The auction is about to end: orders in it can be neither cancelled nor amended now."))
