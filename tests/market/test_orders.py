"""Placing and cancelling, one caller at a time."""

import pytest
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from ledger.models import Asset, Entry, Posting
from ledger.wallets import freeze_wallet
from market.errors import BadOrder, ClientOrderIdConflict, InstrumentClosed, NotOpenable, OrderNotOpen
from market.instruments import (
    close_instrument,
    expired_instruments,
    halt_instrument,
    open_instrument,
    resume_instrument,
)
from market.models import Instrument, MarketEvent, Order, Trade
from market.orders import cancel_order, place_orders
from tests.ledger.builders import FAR, some_series, the_credits
from tests.market.builders import (
    assert_value_is_conserved,
    available,
    book,
    new_order,
    placed,
    some_instrument,
    some_trader,
    total_held,
)

pytestmark = pytest.mark.django_db


def test_a_resting_order_holds_what_it_may_cost():
    instrument = some_instrument()
    ada = some_trader(instrument, credits=1_000_000, lots=50)

    bid = placed(instrument, ada, "BUY", 100, 2_500)
    ask = placed(instrument, ada, "SELL", 20, 3_000)

    assert (bid.status, ask.status) == ("OPEN", "OPEN")
    assert available(ada, instrument.price_asset_id) == 1_000_000 - 250_000
    assert available(ada, instrument.asset_id) == (50 - 20) * 36
    assert book(instrument) == {"bids": [(2_500, 100)], "asks": [(3_000, 20)]}
    assert_value_is_conserved()


def test_a_trade_settles_at_the_makers_price_and_gives_the_difference_back():
    instrument = some_instrument()
    seller = some_trader(instrument, credits=0, lots=100)
    buyer = some_trader(instrument, "Bob", credits=1_000_000, lots=0)
    ask = placed(instrument, seller, "SELL", 60, 2_000)

    bid = placed(instrument, buyer, "BUY", 100, 2_500)

    assert (bid.status, bid.filled_quantity, bid.filled_value) == ("OPEN", 60, 120_000)
    assert available(seller, instrument.price_asset_id) == 120_000
    assert available(buyer, instrument.asset_id) == 60 * 36
    assert available(buyer, instrument.price_asset_id) == 1_000_000 - 120_000 - 40 * 2_500
    trade = Trade.objects.get()
    assert (trade.maker_id, trade.taker_id, trade.price, trade.quantity) == (ask.order_id, bid.order_id, 2_000, 60)
    assert Order.objects.get(id=ask.order_id).status == "FILLED"
    assert_value_is_conserved()


def test_the_entry_of_a_trade_carries_its_four_sides_and_nobodys_name():
    from ledger.entries import leaf_hash, parse

    instrument = some_instrument()
    seller, buyer = some_trader(instrument, "Sellwood"), some_trader(instrument, "Buyfield")
    placed(instrument, seller, "SELL", 10, 2_000)
    placed(instrument, buyer, "BUY", 10, 2_000)

    entry = Entry.objects.get(transfer_kind="TRADE")
    parsed = parse(bytes(entry.body))
    amounts = sorted(Posting.objects.filter(transfer_id=entry.id).values_list("amount", flat=True))

    assert [side.amount for side in parsed.postings] == [-20_000, 20_000, -360, 360]
    assert amounts == [-20_000, -360, 360, 20_000]
    assert parsed.reference == entry.reference == "trade:H100-2026Q4:1"
    assert parsed.recorded_at == entry.recorded_at
    assert bytes(entry.leaf_hash) == leaf_hash(bytes(entry.body))
    assert b"Sellwood" not in bytes(entry.body)


def test_immediate_or_cancel_leaves_nothing_behind():
    instrument = some_instrument()
    seller, buyer = some_trader(instrument), some_trader(instrument, "Bob")
    placed(instrument, seller, "SELL", 5, 2_000)

    bid = placed(instrument, buyer, "BUY", 8, 2_100, time_in_force="IOC")

    assert (bid.status, bid.filled_quantity, bid.reason) == ("CANCELLED", 5, "immediate_or_cancel")
    assert total_held() == 0
    assert_value_is_conserved()


def test_an_order_that_cannot_be_paid_is_rejected_and_holds_nothing():
    instrument = some_instrument()
    poor = some_trader(instrument, credits=99, lots=1)

    bid, ask = placed(instrument, poor, "BUY", 1, 100), placed(instrument, poor, "SELL", 2, 100)

    assert [(bid.status, bid.reason), (ask.status, ask.reason)] == [("REJECTED", "not_enough")] * 2
    assert total_held() == 0


def test_orders_of_one_wallet_never_trade_with_each_other():
    instrument = some_instrument()
    ada, bob = some_trader(instrument), some_trader(instrument, "Bob")
    placed(instrument, bob, "SELL", 1, 100)
    placed(instrument, ada, "SELL", 5, 100)

    bid = placed(instrument, ada, "BUY", 4, 100)

    assert (bid.status, bid.filled_quantity, bid.reason) == ("CANCELLED", 1, "self_trade")
    assert book(instrument) == {"bids": [], "asks": [(100, 5)]}
    assert_value_is_conserved()


