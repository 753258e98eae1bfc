"""Where bands have nothing to measure by: the reference price of the trades becomes the instrument's own.

An auction's price and what an operator sets come first and are never overwritten. A change is kept as any other of
an instrument's rules is (InstrumentChange), so that a replay of the commands finds it.
"""

from datetime import datetime

from market.models import Instrument
from market.prices.models import ReferencePrice
from market.prices.reference import newest_reference
from market.rules import change_rules


def lend_references(*, now: datetime) -> int:
    """Give each open instrument that has a static band and no reference price that of its trades; answers how many."""
    bare = Instrument.objects.filter(
        phase=Instrument.Phase.CONTINUOUS, static_band_bp__isnull=False, reference_price__isnull=True
    )
    count = 0
    for instrument_id in bare.order_by("id").values_list("id", flat=True):
        found = newest_reference(instrument_id)
        if found is not None and found.basis == ReferencePrice.Basis.TRADES:
            reason = f"The reference price of its trades at {found.at:%Y-%m-%d %H:%M:%S} UTC, version {found.method}."
            change_rules(
                instrument_id=instrument_id,
                changes={"reference_price": found.price},
                reason=reason,
                by_id=None,
                now=now,
            )
            count += 1
    return count
