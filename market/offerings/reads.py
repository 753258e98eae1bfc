"""What everybody may read of an offering, and what a wallet's own bids were given and why. No names."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import F, Sum
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from market.models import Order
from market.offerings.models import Allocation, Offering

# Why a bid was given what it was: a code, and its sentence.
WHY: dict[str, Promise] = {
    "WHOLE": _("It was at the price or above, and was filled whole."),
    "SMALL": _("Of what was set aside for small holders, in the order in which they came at each price."),
    "MARGIN": _("It was the last one served at its price: there was no more."),
    "LATER": _("It was at the price or above, but others came first: better prices, earlier bids, small holders."),
    "BELOW": _("Its limit was below the price."),
    "NOTHING_SOLD": _("Nothing was sold: no bid reached the reserve price."),
    "WAITING": _("The auction has not ended yet."),
}


@dataclass(frozen=True)
class BidLine:
    """One bid: its limit in ticks, what it asked for and was given in lots, and why."""

    order_id: int
    limit_price: int
    asked_quantity: int
    set_aside_quantity: int
    rest_quantity: int
    is_small: bool
    why: str

    @property
    def sentence(self) -> str:
        return str(WHY[self.why])


@dataclass(frozen=True)
class Totals:
    bids: int
    asked_quantity: int
    set_aside_sold: int
    small_bids: int


def allocations(offering: Offering, *, limit: int = 500) -> list[BidLine]:
    """Every bid that took part, in the order of the line, without names; the order ids are its owners' to know."""
    rows = Allocation.objects.filter(offering=offering).annotate(
        limit_price=F("order__limit_price"), priority=F("order__priority")
    )
    return [_line(row) for row in rows.order_by("-limit_price", "priority", "id")[:limit]]


def totals(offering: Offering) -> Totals:
    rows = Allocation.objects.filter(offering=offering)
    sums = rows.aggregate(asked=Sum("asked_quantity"), small=Sum("set_aside_quantity"))
    return Totals(rows.count(), sums["asked"] or 0, sums["small"] or 0, rows.filter(is_small=True).count())


def bids_of(offering: Offering, wallet_ids: Sequence[int]) -> list[BidLine]:
    """What these wallets bid in it, those that were below the price included."""
    rows = Allocation.objects.filter(offering=offering, order__wallet__in=wallet_ids).annotate(
        limit_price=F("order__limit_price")
    )
    found = [_line(row) for row in rows]
    others = Order.objects.filter(
        instrument_id=offering.instrument_id, wallet_id__in=wallet_ids, side=Order.Side.BUY,
        placed_at__gte=offering.offered_at,
    ).exclude(id__in=[line.order_id for line in found])  # fmt: skip
    if offering.done_at is not None:
        others = others.filter(placed_at__lt=offering.done_at)
    why = "WAITING" if offering.status == Offering.Status.OPEN else "BELOW" if offering.price else "NOTHING_SOLD"
    found += [
        BidLine(order.id, order.limit_price, order.quantity, 0, 0, False, why)
        for order in others.exclude(status=Order.Status.REJECTED)
    ]
    return sorted(found, key=lambda line: (-line.limit_price, line.order_id))


def _line(row: Allocation) -> BidLine:
    given = row.set_aside_quantity + row.rest_quantity
    if given == row.asked_quantity:
        why = "SMALL" if row.set_aside_quantity == given else "WHOLE"
    else:
        why = "LATER" if not given else "SMALL" if not row.rest_quantity else "MARGIN"
    price: int = row.limit_price  # type: ignore[attr-defined]
    return BidLine(
        row.order_id, price, row.asked_quantity, row.set_aside_quantity, row.rest_quantity, row.is_small, why
    )
