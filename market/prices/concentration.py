"""How a series is held: by how many beneficial owners, how evenly, and how much of it lies idle.

Owners are beneficial owners; the system's own wallets do not count. HHI is the sum of the squares of the shares, from 0
to 10,000. Gini is 0 where everybody who has some has the same. Idle is what has been in an account for 30 days without
being moved on or redeemed; what leaves an account is taken to be what came first.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.models import QuerySet

from ledger.models import Asset, Entry
from market.prices.candles import nearest
from market.prices.models import Concentration

IDLE_DAYS = 30
COUNTED_AGAIN_AFTER = timedelta(hours=1)
WHOLE = 10_000

# One statement for all series. An account's postings are read by its index, from the first entry of the idle time on.
_HOLDINGS = """
    SELECT a.asset_id, coalesce(w.beneficial_owner_id, w.id), sum(a.balance)::bigint,
        sum(greatest(a.balance - coalesce(r.received, 0), 0))::bigint
    FROM ledger_account a JOIN ledger_wallet w ON w.id = a.wallet_id
    LEFT JOIN LATERAL (
        SELECT sum(p.amount)::bigint AS received FROM ledger_posting p
        WHERE p.account_id = a.id AND p.transfer_id >= %s AND p.amount > 0
    ) r ON true
    WHERE a.asset_id = ANY(%s) AND a.balance > 0 AND w.kind <> 'SYSTEM'
    GROUP BY 1, 2
"""


@dataclass(frozen=True)
class Shares:
    """Figures of a list of holdings; the last three in hundredths of a percent or, for HHI, from 0 to 10,000."""

    owners: int
    held: int
    hhi: int
    gini: int
    top_five: int


def shares(holdings: Sequence[int]) -> Shares:
    """Of what owners hold, all above zero."""
    ordered, total, count = sorted(holdings), sum(holdings), len(holdings)
    if not total:
        return Shares(0, 0, 0, 0, 0)
    squares = sum(each * each for each in ordered)
    ranked = sum(place * each for place, each in enumerate(ordered, start=1))
    uneven = 2 * ranked - (count + 1) * total
    return Shares(
        owners=count,
        held=total,
        hhi=nearest(WHOLE * squares, total * total) or 0,
        gini=nearest(WHOLE * uneven, count * total) or 0,
        top_five=nearest(WHOLE * sum(ordered[-5:]), total) or 0,
    )


def count_concentrations(*, now: datetime) -> int:
    """Count the living series whose figures are an hour old; answers how many."""
    fresh = Concentration.objects.filter(computed_at__gt=now - COUNTED_AGAIN_AFTER).values("asset")
    living = Asset.objects.filter(kind=Asset.Kind.POOL, expires_at__gt=now).exclude(id__in=fresh)
    ids = list(living.order_by("id").values_list("id", flat=True))
    if not ids:
        return 0
    with connection.cursor() as cursor:
        cursor.execute(_HOLDINGS, [_first_entry_since(now - timedelta(days=IDLE_DAYS)), ids])
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    for asset_id in ids:
        mine = [(held, idle) for asset, _owner, held, idle in rows if asset == asset_id]
        found = shares([held for held, _ in mine])
        Concentration.objects.update_or_create(
            asset_id=asset_id,
            day=now.astimezone(UTC).date(),
            defaults={
                "computed_at": now, "owners": found.owners, "held": found.held, "hhi": found.hhi, "gini": found.gini,
                "top_five": found.top_five, "idle": sum(idle for _, idle in mine), "idle_days": IDLE_DAYS,
            },
        )  # fmt: skip
    return len(ids)


def newest_concentrations(*, now: datetime) -> QuerySet[Concentration]:
    """The newest figures of each living series, those that expire first before the others."""
    newest = Concentration.objects.filter(asset__expires_at__gt=now).order_by("asset", "-day").distinct("asset")
    found = Concentration.objects.filter(id__in=newest.values("id")).select_related("asset")
    return found.order_by("asset__expires_at", "asset__code")


def _first_entry_since(instant: datetime) -> int:
    """The id of the first entry recorded at or after an instant. Ids rise with time, so it is searched by halves."""
    first = Entry.objects.order_by("id").values_list("id", flat=True).first() or 1
    last = (Entry.objects.order_by("-id").values_list("id", flat=True).first() or 0) + 1
    while first < last:
        middle = (first + last) // 2
        row = Entry.objects.filter(id__gte=middle).order_by("id").values_list("id", "recorded_at").first()
        if row is None or row[1] >= instant:
            last = middle
        else:
            first = row[0] + 1
    return first
