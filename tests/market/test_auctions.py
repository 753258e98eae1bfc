"""Auctions on the real market: what they take, how they end, and that everything is exact afterwards."""

import threading
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from ledger.clock import database_now
from ledger.models import Entry
from ledger.verifying.replay import Replay
from ledger.wallets import freeze_wallet
from market import uncrossing
from market.amending import amend_order
from market.errors import AmendmentRefused, NoCancel, OrderNotOpen
from market.instruments import close_instrument, halt_all, halt_instrument
from market.models import CancelTimer, Instrument, InstrumentChange, Order, Trade
from market.orders import cancel_order, cancel_orders, expire_orders, place_orders
from market.timers import run_cancel_timers, set_cancel_timer
from market.uncrossing import due_auctions, end_auction
from tests.ledger.builders import ruled
from tests.market.builders import (
    account,
    assert_value_is_conserved,
    auction_over,
    available,
    book,
    in_auction,
    make_due,
    new_order,
    placed,
    some_instrument,
    some_trader,
    total_held,
    with_rules,
)
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def trades() -> list[tuple[int, int]]:
    return list(Trade.objects.order_by("number").values_list("price", "quantity"))


def status(answer) -> tuple[str, str]:
    order = Order.objects.get(id=answer.order_id)
    return order.status, order.reason


