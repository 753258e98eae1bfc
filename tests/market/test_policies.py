"""The ledger's policies on the market: limits count bids, and the book is cleaned of who may not trade any more."""

from datetime import timedelta

import pytest
from django.utils import timezone

from ledger.models import Wallet
from market.models import GPU_SECONDS_PER_LOT, Instrument, Order, Trade
from market.orders import place_orders
from market.preview import preview_order
from tests.ledger.builders import ruled
from tests.market.builders import (
    account,
    assert_value_is_conserved,
    auction_over,
    in_auction,
    new_order,
    placed,
    some_instrument,
    some_trader,
)

pytestmark = pytest.mark.django_db(transaction=True)


def limited(instrument: Instrument, lots: int) -> None:
    ruled(instrument.asset, position_limit=lots * GPU_SECONDS_PER_LOT)


def foretold(instrument: Instrument, wallet: Wallet, side: str, quantity: int, price: int) -> str:
    now_it_is = Instrument.objects.select_related("asset", "price_asset").get(id=instrument.id)
    return preview_order(instrument=now_it_is, order=new_order(instrument, wallet, side, quantity, price)).reason


def test_a_position_limit_counts_what_one_has_and_bids_for():
    instrument = some_instrument()
    limited(instrument, 100)
    ada = some_trader(instrument, lots=30)

    assert placed(instrument, ada, "BUY", 50, 90).status == "OPEN"
    assert foretold(instrument, ada, "BUY", 21, 80) == "position_limit"
    over = placed(instrument, ada, "BUY", 21, 80)
    assert (over.status, over.reason) == ("REJECTED", "position_limit")
    assert placed(instrument, ada, "BUY", 20, 80).status == "OPEN"

    assert_value_is_conserved()


def test_it_counts_all_wallets_of_one_owner_and_orders_of_one_batch():
    instrument = some_instrument()
    limited(instrument, 100)
    ada, second = some_trader(instrument, lots=10), some_trader(instrument, "Ada's other", lots=10)
    ruled(second, owner=str(ada.public_id))
    orders = [new_order(instrument, wallet, "BUY", 30, 90) for wallet in (ada, second, ada)]

    answers = place_orders(orders)

    assert [answer.status for answer in answers] == ["OPEN", "OPEN", "REJECTED"]
    assert answers[2].reason == "position_limit"


def test_fills_never_take_an_owner_over_the_limit():
    instrument = some_instrument()
    limited(instrument, 100)
    ada, bob = some_trader(instrument, lots=0), some_trader(instrument, "Bob", lots=90)
    placed(instrument, ada, "BUY", 100, 90)

    placed(instrument, bob, "SELL", 90, 90)

    assert account(ada, instrument.asset_id).balance == 90 * GPU_SECONDS_PER_LOT
    assert placed(instrument, ada, "BUY", 1, 90).reason == "position_limit"


def test_bids_over_a_limit_that_was_lowered_are_taken_out_before_anybody_trades_with_them():
    instrument = some_instrument()
    ada, eve, bob = some_trader(instrument, lots=0), some_trader(instrument, "Eve", lots=0), some_trader(instrument)
    high, low = placed(instrument, ada, "BUY", 60, 91), placed(instrument, eve, "BUY", 40, 90)
    limited(instrument, 50)

    sold = placed(instrument, bob, "SELL", 50, 80)

    assert Order.objects.get(id=high.order_id).reason == "position_limit"
    assert Order.objects.get(id=low.order_id).status == "FILLED"
    assert sold.filled_quantity == 40
    assert [trade.price for trade in Trade.objects.all()] == [90]
    assert_value_is_conserved()


