"""Amending in every phase and of every kind of order: what it keeps, what it loses, and what it leaves alone."""

from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from ledger.clock import database_now
from ledger.entries import parse
from ledger.errors import Refusal
from ledger.models import Entry
from market.amending import amend_order
from market.errors import AmendmentRefused, ClientOrderIdConflict, NoCancel, OrderNotOpen
from market.instruments import halt_instrument, resume_instrument, set_mode
from market.models import GPU_SECONDS_PER_LOT, Amendment, Instrument, MarketEvent, Order, Trade
from tests.ledger.builders import given, ruled
from tests.market.builders import (
    account,
    assert_value_is_conserved,
    auction_over,
    available,
    book,
    in_auction,
    placed,
    some_instrument,
    some_trader,
    total_held,
)
from tests.market.test_crowds import at_once
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


def row(answer) -> Order:
    return Order.objects.get(id=answer.order_id)


def everything(instrument: Instrument) -> tuple:
    """All that an amendment could change."""
    instrument.refresh_from_db()
    orders = list(Order.objects.order_by("id").values())
    return orders, total_held(), instrument.last_event, Entry.objects.count(), Amendment.objects.count()


def into(instrument: Instrument, phase: str) -> None:
    now = timezone.now()
    if phase == "HALTED":
        halt_instrument(instrument_id=instrument.id, reason="x", now=now)
    elif phase == "COLLECT":
        in_auction(instrument)
    elif phase == "NO_CANCEL":
        in_auction(instrument, collect=0, no_cancel=3600)
    elif phase != "CONTINUOUS":
        set_mode(instrument_id=instrument.id, phase=phase, reason="x", now=now)


# Amending counts as cancelling, and arriving anew as placing: which of them each phase lets be, or why not.
PHASES = {
    "CONTINUOUS": ("", ""),
    "COLLECT": ("", ""),
    "NO_CANCEL": ("no_cancel", "no_cancel"),
    "POST_ONLY": ("", "post_only_phase"),
    "CANCEL_ONLY": ("", "cancel_only"),
    "HALTED": ("", "instrument_halted"),
}
LESS = [{"quantity": 4}, {"quantity": 0}]
ANEW = [{"quantity": 12}, {"limit_price": 91}, {"quantity": 4, "limit_price": 89}]


@pytest.mark.parametrize("phase", PHASES)
@pytest.mark.parametrize("change", LESS + ANEW)
def test_in_every_phase_less_is_as_cancelling_and_anything_else_as_placing(market, phase, change):
    instrument, ada, _ = market
    bid = placed(instrument, ada, "BUY", 10, 90)
    into(instrument, phase)
    refusal, before = PHASES[phase][change in ANEW], everything(instrument)

    if not refusal:
        answer = amend_order(order_id=bid.order_id, **change)
        assert answer.status == ("OPEN" if change.get("quantity", 10) else "CANCELLED")
        assert row(bid).quantity == (change.get("quantity", 10) or 10)
    else:
        with pytest.raises(NoCancel if refusal == "no_cancel" else AmendmentRefused) as refused:
            amend_order(order_id=bid.order_id, **change)
        assert getattr(refused.value, "reason", refused.value.code) == refusal
        assert everything(instrument) == before
    assert_value_is_conserved()


def test_a_post_only_order_is_amended_where_only_adding_is_let_be(market):
    instrument, ada, bob = market
    bid = placed(instrument, ada, "BUY", 10, 90, post_only=True)
    placed(instrument, bob, "SELL", 5, 95)
    into(instrument, "POST_ONLY")

    assert amend_order(order_id=bid.order_id, limit_price=94).status == "OPEN"
    with pytest.raises(AmendmentRefused) as refused:
        amend_order(order_id=bid.order_id, limit_price=95)

    assert refused.value.reason == "would_trade"
    assert (row(bid).limit_price, row(bid).post_only) == (94, True)


def test_an_auction_takes_a_post_only_order_that_was_there_but_nothing_anew_of_it(market):
    instrument, ada, bob = market
    bid = placed(instrument, ada, "BUY", 10, 90, post_only=True)
    into(instrument, "COLLECT")

    with pytest.raises(AmendmentRefused) as refused:
        amend_order(order_id=bid.order_id, limit_price=91)
    assert amend_order(order_id=bid.order_id, quantity=6).status == "OPEN"

    assert refused.value.reason == "not_in_auction"
    placed(instrument, bob, "SELL", 6, 90)
    auction_over(instrument)
    assert row(bid).status == "FILLED"
    assert_value_is_conserved()


