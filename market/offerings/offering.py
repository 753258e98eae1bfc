"""Offering a series: an auction begins, and a sell order of the department's wallet is in it from the start."""

from datetime import datetime
from uuid import uuid4

from django.db import transaction
from django.utils.translation import gettext as _

from market.answers import NewOrder
from market.clearing import clear_locked
from market.errors import BadOffering, OfferingRefused, sentence_for
from market.models import HIGHEST_PRICE, LARGEST_QUANTITY, Instrument, InstrumentChange
from market.offerings.models import Offering
from market.phases import begin_auction, lock_instrument


@transaction.atomic(durable=True)
def offer_series(
    *, instrument_id: int, wallet_id: int, quantity: int, reserve_price: int, set_aside_percent: int = 0,
    small_below: int = 0, collect_seconds: int | None = None, no_cancel_seconds: int | None = None, reason: str = "",
    by_id: int | None = None, now: datetime,
) -> Offering:  # fmt: skip
    """Offer so many lots at the reserve price or more, in an auction that begins now.

    Raises BadOffering for what makes no sense, where an auction is on already or an operator has stopped trading, and
    OfferingRefused where the wallet could not sell it.
    """
    _check(quantity, reserve_price, set_aside_percent, small_below)
    instrument = lock_instrument(instrument_id)
    if instrument.phase == Instrument.Phase.AUCTION:
        raise BadOffering(_("An auction of %(code)s is on already.") % {"code": instrument.code})
    if instrument.phase not in {Instrument.Phase.CONTINUOUS, Instrument.Phase.CLOSED}:
        # What an operator has stopped an operator lets go on.
        raise BadOffering(
            _("%(code)s is not open: an operator has to resume it before anything is offered.")
            % {"code": instrument.code}
        )
    begin_auction(
        instrument, cause=InstrumentChange.Cause.OPENED, reason=reason, by_id=by_id, now=now,
        collect_seconds=collect_seconds, no_cancel_seconds=no_cancel_seconds,
    )  # fmt: skip
    order = NewOrder(instrument_id, wallet_id, "SELL", reserve_price, quantity, f"offering-{uuid4().hex}")
    loaded = clear_locked(instrument_id, [order], block=True)
    assert loaded is not None
    placed = loaded.new[order.key]
    if placed.status != "OPEN":
        raise OfferingRefused(sentence_for(placed.reason), reason=placed.reason)
    return Offering.objects.create(
        instrument=instrument, wallet_id=wallet_id, order_id=placed.id, quantity=quantity, reserve_price=reserve_price,
        set_aside_percent=set_aside_percent, small_below=small_below, reason=reason, offered_by_id=by_id,
        offered_at=now,
    )  # fmt: skip


def _check(quantity: int, reserve_price: int, set_aside_percent: int, small_below: int) -> None:
    if not 0 < quantity <= LARGEST_QUANTITY:
        raise BadOffering(_("The quantity must be above zero and of a size that makes sense."), field="quantity")
    if not 0 < reserve_price <= HIGHEST_PRICE:
        raise BadOffering(
            _("The reserve price must be above zero and of a size that makes sense."), field="reserve_price"
        )
    if not 0 <= set_aside_percent <= 100:
        raise BadOffering(_("What is set aside is 0 to 100 percent."), field="set_aside_percent")
    if not 0 <= small_below <= LARGEST_QUANTITY:
        raise BadOffering(_("A small holder's limit must be of a size that makes sense."), field="small_below")
