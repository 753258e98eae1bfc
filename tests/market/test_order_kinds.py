"""Orders of every kind: what rests, what does not, who gives way, and what an amendment keeps."""

from datetime import timedelta

import pytest
from django.utils import timezone

from ledger.clock import database_now
from ledger.errors import NotEnough
from ledger.governance.governing import change_wallet_policy
from market.amending import amend_order
from market.errors import AmendmentRefused, BadOrder, ClientOrderIdConflict, OrderNotOpen
from market.models import GPU_SECONDS_PER_LOT, CancelTimer, MarketEvent, Order
from market.orders import cancel_orders, expire_orders
from market.timers import run_cancel_timers, set_cancel_timer
from tests.market.builders import (
    account,
    assert_value_is_conserved,
    available,
    in_auction,
    placed,
    some_instrument,
    some_trader,
    total_held,
)
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def status(answer) -> tuple[str, str]:
    order = Order.objects.get(id=answer.order_id)
    return order.status, order.reason


def test_fill_or_kill_takes_all_or_nothing(market):
    instrument, ada, bob = market
    placed(instrument, ada, "SELL", 5, 100)
    placed(instrument, ada, "SELL", 5, 102)

    killed = placed(instrument, bob, "BUY", 11, 105, time_in_force="FOK")
    filled = placed(instrument, bob, "BUY", 10, 105, time_in_force="FOK")

    assert (killed.status, killed.reason, killed.filled_quantity) == ("CANCELLED", "fill_or_kill", 0)
    assert (filled.status, filled.filled_value) == ("FILLED", 5 * 100 + 5 * 102)
    assert total_held() == 0
    assert_value_is_conserved()


def test_post_only_is_rejected_and_never_trades(market):
    instrument, ada, bob = market
    placed(instrument, ada, "SELL", 5, 100)

    crossing = placed(instrument, bob, "BUY", 1, 100, post_only=True)
    resting = placed(instrument, bob, "BUY", 1, 99, post_only=True)

    assert (crossing.status, crossing.reason) == ("REJECTED", "would_trade")
    assert resting.status == "OPEN"


def test_a_market_order_on_an_empty_book_leaves_no_hold(market):
    instrument, ada, _ = market
    answer = placed(instrument, ada, "BUY", 5, 120, time_in_force="IOC", kind="MARKET")

    assert (answer.status, total_held()) == ("CANCELLED", 0)
    assert Order.objects.get(id=answer.order_id).kind == "MARKET"


def test_an_order_until_a_date_is_over_then_and_trades_no_more(market):
    instrument, ada, bob = market
    until = database_now() + timedelta(seconds=1)
    dated = placed(instrument, ada, "SELL", 5, 100, time_in_force="GTD", expires_at=until)
    placed(instrument, ada, "SELL", 5, 101)
    swept = placed(instrument, ada, "SELL", 5, 200, time_in_force="GTD", expires_at=until)
    wait_until(lambda: database_now() >= until)

    bought = placed(instrument, bob, "BUY", 10, 105)

    assert status(dated) == ("CANCELLED", "order_expired")
    assert (bought.filled_quantity, bought.filled_value) == (5, 505)
    assert expire_orders() == 1
    assert status(swept) == ("CANCELLED", "order_expired")
    assert_value_is_conserved()


@pytest.mark.parametrize(
    ("mode", "maker", "taker", "traded"),
    [
        ("CANCEL_NEWEST", "OPEN", "CANCELLED", 0),
        ("CANCEL_OLDEST", "CANCELLED", "FILLED", 7),
        ("CANCEL_BOTH", "CANCELLED", "CANCELLED", 0),
        ("DECREMENT", "CANCELLED", "FILLED", 4),
    ],
)
def test_nobody_trades_with_themself_and_the_takers_choice_wins(market, mode, maker, taker, traded):
    instrument, ada, bob = market
    own = placed(instrument, ada, "SELL", 3, 100, self_trade="CANCEL_BOTH")
    placed(instrument, bob, "SELL", 20, 101)

    arrived = placed(instrument, ada, "BUY", 7, 105, self_trade=mode)

    assert (status(own)[0], arrived.status, arrived.filled_quantity) == (maker, taker, traded)
    assert_value_is_conserved()


def test_decrementing_shrinks_the_larger_one(market):
    instrument, ada, _ = market
    own = placed(instrument, ada, "SELL", 10, 100)

    arrived = placed(instrument, ada, "BUY", 4, 100, self_trade="DECREMENT")

    order = Order.objects.get(id=own.order_id)
    assert (arrived.status, order.status, order.quantity, order.first_quantity) == ("CANCELLED", "OPEN", 6, 10)
    assert order.held == 6 * GPU_SECONDS_PER_LOT
    assert placed(instrument, ada, "SELL", 10, 100, client_order_id=order.client_order_id).order_id == order.id
    assert_value_is_conserved()