def test_an_amended_market_order_still_waits_for_the_auctions_end_and_no_longer(market):
    instrument, ada, bob = market
    in_auction(instrument)
    order = placed(instrument, ada, "BUY", 10, 120, kind="MARKET", time_in_force="IOC")
    placed(instrument, bob, "SELL", 4, 100)

    assert amend_order(order_id=order.order_id, limit_price=130, quantity=9).status == "OPEN"
    auction_over(instrument)

    assert (row(order).status, row(order).reason, row(order).filled_quantity) == ("CANCELLED", "auction_over", 4)
    assert_value_is_conserved()


def test_to_what_it_is_already_changes_nothing_and_costs_nothing(market):
    instrument, ada, _ = market
    bid = placed(instrument, ada, "BUY", 10, 90)
    before = everything(instrument)

    for change in ({}, {"quantity": 10}, {"limit_price": 90}, {"quantity": 10, "limit_price": 90}):
        answer = amend_order(order_id=bid.order_id, **change)
        assert (answer.status, answer.quantity) == ("OPEN", 10)

    assert everything(instrument) == before


def test_an_order_until_a_date_keeps_its_date_and_after_it_there_is_nothing_to_amend(market):
    instrument, ada, bob = market
    until = database_now() + timedelta(seconds=1)
    bid = placed(instrument, ada, "BUY", 10, 90, time_in_force="GTD", expires_at=until)

    amend_order(order_id=bid.order_id, quantity=12, limit_price=91)
    assert (row(bid).time_in_force, row(bid).expires_at) == ("GTD", until)
    wait_until(lambda: database_now() >= until)

    for change in ({"quantity": 5}, {"quantity": 20}, {"limit_price": 95}, {"quantity": 0}):
        with pytest.raises(OrderNotOpen):
            amend_order(order_id=bid.order_id, **change)
    assert placed(instrument, bob, "SELL", 1, 80).filled_quantity == 0
    assert_value_is_conserved()


def test_within_what_is_held_nothing_more_is_needed_however_poor_the_wallet_is(market):
    instrument, _, bob = market
    poor = some_trader(instrument, "Poor", credits=900, lots=10)
    bid, ask = placed(instrument, poor, "BUY", 10, 90), placed(instrument, poor, "SELL", 10, 200)
    assert available(poor, instrument.price_asset_id) == available(poor, instrument.asset_id) == 0

    for change in ({"quantity": 9, "limit_price": 100}, {"quantity": 12, "limit_price": 75}, {"limit_price": 70}):
        assert amend_order(order_id=bid.order_id, **change).status == "OPEN"
        assert row(bid).held == row(bid).quantity * row(bid).limit_price
    for price in (150, 300):
        assert amend_order(order_id=ask.order_id, limit_price=price).status == "OPEN"
    assert account(poor, instrument.asset_id).held == 10 * GPU_SECONDS_PER_LOT
    assert available(poor, instrument.price_asset_id) == 900 - 12 * 70
    with pytest.raises(Refusal):
        amend_order(order_id=bid.order_id, limit_price=76)
    with pytest.raises(Refusal):
        amend_order(order_id=ask.order_id, quantity=11)
    assert placed(instrument, bob, "SELL", 12, 70).status == "FILLED"
    assert_value_is_conserved()


def changes_of_holds(after: int) -> list[int]:
    """What the log says since of amounts set aside, entry by entry."""
    bodies = Entry.objects.filter(id__gt=after, kind="HOLD").order_by("id").values_list("body", flat=True)
    return [side.amount for body in bodies for side in parse(bytes(body)).postings]


def test_the_log_says_only_the_difference_of_what_is_held(market):
    instrument, ada, bob = market
    bid = placed(instrument, ada, "BUY", 10, 90)
    placed(instrument, bob, "SELL", 4, 100)

    def said(**change: int) -> list[int]:
        last = Entry.objects.latest("id").id
        amend_order(order_id=bid.order_id, **change)
        return changes_of_holds(last)

    assert said(quantity=9, limit_price=100) == [-400, -4 * GPU_SECONDS_PER_LOT]  # 4 of 9 are bought at once
    assert said(limit_price=90) == [-50]
    assert said(quantity=14, limit_price=45) == []
    assert said(limit_price=50) == [50]
    assert said(quantity=9) == [-250]
    assert_value_is_conserved()


