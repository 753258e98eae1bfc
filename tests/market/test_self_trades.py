"""Nobody trades with themself: every choice against several own orders, with every kind of order, in auctions too."""

import pytest

from market.models import Order, Trade
from tests.ledger.builders import ruled
from tests.market.builders import (
    assert_value_is_conserved,
    auction_over,
    book,
    in_auction,
    placed,
    some_instrument,
    some_trader,
    with_rules,
)

pytestmark = pytest.mark.django_db(transaction=True)
CHOICES = ["CANCEL_NEWEST", "CANCEL_OLDEST", "CANCEL_BOTH", "DECREMENT"]


@pytest.fixture
def market():
    """Offers, best first: Ada's 3 at 100, Bob's 4 at 100, Ada's 5 at 101, Ada's 2 at 102, Bob's 9 at 103."""
    instrument = with_rules(some_instrument(), maker_fee_bp=10, taker_fee_bp=20)
    ada, bob = some_trader(instrument), some_trader(instrument, "Bob")
    for trader, quantity, price in ((ada, 3, 100), (bob, 4, 100), (ada, 5, 101), (ada, 2, 102), (bob, 9, 103)):
        placed(instrument, trader, "SELL", quantity, price)
    return instrument, ada, bob


def trades() -> list[tuple[int, int]]:
    return list(Trade.objects.order_by("number").values_list("price", "quantity"))


@pytest.mark.parametrize("kind", [{}, {"time_in_force": "IOC"}, {"kind": "MARKET", "time_in_force": "IOC"}])
@pytest.mark.parametrize(
    ("choice", "quantity", "status", "filled", "asks"),
    [
        # It is cancelled at the first of its owner's.
        ("CANCEL_NEWEST", 12, "CANCELLED", 0, [(100, 3), (100, 4), (101, 5), (102, 2), (103, 9)]),
        # All of its owner's on the way are.
        ("CANCEL_OLDEST", 12, "FILLED", 12, [(103, 1)]),
        ("CANCEL_OLDEST", 4, "FILLED", 4, [(101, 5), (102, 2), (103, 9)]),
        # It and the first that it meets.
        ("CANCEL_BOTH", 12, "CANCELLED", 0, [(100, 4), (101, 5), (102, 2), (103, 9)]),
        # It shrinks by each: 12 - 3, then 4 bought, then it ends in the middle of 5 with nothing left.
        ("DECREMENT", 12, "CANCELLED", 4, [(102, 2), (103, 9)]),
        # 16 - 3 - 5 - 2 are left to trade: 4 at 100 and 2 at 103.
        ("DECREMENT", 16, "FILLED", 6, [(103, 7)]),
        ("DECREMENT", 10, "CANCELLED", 4, [(101, 2), (102, 2), (103, 9)]),
        ("DECREMENT", 2, "CANCELLED", 0, [(100, 1), (100, 4), (101, 5), (102, 2), (103, 9)]),
    ],
)
def test_each_choice_against_several_of_ones_own(market, kind, choice, quantity, status, filled, asks):
    instrument, ada, _ = market

    arrived = placed(instrument, ada, "BUY", quantity, 110, self_trade=choice, **kind)

    assert (arrived.status, arrived.filled_quantity) == (status, filled)
    assert book(instrument) == {"bids": [], "asks": asks}
    assert_value_is_conserved()


@pytest.mark.parametrize(
    ("choice", "quantity", "status"),
    [
        ("CANCEL_NEWEST", 1, "CANCELLED"),
        ("CANCEL_BOTH", 1, "CANCELLED"),
        ("DECREMENT", 1, "CANCELLED"),
        ("CANCEL_OLDEST", 13, "FILLED"),
        ("CANCEL_OLDEST", 14, "CANCELLED"),
    ],
)
def test_fill_or_kill_counts_nothing_of_ones_own_and_killed_takes_none_of_it_out(market, choice, quantity, status):
    instrument, ada, _ = market
    before = book(instrument)

    arrived = placed(instrument, ada, "BUY", quantity, 110, self_trade=choice, time_in_force="FOK")

    assert arrived.status == status
    if status == "CANCELLED":
        assert (arrived.reason, book(instrument)) == ("fill_or_kill", before)
    else:
        assert (trades(), book(instrument)["asks"]) == ([(100, 4), (103, 9)], [])
    assert_value_is_conserved()


def test_what_stands_behind_the_last_lot_of_a_fill_or_kill_does_not_matter(market):
    instrument, ada, bob = market
    placed(instrument, bob, "SELL", 2, 99)

    assert placed(instrument, ada, "BUY", 2, 110, time_in_force="FOK").status == "FILLED"


