"""What pages and programs read of an auction that is on: how far it is, and what it would come to now. No locks."""

from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from market.auctions.pricing import Indication, Interest, indicate
from market.models import Instrument


@dataclass(frozen=True)
class AuctionState:
    """`stage` is COLLECT (orders come and go), NO_CANCEL (they only come) or UNCROSS (it is being settled). Price in
    ticks, volume and surplus in lots; no price where nothing would trade."""

    stage: str
    no_cancel_at: datetime
    uncross_at: datetime
    price: int | None
    volume: int
    surplus: int  # of buyers; of sellers where it is negative


def auction_state(instrument: Instrument, *, now: datetime) -> AuctionState | None:
    """Of an instrument in an auction. It counts the book as it is: what meets its own owner, or may not trade any more,
    drops out only when the auction ends."""
    if instrument.no_cancel_at is None or instrument.uncross_at is None:
        return None
    found = indication_of(instrument)
    stage = "COLLECT" if now < instrument.no_cancel_at else "NO_CANCEL" if now < instrument.uncross_at else "UNCROSS"
    return AuctionState(stage, instrument.no_cancel_at, instrument.uncross_at, found.price, found.volume, found.surplus)


def indication_of(instrument: Instrument) -> Indication:
    """What an auction of the book as it is would come to."""
    best_bid, best_ask, ends = edges(instrument.id)
    if best_bid is None or best_ask is None or best_bid < best_ask:
        return Indication()
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT side, limit_price, sum(quantity - filled_quantity)::bigint, kind = 'MARKET' FROM market_order
            WHERE instrument_id = %(id)s AND status = 'OPEN' AND side = 'BUY' AND limit_price >= %(ask)s
            GROUP BY 1, 2, 4
            UNION ALL
            SELECT side, limit_price, sum(quantity - filled_quantity)::bigint, kind = 'MARKET' FROM market_order
            WHERE instrument_id = %(id)s AND status = 'OPEN' AND side = 'SELL' AND limit_price <= %(bid)s
            GROUP BY 1, 2, 4
            """,
            {"id": instrument.id, "ask": best_ask, "bid": best_bid},
        )
        interests = [Interest(*row) for row in cursor.fetchall()]
    return indicate(interests, reference_of(instrument), ends=ends)


def reference_of(instrument: Instrument) -> int | None:
    """What an auction's price is nearest to: the reference price published when it began; before there were enough
    trades for one, the last trade; before the first one, what an operator has set."""
    found = (instrument.auction_reference, instrument.last_price, instrument.reference_price)
    return next((price for price in found if price is not None), None)


def edges(instrument_id: int) -> tuple[int | None, int | None, list[int]]:
    """The best bid, the best ask, and the lowest and the highest limit prices of the orders of both sides that cross
    nothing: each the first of an index."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            WITH open AS NOT MATERIALIZED (
                SELECT side, kind, limit_price FROM market_order WHERE instrument_id = %s AND status = 'OPEN'
            ), best AS MATERIALIZED (
                SELECT (SELECT max(limit_price) FROM open WHERE side = 'BUY') AS bid,
                    (SELECT min(limit_price) FROM open WHERE side = 'SELL') AS ask
            )
            SELECT bid, ask,
                (SELECT min(limit_price) FROM open WHERE side = 'BUY' AND kind = 'LIMIT' AND limit_price < ask),
                (SELECT max(limit_price) FROM open WHERE side = 'BUY' AND kind = 'LIMIT' AND limit_price < ask),
                (SELECT min(limit_price) FROM open WHERE side = 'SELL' AND kind = 'LIMIT' AND limit_price > bid),
                (SELECT max(limit_price) FROM open WHERE side = 'SELL' AND kind = 'LIMIT' AND limit_price > bid)
            FROM best
            """,
            [instrument_id],
        )
        best_bid, best_ask, *ends = cursor.fetchone()
    return best_bid, best_ask, [end for end in ends if end is not None]