def test_only_as_many_of_them_as_are_over_the_limit_and_no_other_order_suffers_for_it():
    instrument = some_instrument()
    ada, bob = some_trader(instrument, lots=10), some_trader(instrument, "Bob")
    bids = [placed(instrument, ada, "BUY", 30, price) for price in (92, 91, 90)]
    limited(instrument, 75)

    sold = placed(instrument, bob, "SELL", 70, 80)

    found = [Order.objects.get(id=bid.order_id) for bid in bids]
    assert [(order.status, order.reason) for order in found] == [
        ("CANCELLED", "position_limit"), ("FILLED", ""), ("FILLED", ""),
    ]  # fmt: skip
    assert (sold.status, sold.filled_quantity) == ("OPEN", 60)
    assert account(ada, instrument.asset_id).balance == 70 * GPU_SECONDS_PER_LOT
    assert placed(instrument, ada, "BUY", 5, 70).status == "OPEN"
    assert_value_is_conserved()


def test_a_limit_lowered_while_an_auction_collects_binds_at_its_end():
    instrument = some_instrument()
    ada, eve, bob = some_trader(instrument, lots=10), some_trader(instrument, "Eve", lots=0), some_trader(instrument)
    in_auction(instrument)
    over, kept = placed(instrument, ada, "BUY", 30, 92), placed(instrument, ada, "BUY", 30, 91)
    placed(instrument, eve, "BUY", 20, 90)
    placed(instrument, bob, "SELL", 50, 80)
    limited(instrument, 45)

    auction_over(instrument)

    assert Order.objects.get(id=over.order_id).reason == "position_limit"
    assert Order.objects.get(id=kept.order_id).status == "FILLED"
    assert account(ada, instrument.asset_id).balance == 40 * GPU_SECONDS_PER_LOT
    assert account(eve, instrument.asset_id).balance == 20 * GPU_SECONDS_PER_LOT
    assert_value_is_conserved()


def test_locked_up_tokens_are_neither_offered_nor_left_in_the_book():
    instrument = some_instrument()
    ada, bob, eve = some_trader(instrument), some_trader(instrument, "Bob"), some_trader(instrument, "Eve")
    resting = placed(instrument, ada, "SELL", 10, 100)
    placed(instrument, bob, "SELL", 10, 101)
    ruled(ada, locked_until=timezone.now() + timedelta(days=1))

    assert foretold(instrument, ada, "SELL", 1, 100) == "locked_up"
    assert placed(instrument, ada, "SELL", 1, 100).reason == "locked_up"
    assert placed(instrument, ada, "BUY", 1, 90).status == "OPEN"
    bought = placed(instrument, eve, "BUY", 15, 105)

    assert Order.objects.get(id=resting.order_id).reason == "locked_up"
    assert (bought.filled_quantity, bought.filled_value) == (10, 1010)
    assert_value_is_conserved()


def test_who_may_give_only_to_some_cannot_sell_to_strangers():
    instrument = some_instrument()
    ada, bob = some_trader(instrument), some_trader(instrument, "Bob")
    ruled(ada, receivers=[str(bob.public_id)])

    assert placed(instrument, ada, "SELL", 1, 100).reason == "receiver_not_allowed"
    assert placed(instrument, ada, "BUY", 1, 100).status == "OPEN"


def test_a_series_with_an_allow_list_is_bought_by_those_on_it():
    instrument = some_instrument()
    ada, bob = some_trader(instrument), some_trader(instrument, "Bob")
    ruled(instrument.asset, receivers=[str(bob.public_id)])

    assert placed(instrument, ada, "BUY", 1, 100).reason == "receiver_not_allowed"
    placed(instrument, bob, "BUY", 1, 100)
    assert placed(instrument, ada, "SELL", 1, 100).status == "FILLED"
    assert_value_is_conserved()


def test_an_organisation_is_bound_by_its_own_limit_alone():
    instrument = some_instrument()
    limited(instrument, 1)
    department = some_trader(instrument, "Physics", lots=50, kind=Wallet.Kind.DEPARTMENT)

    assert placed(instrument, department, "BUY", 500, 90).status == "OPEN"
    ruled(department, position_limit=600 * GPU_SECONDS_PER_LOT)
    assert placed(instrument, department, "BUY", 51, 90).reason == "position_limit"