@pytest.mark.parametrize("choice", CHOICES)
def test_post_only_is_rejected_before_anybody_gives_way(market, choice):
    instrument, ada, _ = market
    before = book(instrument)

    arrived = placed(instrument, ada, "BUY", 5, 100, self_trade=choice, post_only=True)

    assert (arrived.status, arrived.reason) == ("REJECTED", "would_trade")
    assert book(instrument) == before


def test_wallets_of_one_owner_are_one_and_the_takers_choice_is_the_arriving_wallets(market):
    instrument, ada, bob = market
    second = some_trader(instrument, "Ada's other")
    ruled(second, owner=str(ada.public_id))

    arrived = placed(instrument, second, "BUY", 16, 103, self_trade="DECREMENT")

    assert (arrived.status, arrived.filled_quantity) == ("FILLED", 6)
    assert set(Trade.objects.values_list("maker__wallet", flat=True)) == {bob.id}
    assert_value_is_conserved()


def test_the_arriving_orders_choice_counts_and_not_the_resting_ones(market):
    instrument, ada, _ = market
    first = placed(instrument, ada, "BUY", 5, 90, self_trade="CANCEL_NEWEST")

    second = placed(instrument, ada, "SELL", 8, 90, self_trade="DECREMENT")

    bid, ask = Order.objects.get(id=first.order_id), Order.objects.get(id=second.order_id)
    assert (bid.status, bid.reason) == ("CANCELLED", "self_trade")
    assert (ask.status, ask.quantity, ask.first_quantity, ask.open_quantity) == ("OPEN", 3, 8, 3)


@pytest.mark.parametrize(
    ("choice", "expected", "made"),
    [
        # Ada bids 10 at 105 and offers 6 at 95, later; Bob offers 8 at 100, Cleo bids 3 at 101.
        # Her offer gives way: Bob's 8 for her ten; from 102 on only two are left over, so the highest.
        ("CANCEL_NEWEST", {"bid": ("OPEN", 8), "ask": ("CANCELLED", 0)}, (105, 8)),
        # Her bid gives way: Cleo's 3 meet her offer; below 100 only three are left over, so the lowest.
        ("CANCEL_OLDEST", {"bid": ("CANCELLED", 0), "ask": ("OPEN", 3)}, (95, 3)),
        # Both do: Cleo's 3 and Bob's 8, a surplus of sellers.
        ("CANCEL_BOTH", {"bid": ("CANCELLED", 0), "ask": ("CANCELLED", 0)}, (100, 3)),
        # Both shrink by 6: her bid of 4 and Cleo's 3 meet Bob's 8.
        ("DECREMENT", {"bid": ("FILLED", 4), "ask": ("CANCELLED", 0)}, (100, 7)),
    ],
)
def test_in_an_auction_the_later_ones_choice_decides_and_the_price_is_sought_without_what_gave_way(
    choice, expected, made
):
    instrument = with_rules(some_instrument(), reference_price=101)
    ada, bob, cleo = (some_trader(instrument, name) for name in ("Ada", "Bob", "Cleo"))
    in_auction(instrument)
    orders = {"bid": placed(instrument, ada, "BUY", 10, 105)}
    placed(instrument, bob, "SELL", 8, 100)
    placed(instrument, cleo, "BUY", 3, 101)
    orders["ask"] = placed(instrument, ada, "SELL", 6, 95, self_trade=choice)

    auction_over(instrument)

    found = {name: Order.objects.get(id=answer.order_id) for name, answer in orders.items()}
    assert {name: (order.status, order.filled_quantity) for name, order in found.items()} == expected
    assert {price for price, _ in trades()} == {made[0]}
    assert sum(quantity for _, quantity in trades()) == made[1]
    assert_value_is_conserved()


@pytest.mark.parametrize("choice", CHOICES)
def test_what_would_not_have_traded_at_the_price_does_not_give_way(choice):
    """Own orders that stand too far down the line meet nobody, so nothing happens to them."""
    instrument = some_instrument()
    ada, bob, cleo = (some_trader(instrument, name) for name in ("Ada", "Bob", "Cleo"))
    in_auction(instrument)
    placed(instrument, bob, "BUY", 5, 103)
    mine = placed(instrument, ada, "BUY", 5, 101)
    placed(instrument, cleo, "SELL", 5, 99)
    own = placed(instrument, ada, "SELL", 5, 102, self_trade=choice)

    auction_over(instrument)

    assert [Order.objects.get(id=answer.order_id).status for answer in (mine, own)] == ["OPEN", "OPEN"]
    assert sum(quantity for _, quantity in trades()) == 5
    assert_value_is_conserved()
