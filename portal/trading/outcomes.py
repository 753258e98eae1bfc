"""What became of an order, in a sentence, with the entries of the ledger that say so."""

from collections.abc import Iterator
from dataclasses import dataclass, field

from django.db.models import QuerySet
from django.utils.translation import gettext as _

from ledger.entries import parse
from ledger.models import Entry
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
    entries: list[Named] = field(default_factory=list)


def outcome_of(placed: PlacedOrder) -> Outcome:
    """What became of an order that was placed just now."""
    order = Order.objects.select_related("instrument", "account__asset", "wallet").get(id=placed.order_id)
    return Outcome(sentence(placed), list(_entries(order)))


def changes_of(*orders: Order) -> list[Named]:
    """The newest entries by which what these orders' wallets hold for the instrument's orders has changed: those of an
    amendment or a cancellation of just now."""
    newest = (next((e.id for e in _holds_of(order).order_by("-id") if _sides_of(e, order)), None) for order in orders)
    found = sorted({entry for entry in newest if entry is not None})
    return [Named(entry, _("What is set aside: ledger entry %(id)s") % {"id": entry}) for entry in found]


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
    found = _holds_of(order).filter(recorded_at=order.placed_at).order_by("id")
    return next((entry.id for entry in found if any(amount > 0 for amount in _sides_of(entry, order))), None)


def _holds_of(order: Order) -> QuerySet[Entry]:
    """The newest entries of what orders of this instrument hold."""
    newest = Entry.objects.order_by("-id").values_list("id", flat=True).first() or 0
    reference = f"orders:{order.instrument.code}"
    return Entry.objects.filter(id__gt=newest - LOOKED_THROUGH, kind=Entry.Kind.HOLD, reference=reference)


def _sides_of(entry: Entry, order: Order) -> list[int]:
    """By how much what the order's wallet has set aside has changed."""
    wallet, asset = order.wallet.public_id.bytes, bytes(order.account.asset.definition_hash)
    sides = parse(bytes(entry.body)).postings
    return [side.amount for side in sides if side.wallet == wallet and side.asset == asset]