def test_the_same_client_order_id_answers_the_same_order():
    instrument = some_instrument()
    ada = some_trader(instrument)

    first = placed(instrument, ada, "BUY", 5, 100, client_order_id="mine")
    again = placed(instrument, ada, "BUY", 5, 100, client_order_id="mine")

    assert first == again
    assert Order.objects.count() == 1


@pytest.mark.parametrize(
    ("side", "quantity", "price", "tif", "field"),
    [
        ("SELL", 5, 100, "GTC", "side"),
        ("BUY", 6, 100, "GTC", "quantity"),
        ("BUY", 5, 101, "GTC", "limit_price"),
        ("BUY", 5, 100, "IOC", "time_in_force"),
    ],
)
def test_a_client_order_id_with_other_content_is_a_conflict_that_names_the_field(side, quantity, price, tif, field):
    instrument = some_instrument()
    ada = some_trader(instrument)
    placed(instrument, ada, "BUY", 5, 100, client_order_id="mine")

    with pytest.raises(ClientOrderIdConflict) as conflict:
        placed(instrument, ada, side, quantity, price, time_in_force=tif, client_order_id="mine")

    assert conflict.value.field == field


def test_the_client_order_id_of_another_instrument_is_a_conflict_too():
    one, other = some_instrument(), some_instrument("B200-2026Q4")
    ada = some_trader(one)
    placed(one, ada, "BUY", 5, 100, client_order_id="mine")

    with pytest.raises(ClientOrderIdConflict) as conflict:
        placed(other, ada, "BUY", 5, 100, client_order_id="mine")

    assert conflict.value.field == "instrument"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"side": "HOLD"}, "side"),
        ({"quantity": 0}, "quantity"),
        ({"quantity": -1}, "quantity"),
        ({"quantity": 10**12}, "quantity"),
        ({"price": 0}, "limit_price"),
        ({"price": 10**8}, "limit_price"),
        ({"time_in_force": "DAY"}, "time_in_force"),
        ({"kind": "STOP"}, "kind"),
        ({"kind": "MARKET"}, "time_in_force"),
        ({"post_only": True, "time_in_force": "IOC"}, "post_only"),
        ({"self_trade": "ALLOW"}, "self_trade"),
        ({"time_in_force": "GTD"}, "expires_at"),
        ({"expires_at": FAR}, "expires_at"),
        ({"client_order_id": "x" * 81}, "client_order_id"),
        ({"client_order_id": "a\x00b"}, "client_order_id"),
    ],
)
def test_what_no_instrument_takes_is_refused_by_field(fields, field):
    instrument = some_instrument()
    ada = some_trader(instrument)

    with pytest.raises(BadOrder) as refusal:
        placed(instrument, ada, **({"side": "BUY", "quantity": 1, "price": 1} | fields))

    assert refusal.value.field == field
    assert not Order.objects.exists()


def test_a_cancelled_order_gives_back_what_it_held():
    instrument = some_instrument()
    ada = some_trader(instrument)
    bid = placed(instrument, ada, "BUY", 5, 100)

    cancel_order(order_id=bid.order_id, now=timezone.now())

    assert total_held() == 0
    assert book(instrument) == {"bids": [], "asks": []}
    with pytest.raises(OrderNotOpen, match="already cancelled"):
        cancel_order(order_id=bid.order_id, now=timezone.now())
    assert_value_is_conserved()


def test_a_halted_instrument_takes_no_orders_but_cancels():
    instrument = some_instrument()
    ada = some_trader(instrument)
    bid = placed(instrument, ada, "BUY", 5, 100)

    halt_instrument(instrument_id=instrument.id, reason="Cooling works.", now=timezone.now())
    refused = placed(instrument, ada, "BUY", 5, 100)
    cancelled = cancel_order(order_id=bid.order_id, now=timezone.now())
    resume_instrument(instrument_id=instrument.id, now=timezone.now(), collect_seconds=0, no_cancel_seconds=0)
    taken = placed(instrument, ada, "BUY", 5, 100)

    assert Instrument.objects.get().phase == "CONTINUOUS"
    assert (refused.status, refused.reason) == ("REJECTED", "instrument_halted")
    assert cancelled.status == "CANCELLED"
    assert taken.status == "OPEN"


def test_a_closed_instrument_has_given_every_hold_back():
    instrument = some_instrument()
    ada = some_trader(instrument)
    placed(instrument, ada, "BUY", 5, 100)
    placed(instrument, ada, "SELL", 5, 200)

    assert close_instrument(instrument_id=instrument.id, now=timezone.now()) == 2

    assert total_held() == 0
    assert placed(instrument, ada, "BUY", 5, 100).reason == "instrument_closed"
    with pytest.raises(InstrumentClosed):
        resume_instrument(instrument_id=instrument.id, now=timezone.now())
    assert_value_is_conserved()


def test_credits_are_not_an_instrument():
    with pytest.raises(NotOpenable):
        open_instrument(asset_id=the_credits().id, now=timezone.now())