def test_an_auction_collects_and_then_all_trade_at_one_price(market):
    instrument, ada, bob = market
    with_rules(instrument, maker_fee_bp=10, taker_fee_bp=25, reference_price=100)
    in_auction(instrument)
    bids = [placed(instrument, bob, "BUY", 10, price) for price in (105, 102, 99)]
    asks = [placed(instrument, ada, "SELL", 8, price) for price in (98, 101, 104)]
    assert {answer.status for answer in bids + asks} == {"OPEN"}
    assert not end_auction(instrument.id)
    before = available(bob, instrument.price_asset_id) + account(bob, instrument.price_asset_id).held

    auction_over(instrument)

    assert {price for price, _ in trades()} == {102}  # 16 at 101 and 102, a surplus of buyers: the highest
    assert sum(quantity for _, quantity in trades()) == 16
    assert (instrument.phase, instrument.last_price, instrument.reference_price) == ("CONTINUOUS", 102, 102)
    assert book(instrument) == {"bids": [(102, 4), (99, 10)], "asks": [(104, 8)]}
    paid = 16 * 102 + sum(price * quantity * 10 // 10_000 for price, quantity in trades())
    assert available(bob, instrument.price_asset_id) + account(bob, instrument.price_asset_id).held == before - paid
    assert_value_is_conserved()


def test_the_log_of_an_auction_passes_the_verifier(market):
    instrument, ada, bob = market
    with_rules(instrument, maker_fee_bp=100, taker_fee_bp=200)
    in_auction(instrument)
    for number in range(5):
        placed(instrument, bob, "BUY", 10, 100 + number)
        placed(instrument, ada, "SELL", 9, 96 + number)
    auction_over(instrument)

    replay = Replay()
    bodies = Entry.objects.order_by("id").values_list("body", flat=True)
    assert [fault for body in bodies if (fault := replay.apply(bytes(body)))] == []
    assert len(trades()) > 3


def test_time_decides_at_the_margin(market):
    instrument, ada, bob = market
    in_auction(instrument)
    first = placed(instrument, bob, "BUY", 5, 100)
    second = placed(instrument, some_trader(instrument, "Eve"), "BUY", 5, 100)
    placed(instrument, ada, "SELL", 7, 100)

    auction_over(instrument)

    assert status(first)[0] == "FILLED"
    assert Order.objects.get(id=second.order_id).filled_quantity == 2


@pytest.mark.parametrize(
    ("terms", "taken"),
    [
        ({"time_in_force": "IOC"}, False),
        ({"time_in_force": "FOK"}, False),
        ({"post_only": True}, False),
        ({"kind": "MARKET", "time_in_force": "FOK"}, False),
        ({"kind": "MARKET", "time_in_force": "IOC"}, True),
        ({"time_in_force": "GTD", "expires_at": timezone.now() + timedelta(days=1)}, True),
    ],
)
def test_what_cannot_wait_is_not_taken(market, terms, taken):
    instrument, ada, _ = market
    in_auction(instrument)

    answer = placed(instrument, ada, "BUY", 5, 100, **terms)

    assert (answer.status, answer.reason) == (("OPEN", "") if taken else ("REJECTED", "not_in_auction"))


def test_a_market_order_waits_for_the_auctions_end_and_no_longer(market):
    instrument, ada, bob = market
    in_auction(instrument)
    placed(instrument, ada, "SELL", 5, 100)
    bought = placed(instrument, bob, "BUY", 8, 130, kind="MARKET", time_in_force="IOC")

    auction_over(instrument)

    assert trades() == [(100, 5)]
    assert status(bought) == ("CANCELLED", "auction_over")
    assert total_held() == 0
    assert_value_is_conserved()


def test_in_the_last_part_nobody_cancels_but_operators_and_expiry_do(market):
    instrument, ada, bob = market
    in_auction(instrument, collect=0, no_cancel=3600)
    kept = placed(instrument, ada, "BUY", 5, 100)
    taken_out = placed(instrument, ada, "BUY", 5, 101)
    until = database_now() + timedelta(milliseconds=300)
    dated = placed(instrument, bob, "BUY", 5, 99, time_in_force="GTD", expires_at=until)

    with pytest.raises(NoCancel):
        cancel_order(order_id=kept.order_id, now=timezone.now())
    with pytest.raises(NoCancel):
        cancel_orders(wallet_id=ada.id)
    with pytest.raises(NoCancel):
        amend_order(order_id=kept.order_id, quantity=1)
    set_cancel_timer(wallet_id=ada.id, seconds=60)
    CancelTimer.objects.update(cancel_at=database_now())
    assert run_cancel_timers() == 0
    assert CancelTimer.objects.count() == 1
    cancel_order(order_id=taken_out.order_id, now=timezone.now(), by_operator=True)
    wait_until(lambda: expire_orders() == 1)
    assert status(kept)[0] == "OPEN"
    assert status(taken_out) == ("CANCELLED", "by_operator")
    assert status(dated) == ("CANCELLED", "order_expired")
    assert close_instrument(instrument_id=instrument.id, now=timezone.now()) == 1


def test_cancel_all_cancels_elsewhere_where_one_auction_keeps_its_orders(market):
    instrument, ada, _ = market
    other = some_instrument("H100-2027Q1")
    in_auction(instrument, collect=0, no_cancel=3600)
    kept, gone = placed(instrument, ada, "BUY", 5, 100), placed(other, ada, "BUY", 5, 100)

    with pytest.raises(NoCancel):
        cancel_orders(wallet_id=ada.id)

    assert (status(kept)[0], status(gone)[0]) == ("OPEN", "CANCELLED")


def test_while_it_collects_orders_are_cancelled_and_amended(market):
    instrument, ada, bob = market
    in_auction(instrument)
    amended = placed(instrument, ada, "BUY", 5, 100)
    gone = placed(instrument, bob, "SELL", 5, 100)

    amend_order(order_id=amended.order_id, limit_price=120)
    cancel_order(order_id=gone.order_id, now=timezone.now())

    assert book(instrument) == {"bids": [(120, 5)], "asks": []}
    auction_over(instrument)
    assert trades() == []
    assert instrument.phase == "CONTINUOUS"


@pytest.mark.parametrize(
    ("choice", "earlier", "later", "traded"),
    [
        ("CANCEL_NEWEST", ("FILLED", 5), ("CANCELLED", 0), [(102, 5)]),
        ("CANCEL_OLDEST", ("CANCELLED", 0), ("FILLED", 5), [(99, 5)]),
        ("CANCEL_BOTH", ("CANCELLED", 0), ("CANCELLED", 0), []),
        ("DECREMENT", ("CANCELLED", 0), ("CANCELLED", 0), []),
    ],
)
def test_nobody_trades_with_themself_in_an_auction_either(market, choice, earlier, later, traded):
    instrument, ada, bob = market
    in_auction(instrument)
    bid = placed(instrument, ada, "BUY", 5, 102)
    ask = placed(instrument, ada, "SELL", 5, 98, self_trade=choice)
    if choice == "CANCEL_NEWEST":
        placed(instrument, bob, "SELL", 5, 102)
    elif choice == "CANCEL_OLDEST":
        placed(instrument, bob, "BUY", 5, 100)

    auction_over(instrument)

    found = [Order.objects.get(id=answer.order_id) for answer in (bid, ask)]
    assert [(order.status, order.filled_quantity) for order in found] == [earlier, later]
    assert trades() == traded
    assert_value_is_conserved()


def test_an_order_of_a_wallet_that_is_frozen_by_then_does_not_count(market):
    instrument, ada, bob = market
    in_auction(instrument)
    frozen = placed(instrument, bob, "BUY", 50, 110)
    placed(instrument, some_trader(instrument, "Eve"), "BUY", 5, 100)
    placed(instrument, ada, "SELL", 5, 100)
    freeze_wallet(wallet_id=bob.id, reason="x", now=timezone.now())

    auction_over(instrument)

    assert status(frozen) == ("CANCELLED", "wallet_frozen")
    assert trades() == [(100, 5)]
    assert_value_is_conserved()


def test_an_auction_waits_while_the_series_is_paused_and_orders_can_leave_it(market):
    instrument, ada, bob = market
    in_auction(instrument)
    ask, bid = placed(instrument, ada, "SELL", 5, 100), placed(instrument, bob, "BUY", 5, 100)
    gone = placed(instrument, bob, "BUY", 5, 101)
    ruled(instrument.asset, paused=True)
    make_due(instrument)

    assert not end_auction(instrument.id)
    assert placed(instrument, bob, "BUY", 5, 100).reason == "asset_paused"
    cancel_order(order_id=gone.order_id, now=timezone.now())
    with pytest.raises(AmendmentRefused):
        amend_order(order_id=bid.order_id, limit_price=105)
    assert trades() == []

    ruled(instrument.asset, paused=False)
    assert end_auction(instrument.id)
    assert trades() == [(100, 5)]
    assert status(ask)[0] == "FILLED"
    assert_value_is_conserved()


def test_nothing_of_an_expired_series_is_traded_by_an_auction():
    instrument = some_instrument(expires_at=database_now() + timedelta(seconds=3))
    ada, bob = some_trader(instrument, lots=5), some_trader(instrument, "Bob", lots=0)
    in_auction(instrument)
    placed(instrument, ada, "SELL", 5, 100)
    placed(instrument, bob, "BUY", 5, 100)
    wait_until(lambda: database_now() > instrument.asset.expires_at)
    make_due(instrument)

    assert not end_auction(instrument.id)
    assert placed(instrument, bob, "BUY", 5, 100).reason == "series_expired"
    assert close_instrument(instrument_id=instrument.id, now=timezone.now()) == 2
    assert trades() == []
    assert total_held() == 0


def test_the_next_order_ends_an_auction_that_is_due_and_then_trades(market):
    instrument, ada, bob = market
    in_auction(instrument)
    placed(instrument, ada, "SELL", 5, 100)
    placed(instrument, bob, "BUY", 3, 100)
    make_due(instrument)
    assert due_auctions() == [instrument.id]

    answer = placed(instrument, bob, "BUY", 2, 100)

    assert answer.status == "FILLED"
    assert trades() == [(100, 3), (100, 2)]
    assert due_auctions() == []
    assert_value_is_conserved()


def test_an_amendment_ends_an_auction_that_is_due_first(market):
    instrument, ada, bob = market
    in_auction(instrument)
    ask = placed(instrument, ada, "SELL", 5, 100)
    placed(instrument, bob, "BUY", 5, 100)
    make_due(instrument)

    with pytest.raises(OrderNotOpen):
        amend_order(order_id=ask.order_id, limit_price=200)

    assert trades() == [(100, 5)]


def test_thousands_of_orders_in_bounded_transactions_by_several_at_once(market, monkeypatch):
    instrument, ada, bob = market
    monkeypatch.setattr(uncrossing, "CHUNK", 60)
    in_auction(instrument)
    flow = [new_order(instrument, bob, "BUY", 1 + n % 7, 100 + n % 11) for n in range(600)]
    flow += [new_order(instrument, ada, "SELL", 1 + n % 5, 95 + n % 13) for n in range(600)]
    place_orders(flow)
    make_due(instrument)
    ended: list[bool] = []

    def end() -> None:
        ended.append(end_auction(instrument.id))
        connection.close()

    threads = [threading.Thread(target=end) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert any(ended)
    assert len({price for price, _ in trades()}) == 1
    assert len(trades()) > 500
    assert max(len(event.payload["trades"]) for event in instrument.events.all()) <= 60
    sides = book(Instrument.objects.get())
    assert sides["bids"][0][0] < sides["asks"][0][0]
    assert InstrumentChange.objects.filter(cause="UNCROSSED").count() == 1
    assert_value_is_conserved()


def test_killed_in_the_middle_it_goes_on_at_the_same_price(market, monkeypatch):
    instrument, ada, bob = market
    monkeypatch.setattr(uncrossing, "CHUNK", 2)
    in_auction(instrument)
    for number in range(10):
        placed(instrument, bob, "BUY", 1, 100 + number)
        placed(instrument, ada, "SELL", 1, 90 + number)
    make_due(instrument)
    for _ in range(3):  # the price, and two parts of it
        assert uncrossing._move_on(instrument.id)
    price = Instrument.objects.get().uncross_price
    assert price is not None

    # An order that comes in between is cleared when all of it is done, and a halt waits for it too.
    late = placed(instrument, bob, "SELL", 1, 200)
    halt_instrument(instrument_id=instrument.id, reason="x", now=timezone.now())

    assert {found for found, _ in trades()} == {price}
    assert len(trades()) == 10
    assert status(late)[0] == "OPEN"
    assert_value_is_conserved()


@pytest.mark.parametrize("all_of_them", [True, False])
def test_a_halt_does_not_wait_for_an_auction_that_cannot_be_settled(market, monkeypatch, all_of_them):
    instrument, ada, bob = market
    monkeypatch.setattr(uncrossing, "CHUNK", 1)
    in_auction(instrument)
    for _ in range(3):
        placed(instrument, bob, "BUY", 1, 100)
        placed(instrument, ada, "SELL", 1, 100)
    make_due(instrument)
    assert [uncrossing._move_on(instrument.id) for _ in range(2)] == [True, True]
    ruled(instrument.asset, paused=True)

    if all_of_them:
        assert halt_all(reason="x", now=timezone.now()) == 1
    else:
        halt_instrument(instrument_id=instrument.id, reason="x", now=timezone.now())

    instrument.refresh_from_db()
    assert (instrument.phase, instrument.uncross_price) == ("HALTED", None)
    assert trades() == [(100, 1)]
    assert_value_is_conserved()
