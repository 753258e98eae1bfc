"""What a clearing writes into the ledger's log: what was let go of, the trades, and what is set aside now.

In that order no account ever holds more than it has, entry by entry: what orders in the book held falls first, to
what is left of it in the end; trades pay in the order in which they were matched; new orders hold last.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import NamedTuple

from ledger.entries import MAX_SIDES, TransferBodies, hold_body, leaf_hash, pack_side
from market.batch import GPU_SECONDS_PER_LOT, BatchTrade, Outcome
from market.loading import Loaded
from market.matching import BUY


class LogEntry(NamedTuple):
    """A row of the log before it has a number: its kind, what it is about, its bytes and their hash."""

    kind: str
    reference: str
    body: bytes
    leaf: bytes

    @property
    def transfer_kind(self) -> str | None:
        return "TRADE" if self.kind == "TRANSFER" else None


def hold_entries(loaded: Loaded, outcome: Outcome) -> tuple[list[LogEntry], list[LogEntry]]:
    """The falls of what is held, to be written before the trades, and the rises, to be written after them."""
    resting = {order.id for order in loaded.resting}
    falls: dict[tuple[bytes, bytes], int] = {}
    rises: dict[tuple[bytes, bytes], int] = {}
    for order in outcome.changed.values():
        side = (order.wallet_tag, loaded.price_tag if order.side == BUY else loaded.base_tag)
        if order.id in resting:
            falls[side] = falls.get(side, 0) + order.held - order.hold_for(order.initial_open)
        elif order.held_before:
            # What an amended order has held it holds on, where nobody else has come in between.
            alone = sum(id_ not in resting for id_ in outcome.changed) == 1
            kept = min(order.held, order.held_before) if alone else 0
            falls[side] = falls.get(side, 0) + kept - order.held_before
            rises[side] = rises.get(side, 0) + order.held - kept
        else:
            rises[side] = rises.get(side, 0) + order.held
    code, now = loaded.code, loaded.now
    return list(orders_entries(code, falls.items(), now)), list(orders_entries(code, rises.items(), now))


def trade_entries(
    loaded: Loaded, trades: Sequence[BatchTrade], sides: Sequence[Sequence[tuple[int, int]]]
) -> Iterator[LogEntry]:
    """One transfer a trade, its fees in it, numbered on from the instrument's last. `sides` are their postings."""
    price, base, bodies, code = loaded.price_tag, loaded.base_tag, TransferBodies(loaded.now), loaded.code
    for number, (trade, posted) in enumerate(zip(trades, sides, strict=True), loaded.last_trade + 1):
        (_, paid), (_, got), (_, given), (_, taken), *fees = posted
        buyer, seller = trade.buyer.wallet_tag, trade.seller.wallet_tag
        packed = pack_side(buyer, price, paid) + pack_side(seller, price, got)
        packed += pack_side(seller, base, given) + pack_side(buyer, base, taken)
        if fees:
            packed += pack_side(loaded.fees_tag, price, fees[0][1])
        reference = f"trade:{code}:{number}"
        body = bodies.body("TRADE", reference, packed)
        yield LogEntry("TRANSFER", reference, body, leaf_hash(body))


def postings(loaded: Loaded, trade: BatchTrade) -> tuple[tuple[int, int], ...]:
    """The sides of a trade: credits from buyer to seller, GPU-seconds from seller to buyer, and where there are fees,
    what both pay of them to the wallet of fees."""
    maker, taker, price, quantity, *_fees = trade
    buyer, seller = (taker, maker) if taker.side == BUY else (maker, taker)
    cost, seconds = price * quantity, GPU_SECONDS_PER_LOT * quantity
    buyers_fee, sellers_fee = trade.fees_of_both
    sides = (
        (buyer.account, -cost - buyers_fee),
        (seller.receiving_account, cost - sellers_fee),
        (seller.account, -seconds),
        (buyer.receiving_account, seconds),
    )
    fees = buyers_fee + sellers_fee
    return (*sides, (loaded.fees_account, fees)) if fees else sides


def orders_entries(code: str, changes: Iterable[tuple[tuple[bytes, bytes], int]], at: datetime) -> Iterator[LogEntry]:
    """What orders of one instrument hold has changed by this, by wallet and asset; as many entries as it takes."""
    sides = [(wallet, asset, amount) for (wallet, asset), amount in changes if amount]
    reference = f"orders:{code}"
    for start in range(0, len(sides), MAX_SIDES):
        part = sides[start : start + MAX_SIDES]
        body = hold_body(action="ORDERS", reference=reference, recorded_at=at, sides=part)
        yield LogEntry("HOLD", reference, body, leaf_hash(body))
