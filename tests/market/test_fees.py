"""Fees: whose, how they are rounded, what holds cover, and that the log's own rules take them."""

import pytest
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from ledger.models import Entry, Posting, Wallet
from ledger.verifying.replay import Replay
from market import settling
from market.amending import amend_order
from market.bands import fee
from market.errors import BadRule
from market.models import GPU_SECONDS_PER_LOT, InstrumentChange, Order, Trade
from market.orders import place_orders
from market.preview import preview_order
from market.rules import change_rules
from tests.market.builders import (
    account,
    assert_value_is_conserved,
    available,
    fees_received,
    new_order,
    placed,
    some_instrument,
    some_trader,
    with_rules,
)

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def market():
    """10 basis points of makers, 25 of takers; Bob has a million units of credit."""
    instrument = with_rules(some_instrument(), maker_fee_bp=10, taker_fee_bp=25)
    return instrument, some_trader(instrument), some_trader(instrument, "Bob", credits=1_000_000)


@given(quantities=st.lists(st.integers(1, 50), min_size=1), price=st.integers(1, 10**7), bp=st.integers(0, 1000))
def test_the_fee_of_the_whole_covers_the_fees_of_its_parts(quantities, price, bp):
    assert sum(fee(price * part, bp) for part in quantities) <= fee(price * sum(quantities), bp)


def test_a_buyer_pays_on_top_and_a_seller_gets_less_each_rounded_down(market):
    instrument, ada, bob = market
    rich = available(ada, instrument.price_asset_id)
    ask = placed(instrument, ada, "SELL", 7, 333)

    bought = placed(instrument, bob, "BUY", 7, 333)

    value = 7 * 333
    assert (bought.fees_paid, bought.filled_value) == (value * 25 // 10_000, value) == (5, 2331)
    trade = Trade.objects.get()
    assert (trade.maker_fee, trade.taker_fee) == (2, 5)
    assert Order.objects.get(id=ask.order_id).fees_paid == 2
    assert available(bob, instrument.price_asset_id) == 1_000_000 - value - 5
    assert available(ada, instrument.price_asset_id) == rich + value - 2
    assert fees_received() == 7
    assert Posting.objects.filter(transfer=trade.transfer_id).count() == 5
    assert_value_is_conserved()


def test_a_bids_hold_covers_the_taker_fee_and_what_is_over_comes_back_at_the_fill(market):
    instrument, ada, bob = market

    bid = placed(instrument, bob, "BUY", 100, 1000)
    assert account(bob, instrument.price_asset_id).held == 100_000 + 250
    placed(instrument, ada, "SELL", 40, 900)

    order = Order.objects.get(id=bid.order_id)
    assert order.held == 60_000 + 150
    assert order.fees_paid == 40  # a maker's 10 of 40,000
    assert available(bob, instrument.price_asset_id) == 1_000_000 - 40_000 - 40 - 60_150
    placed(instrument, ada, "SELL", 60, 900)
    assert account(bob, instrument.price_asset_id).held == 0
    assert available(bob, instrument.price_asset_id) == 1_000_000 - 100_000 - 40 - 60
    assert_value_is_conserved()


def test_who_has_the_price_and_not_the_fee_cannot_place_it(market):
    instrument, _, bob = market

    assert placed(instrument, bob, "BUY", 1000, 1000).reason == "not_enough"
    assert placed(instrument, bob, "BUY", 1000, 997).status == "OPEN"


def test_an_order_keeps_the_rates_it_was_accepted_under_also_amended(market):
    instrument, ada, bob = market
    ask = placed(instrument, ada, "SELL", 10, 1000)
    moved = placed(instrument, bob, "BUY", 10, 500)
    with_rules(instrument, maker_fee_bp=500, taker_fee_bp=1000)

    amend_order(order_id=moved.order_id, limit_price=600)
    assert Order.objects.get(id=moved.order_id).held == 6000 + 6000 * 25 // 10_000
    amend_order(order_id=moved.order_id, quantity=5)
    assert Order.objects.get(id=moved.order_id).held == 3000 + 3000 * 25 // 10_000
    placed(instrument, bob, "BUY", 10, 1000)

    trade = Trade.objects.get()
    assert (trade.maker_fee, trade.taker_fee) == (10, 1000)
    assert Order.objects.get(id=ask.order_id).fees_paid == 10
    assert_value_is_conserved()


@pytest.mark.parametrize("copy_from", [1, 50])
def test_many_fills_at_once_by_copy_and_by_arrays(market, monkeypatch, copy_from):
    monkeypatch.setattr(settling, "COPY_FROM", copy_from)
    instrument, ada, bob = market
    place_orders([new_order(instrument, ada, "SELL", 3, 301 + n % 5) for n in range(20)])

    swept = placed(instrument, bob, "BUY", 60, 310)

    fees = [3 * price * 25 // 10_000 for price in range(301, 306) for _ in range(4)]
    assert swept.fees_paid == sum(fees)
    assert available(bob, instrument.asset_id) == (10**9 + 60) * GPU_SECONDS_PER_LOT
    assert_value_is_conserved()


def test_the_preview_says_the_fee_that_the_order_then_pays(market):
    instrument, ada, bob = market
    placed(instrument, ada, "SELL", 7, 333)

    said = preview_order(instrument=instrument, order=new_order(instrument, bob, "BUY", 7, 400))

    assert said.fees == 5 == placed(instrument, bob, "BUY", 7, 400).fees_paid


def test_the_verifier_takes_trades_with_fees(market):
    instrument, ada, bob = market
    placed(instrument, ada, "SELL", 7, 333)
    placed(instrument, bob, "BUY", 9, 333)

    replay = Replay()
    bodies = Entry.objects.order_by("id").values_list("body", flat=True)
    assert [fault for body in bodies if (fault := replay.apply(bytes(body)))] == []


@pytest.mark.parametrize(
    ("rules", "field"),
    [
        ({"taker_fee_bp": 1001}, "taker_fee_bp"),
        ({"maker_fee_bp": 26}, "maker_fee_bp"),
        ({"maker_fee_bp": -1}, "maker_fee_bp"),
        ({"static_band_bp": 0}, "static_band_bp"),
        ({"reference_price": 0}, "reference_price"),
        ({"collect_seconds": -1}, "collect_seconds"),
        ({"phase": 1}, "phase"),
    ],
)
def test_rules_that_make_no_sense_are_refused(market, rules, field):
    instrument, _, _ = market
    with pytest.raises(BadRule) as refused:
        change_rules(instrument_id=instrument.id, changes=rules, reason="x", by_id=None, now=timezone.now())
    assert refused.value.field == field


def test_who_changed_the_fees_and_why_is_kept(market):
    instrument, _, _ = market
    change_rules(
        instrument_id=instrument.id, changes={"taker_fee_bp": 30}, reason="As decided.", by_id=None, now=timezone.now()
    )

    change = InstrumentChange.objects.order_by("-id").first()
    assert change.reason == "As decided."
    assert change.content == {"before": {"taker_fee_bp": 25}, "after": {"taker_fee_bp": 30}}
    assert Wallet.objects.filter(role=Wallet.Role.FEES).count() == 1