def test_a_partly_filled_order_that_may_not_trade_is_not_amended_into_a_trade(market):
    instrument, ada, bob = market
    mine = placed(instrument, ada, "BUY", 5, 90, post_only=True)
    placed(instrument, bob, "SELL", 2, 90)
    placed(instrument, bob, "SELL", 5, 95)

    with pytest.raises(AmendmentRefused) as refused:
        amend_order(order_id=mine.order_id, limit_price=95)

    order = Order.objects.get(id=mine.order_id)
    assert refused.value.reason == "would_trade"
    assert (order.status, order.limit_price, order.filled_quantity, order.open_quantity) == ("OPEN", 90, 2, 3)
    assert_value_is_conserved()


def test_wallets_of_one_beneficial_owner_do_not_trade_with_each_other(market):
    from django.db import transaction

    instrument, ada, bob = market
    with transaction.atomic():
        change_wallet_policy(wallet_id=bob.id, changes={"owner": str(ada.public_id)}, now=timezone.now())
    placed(instrument, ada, "SELL", 3, 100)

    assert placed(instrument, bob, "BUY", 3, 100).reason == "self_trade"


def test_as_deep_as_needed_where_many_of_ones_own_give_way(market):
    instrument, ada, bob = market
    for _ in range(5):
        placed(instrument, ada, "SELL", 10, 100)
    placed(instrument, bob, "SELL", 3, 104)

    arrived = placed(instrument, ada, "BUY", 3, 105, self_trade="CANCEL_OLDEST")

    assert (arrived.status, arrived.filled_value) == ("FILLED", 312)
    assert Order.objects.filter(status="CANCELLED", reason="self_trade").count() == 5


def test_less_keeps_its_place_and_more_loses_it(market):
    instrument, ada, bob = market
    first, second = placed(instrument, ada, "SELL", 10, 100), placed(instrument, bob, "SELL", 10, 100)
    eve = some_trader(instrument, "Eve")

    amend_order(order_id=first.order_id, quantity=4)
    placed(instrument, eve, "BUY", 4, 100)
    assert status(first)[0] == "FILLED"
    third = placed(instrument, ada, "SELL", 1, 100)
    amend_order(order_id=second.order_id, quantity=11)
    placed(instrument, eve, "BUY", 1, 100)

    assert status(third)[0] == "FILLED"
    assert Order.objects.get(id=second.order_id).filled_quantity == 0
    assert_value_is_conserved()


def test_an_amendment_may_trade_at_once_and_holds_only_the_difference(market):
    instrument, ada, bob = market
    placed(instrument, bob, "SELL", 4, 100)
    bid = placed(instrument, ada, "BUY", 10, 90)
    before = available(ada, instrument.price_asset_id)

    answer = amend_order(order_id=bid.order_id, limit_price=101)

    assert (answer.status, answer.filled_quantity, answer.filled_value) == ("OPEN", 4, 400)
    assert before - available(ada, instrument.price_asset_id) == 400 + 6 * 101 - 10 * 90
    assert_value_is_conserved()


def test_an_amendment_down_to_what_is_filled_cancels_the_rest(market):
    instrument, ada, bob = market
    bid = placed(instrument, ada, "BUY", 10, 100)
    placed(instrument, bob, "SELL", 4, 100)

    answer = amend_order(order_id=bid.order_id, quantity=3)

    assert (answer.status, answer.reason, answer.filled_quantity) == ("CANCELLED", "amended", 4)
    assert total_held() == 0
    with pytest.raises(OrderNotOpen):
        amend_order(order_id=bid.order_id, quantity=20)


def test_an_amendment_that_cannot_be_leaves_the_order_where_it_was(market):
    instrument, ada, bob = market
    poor = some_trader(instrument, "Poor", credits=1000, lots=0)
    bid = placed(instrument, poor, "BUY", 10, 90)
    quiet = placed(instrument, ada, "BUY", 5, 80, post_only=True)
    placed(instrument, bob, "SELL", 1, 95)
    events = MarketEvent.objects.count()

    with pytest.raises(NotEnough):
        amend_order(order_id=bid.order_id, limit_price=101)
    with pytest.raises(AmendmentRefused) as refused:
        amend_order(order_id=quiet.order_id, limit_price=95)
    for wrong in ({"quantity": -1}, {"limit_price": 0}, {"quantity": True}):
        with pytest.raises(BadOrder):
            amend_order(order_id=bid.order_id, **wrong)

    assert refused.value.reason == "would_trade"
    assert Order.objects.get(id=bid.order_id).held == 900
    assert MarketEvent.objects.count() == events
    assert status(quiet)[0] == "OPEN"


