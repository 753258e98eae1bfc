"""Opening, halting and closing instruments."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from ledger.assets import credits
from ledger.models import Asset
from market.errors import InstrumentClosed, NotOpenable
from market.models import Instrument, Order
from market.orders import take_out, write_event
from market.settling import event_payload


@transaction.atomic(durable=True)
def open_instrument(*, asset_id: int, now: datetime) -> Instrument:
    """Let a series be traded for credits; asked again it answers the same instrument."""
    asset = Asset.objects.get(id=asset_id)
    if asset.kind == Asset.Kind.CREDITS or asset.expires_at is None or asset.expires_at <= now:
        raise NotOpenable(
            _("%(code)s cannot be traded: only a series that has not expired can.") % {"code": asset.code}
        )
    instrument, _made = Instrument.objects.get_or_create(
        asset=asset, defaults={"code": asset.code, "price_asset": credits(now=now), "opened_at": now}
    )
    return instrument


@transaction.atomic(durable=True)
def halt_instrument(*, instrument_id: int, reason: str, now: datetime) -> Instrument:
    """Refuse new orders until trading is resumed. Orders in the book stay and can be cancelled."""
    return _change_phase(instrument_id, Instrument.Phase.HALTED, reason=reason, now=now)


@transaction.atomic(durable=True)
def resume_instrument(*, instrument_id: int, now: datetime) -> Instrument:
    """Take orders again."""
    return _change_phase(instrument_id, Instrument.Phase.CONTINUOUS, reason="", now=now)


@transaction.atomic(durable=True)
def close_instrument(*, instrument_id: int, now: datetime) -> int:
    """End trading of an expired series: every order is cancelled and its hold released. Answers how many."""
    instrument = _lock(instrument_id)
    orders = list(Order.objects.filter(instrument_id=instrument_id).unfinished().order_by("id"))
    take_out(orders, instrument=instrument, reason="series_expired", now=now)
    if instrument.phase != Instrument.Phase.CLOSED:
        _change_phase(instrument_id, Instrument.Phase.CLOSED, reason="", now=now)
    return len(orders)


def expired_instruments(*, now: datetime) -> list[int]:
    """Those whose series has expired and which are not closed yet."""
    expired = Instrument.objects.filter(asset__expires_at__lte=now).exclude(phase=Instrument.Phase.CLOSED)
    return list(expired.order_by("id").values_list("id", flat=True))


def _change_phase(instrument_id: int, phase: Instrument.Phase, *, reason: str, now: datetime) -> Instrument:
    instrument = _lock(instrument_id)
    if instrument.phase == Instrument.Phase.CLOSED:
        raise InstrumentClosed(_("Trading of %(code)s has ended.") % {"code": instrument.code})
    if (instrument.phase, instrument.halted_reason) != (phase, reason):
        instrument.phase, instrument.halted_reason = phase, reason
        instrument.save(update_fields=["phase", "halted_reason"])
        write_event(instrument, event_payload(trades=[], levels=(), now=now), now=now)
    return instrument


def _lock(instrument_id: int) -> Instrument:
    # This row's lock is the matching queue: nothing is cleared while the phase changes.
    return Instrument.objects.select_for_update(no_key=True).get(id=instrument_id)
