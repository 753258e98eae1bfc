"""What became of an order, in a sentence, with the entries of the ledger that say so."""

from collections.abc import Iterator
from dataclasses import dataclass

from django.utils.translation import gettext as _

from ledger.entries import parse
from ledger.models import Entry, Wallet
from market.answers import PlacedOrder
from market.errors import sentence_for
from market.models import Order, Trade

SHOWN_TRADES = 3
# An order's hold was written a moment ago: only the newest entries are looked through, however long the log is.
LOOKED_THROUGH = 5_000


@dataclass(frozen=True)
class Named:
    """An entry of the ledger, and what it is to the person."""

    id: int
    said: str


@dataclass(frozen=True)
class Outcome:
    said: str
    entries: list[Named]


def outcome_of(placed: PlacedOrder) -> Outcome:
    """What became of an order that was placed just now."""
    order = Order.objects.select_related("instrument", "account__asset", "wallet").get(id=placed.order_id)
    return Outcome(sentence(placed), list(_entries(order)))


def sentence(placed: PlacedOrder) -> str:
    figures = {
        "id": placed.order_id,
        "filled": f"{placed.filled_quantity / 100:.2f}",
        "all": f"{placed.quantity / 100:.2f}",
    }
    if placed.status == Order.Status.FILLED:
        return _("Order %(id)s is filled: %(all)s GPU-h.") % figures
    if placed.status == Order.Status.OPEN:
        return _("Order %(id)s is in the book; %(filled)s of %(all)s GPU-h are filled so far.") % figures
    return (
        _("Order %(id)s ended: %(filled)s of %(all)s GPU-h were filled.") % figures + " " + sentence_for(placed.reason)
    )


def _entries(order: Order) -> Iterator[Named]:
    """What set aside for the order, then the newest trades that filled it."""
    held = _entry_that_set_aside(order) if order.held else None
    if held is not None:
        yield Named(held, _("What is set aside: ledger entry %(id)s") % {"id": held})
    if order.filled_quantity:
        ids: list[int] = []
        for role in ("taker", "maker"):
            found = Trade.objects.filter(**{f"{role}_id": order.id}).order_by("-transfer_id")
            ids += found.values_list("transfer_id", flat=True)[:SHOWN_TRADES]
        for id_ in sorted(ids, reverse=True)[:SHOWN_TRADES]:
            yield Named(id_, _("Trade: ledger entry %(id)s") % {"id": id_})


def _entry_that_set_aside(order: Order) -> int | None:
    """A clearing writes what all its orders hold, by wallet: its entry that has this order's wallet in it."""
    newest = Entry.objects.order_by("-id").values_list("id", flat=True).first() or 0
    found = Entry.objects.filter(
        id__gt=newest - LOOKED_THROUGH,
        kind=Entry.Kind.HOLD,
        recorded_at=order.placed_at,
        reference=f"orders:{order.instrument.code}",
    )
    asset = bytes(order.account.asset.definition_hash)
    return next((entry.id for entry in found.order_by("id") if _rises(entry, order.wallet, asset)), None)


def _rises(entry: Entry, wallet: Wallet, asset: bytes) -> bool:
    sides = parse(bytes(entry.body)).postings
    return any(side.wallet == wallet.public_id.bytes and side.asset == asset and side.amount > 0 for side in sides)