def test_the_same_request_again_is_known_after_an_amendment_too(market):
    instrument, ada, _ = market
    bid = placed(instrument, ada, "BUY", 10, 90, client_order_id="mine")
    amend_order(order_id=bid.order_id, quantity=12, limit_price=91)

    assert placed(instrument, ada, "BUY", 10, 90, client_order_id="mine").order_id == bid.order_id
    with pytest.raises(ClientOrderIdConflict):
        placed(instrument, ada, "BUY", 12, 91, client_order_id="mine")


def test_all_of_a_wallets_orders_are_cancelled_at_once(market):
    instrument, ada, bob = market
    other = some_instrument("H100-2027Q1")
    for number in range(3):
        placed(instrument, ada, "BUY", 5, 90 - number)
    placed(other, ada, "BUY", 5, 90)
    kept = placed(instrument, bob, "BUY", 5, 90)

    assert cancel_orders(wallet_id=ada.id, instrument_id=instrument.id) == 3
    assert cancel_orders(wallet_id=ada.id) == 1
    assert cancel_orders(wallet_id=ada.id) == 0

    assert status(kept)[0] == "OPEN"
    assert account(ada, instrument.price_asset_id).held == 0
    assert_value_is_conserved()


def test_a_timer_that_is_not_renewed_cancels_everything(market):
    instrument, ada, bob = market
    mine, kept = placed(instrument, ada, "BUY", 5, 90), placed(instrument, bob, "BUY", 5, 90)
    set_cancel_timer(wallet_id=ada.id, seconds=60)
    set_cancel_timer(wallet_id=bob.id, seconds=60)
    assert run_cancel_timers() == 0
    CancelTimer.objects.filter(wallet=ada).update(cancel_at=database_now())

    assert run_cancel_timers() == 1
    assert run_cancel_timers() == 0

    assert status(mine) == ("CANCELLED", "not_renewed")
    assert status(kept)[0] == "OPEN"
    assert set_cancel_timer(wallet_id=bob.id, seconds=None) is None
    assert not CancelTimer.objects.exists()
    with pytest.raises(BadOrder):
        set_cancel_timer(wallet_id=bob.id, seconds=3)


@pytest.mark.parametrize("seconds", [60, None])
def test_who_renews_a_timer_that_ran_out_is_too_late_also_where_nobody_came_to_it_yet(market, seconds):
    instrument, ada, bob = market
    mine, kept = placed(instrument, ada, "BUY", 5, 90), placed(instrument, bob, "BUY", 5, 90)
    set_cancel_timer(wallet_id=ada.id, seconds=5)
    CancelTimer.objects.filter(wallet=ada).update(cancel_at=database_now())

    until = set_cancel_timer(wallet_id=ada.id, seconds=seconds)

    assert status(mine) == ("CANCELLED", "not_renewed")
    assert status(kept)[0] == "OPEN"
    assert CancelTimer.objects.count() == (1 if seconds else 0)
    assert (until is not None) == bool(seconds)
    again = placed(instrument, ada, "BUY", 5, 91)
    assert run_cancel_timers() == 0
    assert status(again)[0] == "OPEN"


def test_a_timer_renewed_in_time_keeps_everything(market):
    instrument, ada, _ = market
    mine = placed(instrument, ada, "BUY", 5, 90)
    set_cancel_timer(wallet_id=ada.id, seconds=5)
    CancelTimer.objects.filter(wallet=ada).update(cancel_at=database_now() + timedelta(seconds=1))

    until = set_cancel_timer(wallet_id=ada.id, seconds=60)

    wait_until(lambda: database_now() > until - timedelta(seconds=58.5))
    assert run_cancel_timers() == 0
    assert status(mine)[0] == "OPEN"


def test_timers_that_an_auction_keeps_waiting_keep_nobody_else_waiting(market):
    instrument, ada, bob = market
    other = some_instrument("H100-2027Q1")
    in_auction(instrument, collect=0, no_cancel=3600)
    stuck, gone = placed(instrument, ada, "BUY", 5, 90), placed(other, bob, "BUY", 5, 90)
    for wallet in (ada, bob):
        set_cancel_timer(wallet_id=wallet.id, seconds=60)
    CancelTimer.objects.update(cancel_at=database_now())

    assert run_cancel_timers(limit=1) == 1

    assert (status(stuck)[0], status(gone)[0]) == ("OPEN", "CANCELLED")
    assert CancelTimer.objects.get().wallet_id == ada.id
