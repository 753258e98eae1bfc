"""Positions: average price and results, exact in whole numbers, and the same from the database."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given as drawn
from hypothesis import strategies as st

from ledger.models import Account
from market.fills import FILLS_KEPT, Life, lives_of
from market.positions import GPU_SECONDS_PER_LOT as LOT
from market.positions import Movement, Position, moved, position_of
from tests.market.builders import placed, some_instrument, some_trader


def test_average_price_realised_and_unrealised_result():
    # 10 lots at 300, 10 at 310, then 5 sold at 320.
    position = position_of([Movement(10 * LOT, 3000), Movement(10 * LOT, 3100), Movement(-5 * LOT, 1600)])

    assert position.average_price == 305
    assert position.realised == 1600 - 5 * 305
    assert position.unrealised_at(310) == 15 * 310 - 15 * 305


def test_a_sale_takes_what_was_bought_first_and_a_job_what_was_granted():
    granted = position_of([Movement(10 * LOT), Movement(4 * LOT, 400)])

    sold = moved(granted, Movement(-6 * LOT, 1200))
    used = moved(granted, Movement(-12 * LOT))

    assert (sold.bought, sold.unpriced, sold.realised, sold.proceeds_unpriced) == (0, 8 * LOT, 800 - 400, 400)
    assert (used.bought, used.unpriced, used.cost, used.used_cost) == (2 * LOT, 0, 200, 200)
    assert (used.realised, used.average_price) == (0, 100)


@st.composite
def lives(draw):
    """Movements of an account that never takes more than there is."""
    movements, balance = [], 0
    for _ in range(draw(st.integers(1, 25))):
        value = draw(st.none() | st.integers(0, 10**9))
        amount = draw(st.integers(-balance, 10**6).filter(bool))
        movements.append(Movement(amount, value))
        balance += amount
    return movements


@drawn(lives())
def test_nothing_is_lost_by_rounding(movements):
    position = position_of(movements)

    paid = sum(m.value for m in movements if m.amount > 0 and m.value is not None)
    received = sum(m.value for m in movements if m.amount < 0 and m.value is not None)
    assert position.quantity == sum(m.amount for m in movements)
    assert min(position.bought, position.unpriced, position.cost) >= 0
    assert position.bought or not position.cost
    # All that was paid is in the position, was used, or was sold; all that was received is a result or another's.
    assert position.realised + position.proceeds_unpriced == received - (paid - position.cost - position.used_cost)
    assert position == position_of(movements[3:], start=position_of(movements[:3]))


@drawn(lives(), st.integers(1, 10**6))
def test_figures_are_within_one_unit_of_the_exact_ones(movements, price):
    exact_bought, exact_cost = 0, Fraction(0)
    unpriced = 0
    for movement in movements:
        if movement.amount > 0 and movement.value is None:
            unpriced += movement.amount
        elif movement.amount > 0:
            exact_bought, exact_cost = exact_bought + movement.amount, exact_cost + movement.value
        else:
            first = exact_bought if movement.value is not None else unpriced
            gone = min(-movement.amount, first)
            bought = gone if movement.value is not None else -movement.amount - gone
            if bought:
                exact_cost -= exact_cost * Fraction(bought, exact_bought)
            exact_bought -= bought
            unpriced -= -movement.amount - bought
    position = position_of(movements)

    assert (position.bought, position.unpriced) == (exact_bought, unpriced)
    # Each of the movements that took a part rounded its cost once, by less than one unit.
    assert 0 <= position.cost - exact_cost < len(movements) + 1
    if position.bought:
        assert abs(position.average_price - Fraction(position.cost * LOT, position.bought)) <= Fraction(1, 2)
    assert position.unrealised_at(price) <= Fraction(price * position.bought, LOT) - position.cost


@pytest.mark.django_db
def test_fills_and_positions_are_read_in_one_statement_however_many_trades(django_assert_num_queries):
    instrument = some_instrument()
    maker = some_trader(instrument, "Maker")
    ada = some_trader(instrument, "Ada", lots=0)
    for number in range(12):
        placed(instrument, maker, "SELL", 10, 300 + number)
        placed(instrument, ada, "BUY", 10, 400)
    placed(instrument, maker, "BUY", 30, 500)
    last = placed(instrument, ada, "SELL", 30, 100)
    account = Account.objects.get(wallet=ada, asset=instrument.asset)

    with django_assert_num_queries(1):
        life = lives_of({account.id: Life()})[account.id]
    found, newest = life.position, life.fills

    cost = sum(10 * (300 + number) for number in range(12))
    assert (len(newest), life.movements) == (13, 13)
    assert found.quantity == account.balance == 90 * LOT
    assert found.cost == cost - cost * 30 // 120
    assert found.realised == 30 * 500 - cost * 30 // 120
    assert [(fill.is_buy, fill.price, fill.quantity) for fill in newest[:2]] == [(False, 500, 30), (True, 311, 10)]
    assert (newest[0].order_id, newest[0].is_taker) == (last.order_id, True)


@pytest.mark.django_db
def test_a_life_is_gone_on_from_and_read_anew_where_it_does_not_lead_to_the_balance(django_assert_num_queries):
    instrument = some_instrument()
    maker, ada = some_trader(instrument, "Maker"), some_trader(instrument, "Ada", lots=5)
    account = Account.objects.get(wallet=ada, asset=instrument.asset)

    def trade(count):
        for number in range(count):
            placed(instrument, maker, "SELL", 3, 300 + number)
            placed(instrument, ada, "BUY", 3, 400)

    trade(FILLS_KEPT)
    half = lives_of({account.id: Life()})
    trade(4)
    whole = lives_of({account.id: Life()})

    with django_assert_num_queries(1):
        assert lives_of(half) == whole
    with django_assert_num_queries(1):
        assert lives_of(whole) == whole
    assert len(whole[account.id].fills) == FILLS_KEPT
    assert [fill.number for fill in whole[account.id].fills[:5]] == [24, 23, 22, 21, 20]
    # What is known of another history, as after a restored backup.
    wrong = replace(half[account.id], position=Position(bought=1, cost=1))
    assert lives_of({account.id: wrong}) == whole
    beyond = replace(whole[account.id], upto=10**15, position=Position(bought=7))
    assert lives_of({account.id: beyond}) == whole


def test_an_empty_position_has_no_average():
    assert Position().average_price is None