def test_a_frozen_wallet_places_nothing_and_its_resting_order_is_not_traded():
    instrument = some_instrument()
    ada, bob = some_trader(instrument), some_trader(instrument, "Bob")
    ask = placed(instrument, ada, "SELL", 5, 100)
    placed(instrument, bob, "SELL", 5, 101)
    freeze_wallet(wallet_id=ada.id, reason="Asked for.", now=timezone.now())

    refused = placed(instrument, ada, "BUY", 1, 10)
    bid = placed(instrument, some_trader(instrument, "Cy"), "BUY", 5, 105)

    assert (refused.status, refused.reason) == ("REJECTED", "wallet_frozen")
    assert (bid.status, bid.filled_value) == ("FILLED", 505)
    frozen = Order.objects.get(id=ask.order_id)
    assert (frozen.status, frozen.reason, frozen.held) == ("CANCELLED", "wallet_frozen", 0)
    assert_value_is_conserved()


def test_an_allowance_may_buy_but_not_sell():
    instrument = some_instrument()
    student = some_trader(instrument, may_sell=False)

    ask, bid = placed(instrument, student, "SELL", 1, 100), placed(instrument, student, "BUY", 1, 100)

    assert (ask.status, ask.reason) == ("REJECTED", "wallet_may_not_sell")
    assert bid.status == "OPEN"


def test_a_paused_series_takes_no_orders():
    instrument = some_instrument()
    ada = some_trader(instrument)
    Asset.objects.filter(id=instrument.asset_id).update(paused_at=timezone.now())

    assert placed(instrument, ada, "BUY", 1, 100).reason == "asset_paused"


def test_an_expired_series_takes_no_orders():
    figures = {"kind": "POOL", "gpu_type": "h100", "gpu_memory_gb": 80, "network_gbps": 400}
    asset = Asset.objects.create(
        code="OLD", definition=b"{}", definition_hash=bytes(32), expires_at=timezone.now(), created_at=timezone.now(),
        **figures,
    )  # fmt: skip
    instrument = Instrument.objects.create(asset=asset, price_asset=the_credits(), code="OLD", opened_at=timezone.now())

    assert placed(instrument, some_trader(instrument, lots=0), "BUY", 1, 100).reason == "series_expired"
    assert expired_instruments(now=timezone.now()) == [instrument.id]


def test_a_wallet_without_accounts_gets_them_with_its_first_order():
    instrument = some_instrument()
    ada, new = some_trader(instrument), some_trader(instrument, "New", credits=0, lots=0)
    placed(instrument, ada, "SELL", 1, 100)

    assert placed(instrument, new, "BUY", 1, 100).reason == "not_enough"
    assert new.accounts.count() == 2


def test_a_bulk_is_placed_in_the_order_given():
    instrument = some_instrument()
    ada, bob = some_trader(instrument), some_trader(instrument, "Bob")
    orders = [new_order(instrument, ada, "SELL", 1, 100) for _ in range(80)]
    orders += [new_order(instrument, bob, "BUY", 1, 100) for _ in range(81)]

    answers = place_orders(orders)

    assert [answer.status for answer in answers] == ["FILLED"] * 160 + ["OPEN"]
    pairs = Trade.objects.order_by("number").values_list("maker_id", "taker_id")
    assert list(pairs) == [(answers[n].order_id, answers[80 + n].order_id) for n in range(80)]
    assert_value_is_conserved()


def test_an_event_tells_trades_and_changed_levels_without_names():
    instrument = some_instrument()
    ada, bob = some_trader(instrument), some_trader(instrument, "Bob")
    placed(instrument, ada, "SELL", 5, 100)
    placed(instrument, bob, "BUY", 7, 101)

    first, second = MarketEvent.objects.order_by("number")

    assert (first.number, first.payload["levels"]) == (1, [["SELL", 100, 5, 1]])
    assert second.payload["trades"] == [[1, 100, 5, "BUY"]]
    assert second.payload["levels"] == [["SELL", 100, -5, -1], ["BUY", 101, 2, 1]]
    assert set(second.payload) == {"at", "trades", "levels"}


def test_nothing_is_said_of_an_order_that_changed_nothing():
    instrument = some_instrument()

    placed(instrument, some_trader(instrument, credits=0, lots=0), "BUY", 1, 100)

    assert not MarketEvent.objects.exists()
    assert Instrument.objects.get().last_event == 0


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE market_trade SET price = 1",
        "DELETE FROM market_trade",
        "UPDATE market_marketevent SET number = 7",
        "DELETE FROM market_order",
        "UPDATE market_order SET limit_price = 1",
        "UPDATE market_order SET held = held + 1",
        "UPDATE market_order SET filled_quantity = quantity + 1",
        "TRUNCATE market_trade",
    ],
)
def test_postgres_refuses_to_rewrite_the_markets_history(statement):
    instrument = some_instrument()
    ada = some_trader(instrument)
    placed(instrument, ada, "BUY", 5, 100)

    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_a_series_of_another_quarter_is_another_instrument():
    first = some_instrument()
    second = open_instrument(asset_id=some_series("H100-2027Q1").id, now=timezone.now())

    assert first != second
    assert first == open_instrument(asset_id=first.asset_id, now=timezone.now())
