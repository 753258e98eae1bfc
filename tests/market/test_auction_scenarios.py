"""Other exchanges' auctions on the real market: who trades with whom, at which price, and what stays in the book.

Their market orders have no limit: ours get a protection price as far away as there is. A market-to-limit order trades
as a market order does; what is left of both is cancelled here, and theirs wait on, so only limit orders' rest counts.
"""

import pytest

from market.models import HIGHEST_PRICE, Order, Trade
from tests.market.builders import (
    assert_value_is_conserved,
    auction_over,
    in_auction,
    placed,
    some_instrument,
    some_trader,
    with_rules,
)
from tests.market.test_auction_price import scenarios

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("scenario", scenarios())
def test_another_exchanges_auction(scenario):
    if scenario.get("price_bounds"):
        pytest.skip(
            "orders of nothing mark the ends of its prices; ours refuses them, and its price test passes the ends"
        )
    instrument = with_rules(some_instrument(), reference_price=scenario["reference_price"])
    in_auction(instrument)
    names = {}
    for each in scenario["orders"]:
        terms = {}
        price = each["price"]
        if price is None:
            price = HIGHEST_PRICE if each["side"] == "BUY" else 1
            terms = {"kind": "MARKET", "time_in_force": "IOC"}
        trader = some_trader(instrument, each["id"], lots=10**9)
        answer = placed(instrument, trader, each["side"], each["quantity"], price, **terms)
        assert answer.status == "OPEN"
        names[answer.order_id] = each["id"]

    auction_over(instrument)

    expect, made = scenario["expect"], list(Trade.objects.order_by("number"))
    assert {trade.price for trade in made} == ({expect["price"]} if expect["volume"] else set())
    assert sum(trade.quantity for trade in made) == expect["volume"]
    filled = {names[o.id]: o.filled_quantity for o in Order.objects.all() if o.filled_quantity}
    if "derived_filled" in scenario:
        assert filled == scenario["derived_filled"]
    if "fills" in expect:
        assert sorted(map(sides_of(names), made)) == sorted(
            (f["buy"], f["sell"], f["quantity"]) for f in expect["fills"]
        )
    limits = {each["id"] for each in scenario["orders"] if each["type"] == "LIMIT"}
    for side, key in (("BUY", "bids"), ("SELL", "asks")):
        if "book_after" in expect:
            rest = {names[o.id]: o.open_quantity for o in Order.objects.filter(status="OPEN", side=side)}
            assert rest == {row[0]: row[1] for row in expect["book_after"][key] if row[0] in limits}
    assert_value_is_conserved()


def sides_of(names):
    def sides(trade):
        pair = (trade.taker_id, trade.maker_id) if trade.taker_side == "BUY" else (trade.maker_id, trade.taker_id)
        return names[pair[0]], names[pair[1]], trade.quantity

    return sides
