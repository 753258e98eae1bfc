"""Steps of an auction in which something is offered: who counts as small, and what every bid is given.

What is set aside goes first to small holders, in the order of the book and at the same price as everything else; what
they leave goes to all. Of what other sellers sell nothing is set aside, and nobody who asks for less than the reserve
loses their place by it. Who is small is written down when the price is fixed, before anybody is given anything.
"""

from collections.abc import Sequence
from datetime import datetime

from django.db import connection

from ledger.governance.policies import owner_of
from ledger.models import Account, Wallet
from market.auctions.pairing import pair_off
from market.batch import GPU_SECONDS_PER_LOT, Outcome, Working
from market.loading import Loaded
from market.matching import BUY
from market.offerings.models import Allocation, Offering


def open_offering(instrument_id: int) -> Offering | None:
    return Offering.objects.filter(instrument_id=instrument_id, status=Offering.Status.OPEN).first()


def note_bids(offering: Offering, orders: Sequence[Working], price: int, volume: int) -> None:
    """Write down every bid that takes part at the price, and whether its owner is a small holder."""
    bids = [order for order in orders if order.side == BUY and order.open_quantity and order.limit_price >= price]
    holdings = _holdings([bid.wallet for bid in bids])
    seller = owner_of(offering.wallet)
    # Where a price has to be sought anew, what small holders were given stays counted.
    is_first = not Allocation.objects.filter(offering=offering).exists()
    Allocation.objects.bulk_create(
        [
            Allocation(
                offering=offering, order_id=bid.id, holding=holdings[bid.owner], asked_quantity=bid.open_quantity,
                is_small=holdings[bid.owner] < offering.small_below * GPU_SECONDS_PER_LOT and bid.owner != seller,
            )
            for bid in bids
        ],
        batch_size=1000, ignore_conflicts=True,
    )  # fmt: skip
    if is_first:
        set_aside = min(offering.set_aside_quantity, _sold_in_line(offering, orders, volume))
        Offering.objects.filter(id=offering.id).update(set_aside_left=set_aside)


def _sold_in_line(offering: Offering, orders: Sequence[Working], volume: int) -> int:
    """How much of what is offered is sold at all: whoever asks for less, or asked for the same earlier, sells first."""
    ours = next((order for order in orders if order.id == offering.order_id), None)
    if ours is None:
        return 0
    place = ours.limit_price, ours.priority
    ahead = sum(
        order.open_quantity for order in orders if order.side != BUY and (order.limit_price, order.priority) < place
    )
    return max(0, min(ours.open_quantity, volume - ahead))


def allot_to_small(offering: Offering, loaded: Loaded, price: int, *, limit: int) -> Outcome:
    """The next trades of what is set aside: small holders' bids with the offering's order alone."""
    small = set(Allocation.objects.filter(offering=offering, is_small=True).values_list("order_id", flat=True))
    taking_part = [order for order in loaded.resting if order.id in small or order.id == offering.order_id]
    return pair_off(
        taking_part, price, available=loaded.available, last_priority=loaded.last_priority, limit=limit,
        most=offering.set_aside_left,
    )  # fmt: skip


def count_in(offering: Offering, outcome: Outcome, *, set_aside: bool) -> None:
    """Add what the offering's order sold in these trades to what its buyers were given."""
    given: dict[int, int] = {}
    for trade in outcome.trades:
        if trade.seller.id == offering.order_id:
            given[trade.buyer.id] = given.get(trade.buyer.id, 0) + trade.quantity
    sold = sum(given.values())
    if given:
        column = "set_aside_quantity" if set_aside else "rest_quantity"
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE market_allocation a SET {column} = a.{column} + g.quantity"  # noqa: S608
                " FROM unnest(%s::bigint[], %s::bigint[]) AS g (order_id, quantity)"
                " WHERE a.offering_id = %s AND a.order_id = g.order_id",
                [list(given), list(given.values()), offering.id],
            )
    if sold:
        # Not what the auction comes to in the end: bids that small holders went before may trade on with other sellers.
        offering.price = outcome.trades[0].price
    offering.sold_quantity += sold
    if set_aside:
        # What they leave goes to all.
        offering.set_aside_left = offering.set_aside_left - sold if outcome.changed else 0
    offering.save(update_fields=["price", "sold_quantity", "set_aside_left"])


def finish(offering: Offering, now: datetime) -> None:
    """The auction is over."""
    offering.refresh_from_db()
    offering.status, offering.done_at, offering.set_aside_left = Offering.Status.DONE, now, 0
    offering.save(update_fields=["status", "done_at", "set_aside_left"])


def _holdings(wallet_ids: Sequence[int]) -> dict[int, int]:
    """GPU-seconds of all series that every wallet's beneficial owner has, over all their wallets."""
    owners = {owner_of(wallet) for wallet in Wallet.objects.filter(id__in=wallet_ids)}
    found = dict.fromkeys(owners, 0)
    rows = Account.objects.exclude(asset__kind="CREDITS").filter(balance__gt=0).select_related("wallet")
    theirs = rows.filter(wallet_id__in=owners) | rows.filter(wallet__beneficial_owner_id__in=owners)
    for account in theirs:
        owner = owner_of(account.wallet)
        if owner in found:
            found[owner] += account.balance
    return found
