"""Whether the tokens of one resource class can all be redeemed before they expire, on what was attested. Pure.

The ledger refuses an issue by `shortfall`, and the outsider's replay finds one by it. GPU time is taken as fluid: any
number of the class's GPUs may work for any series at any instant. Then tokens are deliverable if and only if, for
every stretch of time from one series' start to another's expiry, the tokens that must be redeemed within it are no
more than the GPU-seconds attested in it (the demand bound of real-time scheduling).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

# (starts_at, expires_at, GPU-seconds outstanding: issued and neither redeemed nor expired)
Outstanding = tuple[datetime, datetime, int]
# (starts_at, ends_at, GPUs)
Attested = tuple[datetime, datetime, int]

_MICROSECOND = timedelta(microseconds=1)
_PER_SECOND = 1_000_000


def shortfall(series: Sequence[Outstanding], attested: Sequence[Attested], now: datetime) -> int:
    """GPU-seconds that are missing in the worst stretch of time; 0 when everything can be delivered.

    An expired series demands nothing, and what was attested of the past delivers nothing.
    """
    # A series that has begun can be redeemed from now on, not from its start.
    demands = sorted(
        (max(starts_at, now), expires_at, amount) for starts_at, expires_at, amount in series if expires_at > now
    )
    worst = 0
    for begin in {starts_at for starts_at, _, _ in demands}:
        due = 0
        for _, expires_at, amount in sorted(
            (demand for demand in demands if demand[0] >= begin), key=lambda demand: demand[1]
        ):
            due += amount
            # Of series with one expiry the last sum counts; the sums before it are smaller and do no harm.
            worst = max(worst, due - supply(attested, begin, expires_at))
    return worst


def supply(attested: Sequence[Attested], begin: datetime, end: datetime) -> int:
    """Whole GPU-seconds attested between two instants, rounded down."""
    microseconds = sum(
        gpus * max(0, (min(end, ends_at) - max(begin, starts_at)) // _MICROSECOND)
        for starts_at, ends_at, gpus in attested
    )
    return microseconds // _PER_SECOND
