"""Opening, halting and closing instruments, and the modes between."""

from collections.abc import Callable, Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import Max, Min
from django.utils.translation import gettext as _

from ledger.assets import credits
from ledger.models import Asset
from market.errors import BookCrossed, NotOpenable
from market.leaving import take_out
from market.models import Instrument, InstrumentChange, Order
from market.offerings.allotting import finish, open_offering
from market.phases import begin_auction, change_phase, lock_instrument
from market.uncrossing import end_auction

Cause, Phase = InstrumentChange.Cause, Instrument.Phase
# What an operator can set without an auction.
MODES = (Phase.CONTINUOUS, Phase.POST_ONLY, Phase.CANCEL_ONLY)


@transaction.atomic(durable=True)
def open_instrument(
    *, asset_id: int, now: datetime, by_auction: bool = False, reason: str = "", by_id: int | None = None
) -> Instrument:
    """Let a series be traded for credits, at once or by an auction; asked again it answers the same instrument."""
    asset = Asset.objects.get(id=asset_id)
    if asset.kind == Asset.Kind.CREDITS or asset.expires_at is None or asset.expires_at <= now:
        raise NotOpenable(
            _("%(code)s cannot be traded: only a series that has not expired can.") % {"code": asset.code}
        )
    instrument, made = Instrument.objects.get_or_create(
        asset=asset, defaults={"code": asset.code, "price_asset": credits(now=now), "opened_at": now}
    )
    if made and by_auction:
        begin_auction(instrument, cause=Cause.OPENED, reason=reason, by_id=by_id, now=now)
    return instrument


def halt_instrument(*, instrument_id: int, reason: str, now: datetime, by_id: int | None = None) -> Instrument:
    """Refuse new orders until trading is resumed. Orders in the book stay and can be cancelled."""

    def halt(instrument: Instrument) -> None:
        if (instrument.phase, instrument.halted_reason) != (Phase.HALTED, reason):
            change_phase(instrument, Phase.HALTED, cause=Cause.HALTED, reason=reason, by_id=by_id, now=now)

    return _when_settled(instrument_id, halt)


def _when_settled(instrument_id: int, act: Callable[[Instrument], None]) -> Instrument:
    """Do it under the instrument's lock. An auction that is being settled is settled to its end first, unless it cannot
    be because the series is paused: half of it at one price would be nobody's."""
    is_stuck = False
    while True:
        with transaction.atomic(durable=True):
            instrument = lock_instrument(instrument_id)
            if is_stuck or instrument.uncross_price is None:
                act(instrument)
                return instrument
        is_stuck = not end_auction(instrument_id)


def halt_all(*, reason: str, now: datetime, by_id: int | None = None) -> int:
    """Halt everything that is not halted or closed, together; answers how many. One row says who did and why."""
    stuck: set[int] = set()
    while True:
        with transaction.atomic(durable=True):
            found = _locked([Phase.HALTED, Phase.CLOSED])
            settling = [each.id for each in found if each.uncross_price is not None and each.id not in stuck]
            if not settling:
                _record_for_all(Cause.HALTED, Phase.HALTED, reason, by_id, now)
                for instrument in found:
                    change_phase(instrument, Phase.HALTED, cause=Cause.HALTED, reason=reason, by_id=by_id, now=now)
                return len(found)
        stuck |= {instrument_id for instrument_id in settling if not end_auction(instrument_id)}


@transaction.atomic(durable=True)
def resume_all(*, reason: str, now: datetime, by_id: int | None = None) -> int:
    """Let an auction begin in everything that is halted; answers how many."""
    _record_for_all(Cause.RESUMED, Phase.AUCTION, reason, by_id, now)
    found = _locked([phase for phase in Phase.values if phase != Phase.HALTED])
    for instrument in found:
        begin_auction(instrument, cause=Cause.RESUMED, reason=reason, by_id=by_id, now=now)
    return len(found)


@transaction.atomic(durable=True)
def resume_instrument(
    *, instrument_id: int, now: datetime, reason: str = "", by_id: int | None = None,
    collect_seconds: int | None = None, no_cancel_seconds: int | None = None,
) -> Instrument:  # fmt: skip
    """Take orders again: an auction first, as long as the instrument's rules or these seconds say, then open."""
    instrument = lock_instrument(instrument_id)
    if instrument.phase not in {Phase.CONTINUOUS, Phase.AUCTION}:
        begin_auction(
            instrument, cause=Cause.RESUMED, reason=reason, by_id=by_id, now=now, collect_seconds=collect_seconds,
            no_cancel_seconds=no_cancel_seconds,
        )  # fmt: skip
    return instrument


def set_mode(*, instrument_id: int, phase: str, reason: str, now: datetime, by_id: int | None = None) -> Instrument:
    """Open, adding only, or cancelling only. Raises BookCrossed where only an auction can lead on."""
    assert phase in MODES

    def change(instrument: Instrument) -> None:
        if phase != Phase.CANCEL_ONLY:
            _refuse_without_auction(instrument)
        if instrument.phase != phase:
            change_phase(instrument, phase, cause=Cause.PHASE, reason=reason, by_id=by_id, now=now)

    return _when_settled(instrument_id, change)


@transaction.atomic(durable=True)
def close_instrument(*, instrument_id: int, now: datetime) -> int:
    """End trading of an expired series: every order is cancelled and its hold released. Answers how many."""
    instrument = lock_instrument(instrument_id)
    orders = list(Order.objects.filter(instrument_id=instrument_id).unfinished().order_by("id"))
    take_out(orders, instrument=instrument, reason="series_expired", now=now)
    offering = open_offering(instrument_id)
    if offering is not None:
        finish(offering, now)
    if instrument.phase != Phase.CLOSED:
        change_phase(instrument, Phase.CLOSED, cause=Cause.EXPIRED, now=now)
    return len(orders)


def expired_instruments(*, now: datetime) -> list[int]:
    """Those whose series has expired and which are not closed yet."""
    expired = Instrument.objects.filter(asset__expires_at__lte=now).exclude(phase=Phase.CLOSED)
    return list(expired.order_by("id").values_list("id", flat=True))


def _locked(but: Sequence[str]) -> list[Instrument]:
    """All but those in these phases, locked in the order of their ids; nobody else ever locks two."""
    return list(Instrument.objects.exclude(phase__in=but).order_by("id").select_for_update(no_key=True))


def _record_for_all(cause: str, phase: str, reason: str, by_id: int | None, now: datetime) -> None:
    InstrumentChange.objects.create(cause=cause, phase=phase, reason=reason, changed_by_id=by_id, changed_at=now)


def _refuse_without_auction(instrument: Instrument) -> None:
    if _is_crossed(instrument):
        raise BookCrossed(_("Orders in the book of %(code)s cross: resume it by an auction.") % {"code": instrument})
    if open_offering(instrument.id) is not None:
        # Its order would be sold to whoever comes, without the share that is set aside.
        raise BookCrossed(
            _("What is offered in %(code)s is sold in an auction: resume it by one.") % {"code": instrument}
        )


def _is_crossed(instrument: Instrument) -> bool:
    """Could two orders of the book trade, or does a market order wait in it?"""
    orders = Order.objects.filter(instrument=instrument, status=Order.Status.OPEN)
    bid = orders.filter(side=Order.Side.BUY).aggregate(best=Max("limit_price"))["best"]
    ask = orders.filter(side=Order.Side.SELL).aggregate(best=Min("limit_price"))["best"]
    crosses = bid is not None and ask is not None and bid >= ask
    return crosses or orders.filter(kind=Order.Kind.MARKET).exists()