def test_two_who_amend_in_two_series_at_once_never_wait_for_each_other_in_a_circle(market):
    """Each locks all accounts in their order: nobody holds one while waiting for an earlier one."""
    instrument, ada, bob = market
    other = some_instrument("H100-2027Q1")
    for wallet in (ada, bob):
        given(wallet, other.asset, 10**6)
    pairs = ((instrument, ada, bob), (other, bob, ada))
    bids = {each.id: placed(each, taker, "BUY", 1000, 80).order_id for each, taker, _ in pairs}
    deadlocks = deadlocks_so_far()

    for _ in range(20):
        for each, _taker, maker in pairs:
            amend_order(order_id=bids[each.id], limit_price=80)
            placed(each, maker, "SELL", 1, 100)
        results = at_once([lambda id_=id_: amend_order(order_id=id_, limit_price=100) for id_ in bids.values()])
        assert not [result for result in results if isinstance(result, Exception)]

    assert [order.filled_quantity for order in Order.objects.filter(id__in=bids.values())] == [20, 20]
    assert deadlocks_so_far() == deadlocks
    assert_value_is_conserved()


def deadlocks_so_far() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_stat_force_next_flush(), deadlocks FROM pg_stat_database WHERE datname = current_database()"
        )
        return cursor.fetchone()[1]


def test_a_partly_filled_order_is_held_for_what_is_left_of_it(market):
    instrument, _, bob = market
    poor = some_trader(instrument, "Poor", credits=1000, lots=0)
    bid = placed(instrument, poor, "BUY", 10, 100)
    placed(instrument, bob, "SELL", 4, 100)

    assert amend_order(order_id=bid.order_id, quantity=9, limit_price=120).status == "OPEN"  # 5 of them are open

    assert (row(bid).held, row(bid).filled_quantity, row(bid).open_quantity) == (600, 4, 5)
    answer = amend_order(order_id=bid.order_id, quantity=4)
    assert (answer.status, answer.reason, answer.quantity) == ("CANCELLED", "amended", 4)
    assert total_held() == 0
    assert_value_is_conserved()


def test_it_keeps_its_client_order_id_and_what_it_was_asked_for_first(market):
    instrument, ada, _ = market
    bid = placed(instrument, ada, "BUY", 10, 90, client_order_id="mine")
    for change in ({"quantity": 8}, {"limit_price": 95}, {"quantity": 20}, {"quantity": 0}):
        amend_order(order_id=bid.order_id, **change)

    assert placed(instrument, ada, "BUY", 10, 90, client_order_id="mine").order_id == bid.order_id
    with pytest.raises(ClientOrderIdConflict):
        placed(instrument, ada, "BUY", 20, 95, client_order_id="mine")


def test_each_amendment_is_one_event_with_what_it_changed(market):
    instrument, ada, bob = market
    bid = placed(instrument, ada, "BUY", 10, 90)
    placed(instrument, bob, "SELL", 5, 95)
    last = MarketEvent.objects.count()

    amend_order(order_id=bid.order_id, quantity=7)
    assert levels_since(last) == [["BUY", 90, -3, 0]]
    last = MarketEvent.objects.count()
    amend_order(order_id=bid.order_id, limit_price=96)
    assert levels_since(last) == [["BUY", 90, -7, -1], ["SELL", 95, -5, -1], ["BUY", 96, 2, 1]]
    last = MarketEvent.objects.count()
    amend_order(order_id=bid.order_id, quantity=5)
    assert levels_since(last) == [["BUY", 96, -2, -1]]


def levels_since(last: int) -> list[list]:
    events = MarketEvent.objects.filter(number__gt=last).order_by("number")
    return [level for event in events for level in event.payload["levels"]]


