"""An instrument's fees, bands and times: operators set them, and who did and why is kept."""

from collections.abc import Mapping
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from ledger.models import Wallet
from ledger.wallets import account_of, system_wallet
from market.bands import BASIS_POINTS
from market.errors import BadRule
from market.models import HIGHEST_FEE, HIGHEST_PRICE, Instrument, InstrumentChange

RULES = (
    "maker_fee_bp", "taker_fee_bp", "static_band_bp", "dynamic_band_bp", "reference_price", "collect_seconds",
    "no_cancel_seconds",
)  # fmt: skip
_BANDS = ("static_band_bp", "dynamic_band_bp")
_TIMES = ("collect_seconds", "no_cancel_seconds")
LONGEST_SECONDS = 7 * 24 * 3600


@transaction.atomic(durable=True)
def change_rules(
    *, instrument_id: int, changes: Mapping[str, int | None], reason: str, by_id: int | None, now: datetime
) -> Instrument:
    """Set some of an instrument's RULES. Orders keep the fee rates they were accepted under; bands count at once."""
    instrument = Instrument.objects.select_for_update(no_key=True).get(id=instrument_id)
    before = {name: getattr(instrument, name) for name in changes}
    for name, value in changes.items():
        if name not in RULES:
            raise BadRule(_("There is no such rule."), field=name)
        setattr(instrument, name, value)
    _check(instrument)
    if instrument.taker_fee_bp and instrument.fees_account_id is None:
        fees = system_wallet(Wallet.Role.FEES, now=now)
        instrument.fees_account = account_of(wallet_id=fees.id, asset_id=instrument.price_asset_id)
    instrument.save(update_fields=[*changes, "fees_account"])
    InstrumentChange.objects.create(
        instrument=instrument,
        cause=InstrumentChange.Cause.RULES,
        phase=instrument.phase,
        reason=reason,
        content={"before": before, "after": dict(changes)},
        changed_by_id=by_id,
        changed_at=now,
    )
    return instrument


def _check(instrument: Instrument) -> None:
    maker, taker = instrument.maker_fee_bp, instrument.taker_fee_bp
    if maker is None or taker is None or not 0 <= taker <= HIGHEST_FEE:
        raise BadRule(_("A fee is 0 to %(n)d basis points.") % {"n": HIGHEST_FEE}, field="taker_fee_bp")
    if not 0 <= maker <= taker:
        raise BadRule(_("The maker fee is from 0 to the taker fee."), field="maker_fee_bp")
    for name in _BANDS:
        value = getattr(instrument, name)
        if value is not None and not 0 < value < BASIS_POINTS:
            raise BadRule(_("A band is 1 to 9,999 basis points, or none."), field=name)
    if instrument.reference_price is not None and not 0 < instrument.reference_price <= HIGHEST_PRICE:
        raise BadRule(_("The reference price must be above zero and of a size that makes sense."),
                      field="reference_price")  # fmt: skip
    for name in _TIMES:
        value = getattr(instrument, name)
        if value is None or not 0 <= value <= LONGEST_SECONDS:
            raise BadRule(_("An auction's times are 0 seconds to a week."), field=name)