@pytest.mark.parametrize(
    ("choice", "own", "amended", "traded"),
    [
        ("CANCEL_NEWEST", "OPEN", ("CANCELLED", 3), [(100, 3)]),
        ("CANCEL_OLDEST", "CANCELLED", ("OPEN", 5), [(100, 3), (102, 2)]),
        ("CANCEL_BOTH", "CANCELLED", ("CANCELLED", 3), [(100, 3)]),
        ("DECREMENT", "CANCELLED", ("OPEN", 5), [(100, 3), (102, 2)]),
    ],
)
def test_what_arrives_anew_meets_its_own_by_its_own_choice(market, choice, own, amended, traded):
    instrument, ada, bob = market
    bid = placed(instrument, ada, "BUY", 20, 90, self_trade=choice)
    placed(instrument, bob, "SELL", 3, 100)
    mine = placed(instrument, ada, "SELL", 4, 101, self_trade="CANCEL_BOTH")
    placed(instrument, bob, "SELL", 2, 102)

    amend_order(order_id=bid.order_id, limit_price=102)

    assert row(mine).status == own
    assert (row(bid).status, row(bid).filled_quantity) == amended
    assert list(Trade.objects.order_by("number").values_list("price", "quantity")) == traded
    assert_value_is_conserved()


def test_a_position_limit_counts_the_amended_bid_once_and_all_wallets_of_its_owner(market):
    instrument, _, _ = market
    ruled(instrument.asset, position_limit=100 * GPU_SECONDS_PER_LOT)
    eve, second = some_trader(instrument, "Eve", lots=20), some_trader(instrument, "Eve's other", lots=10)
    ruled(second, owner=str(eve.public_id))
    bid, other = placed(instrument, eve, "BUY", 40, 90), placed(instrument, second, "BUY", 20, 90)

    assert amend_order(order_id=bid.order_id, quantity=50).status == "OPEN"
    for change in ({"quantity": 51}, {"quantity": 51, "limit_price": 80}):
        with pytest.raises(AmendmentRefused) as refused:
            amend_order(order_id=bid.order_id, **change)
        assert refused.value.reason == "position_limit"
    assert amend_order(order_id=bid.order_id, limit_price=95).status == "OPEN"
    amend_order(order_id=other.order_id, quantity=15)
    assert amend_order(order_id=bid.order_id, quantity=55).status == "OPEN"

    assert book(instrument)["bids"] == [(95, 55), (90, 15)]


def test_a_position_limit_binds_in_an_auction_as_well(market):
    instrument, ada, _ = market
    ruled(instrument.asset, position_limit=100 * GPU_SECONDS_PER_LOT)
    eve, second = some_trader(instrument, "Eve", lots=20), some_trader(instrument, "Eve's other", lots=10)
    ruled(second, owner=str(eve.public_id))
    in_auction(instrument)
    bid = placed(instrument, eve, "BUY", 50, 90)

    assert placed(instrument, second, "BUY", 21, 80).reason == "position_limit"
    assert placed(instrument, second, "BUY", 20, 80).status == "OPEN"
    with pytest.raises(AmendmentRefused):
        amend_order(order_id=bid.order_id, quantity=51)
    placed(instrument, ada, "SELL", 100, 70)
    auction_over(instrument)

    owned = sum(account(wallet, instrument.asset_id).balance for wallet in (eve, second))
    assert owned == 100 * GPU_SECONDS_PER_LOT
    assert_value_is_conserved()


def test_after_a_halt_what_was_amended_down_is_still_first_in_line(market):
    instrument, ada, bob = market
    first, second = placed(instrument, ada, "BUY", 10, 90), placed(instrument, bob, "BUY", 10, 90)
    into(instrument, "HALTED")
    amend_order(order_id=first.order_id, quantity=5)
    resume_instrument(instrument_id=instrument.id, now=timezone.now(), collect_seconds=3600, no_cancel_seconds=0)
    placed(instrument, some_trader(instrument, "Eve"), "SELL", 6, 90)

    auction_over(instrument)

    assert (row(first).status, row(second).filled_quantity) == ("FILLED", 1)


def test_what_was_amended_is_written_once_and_never_changed(market):
    instrument, ada, _ = market
    bid = placed(instrument, ada, "BUY", 10, 90)
    amend_order(order_id=bid.order_id, quantity=8)
    amend_order(order_id=bid.order_id, limit_price=91)

    assert Amendment.objects.count() == 1  # less keeps its place, and counts for nothing
    with connection.cursor() as cursor:
        cursor.execute("SELECT has_table_privilege('market_amendment', 'UPDATE, DELETE')")
        assert cursor.fetchone() == (False,)
