"""A client order id stands for one order of a wallet, for the wallet's life: whatever became of it and however often it
is asked for."""

from datetime import timedelta

import pytest
from django.utils import timezone

from ledger.clock import database_now
from market.amending import amend_order
from market.answers import NewOrder
from market.errors import ClientOrderIdConflict
from market.instruments import close_instrument
from market.loading import _IS_OVER, _bits_of
from market.models import Order
from market.orders import cancel_order, place_orders
from tests.market.builders import assert_value_is_conserved, new_order, placed, some_instrument

pytestmark = pytest.mark.django_db(transaction=True)


def ended(instrument, ada, bob, how: str) -> int:
    """Ada's bid of 5 at 100 with the id "mine", and what became of it."""
    terms = {"time_in_force": "FOK"} if how == "killed" else {"post_only": True} if how == "rejected" else {}
    if how == "rejected":
        placed(instrument, bob, "SELL", 1, 100)
    order = placed(instrument, ada, "BUY", 5, 100, client_order_id="mine", **terms).order_id
    if how == "cancelled":
        cancel_order(order_id=order, now=timezone.now())
    elif how == "filled":
        placed(instrument, bob, "SELL", 5, 100)
    elif how == "partly filled":
        placed(instrument, bob, "SELL", 2, 100)
    elif how == "amended away":
        amend_order(order_id=order, quantity=0)
    elif how == "moved":
        amend_order(order_id=order, quantity=9, limit_price=90)
    elif how == "closed":
        close_instrument(instrument_id=instrument.id, now=timezone.now())
    return order


ENDS = ["open", "cancelled", "filled", "partly filled", "amended away", "moved", "closed", "killed", "rejected"]


@pytest.mark.parametrize("how", ENDS)
def test_whatever_became_of_it_the_same_is_answered_and_anything_else_refused(market, how):
    instrument, ada, bob = market
    other = some_instrument("H100-2027Q1")
    order = ended(instrument, ada, bob, how)
    terms = {"time_in_force": "FOK"} if how == "killed" else {"post_only": True} if how == "rejected" else {}
    row = Order.objects.get(id=order)

    again = placed(instrument, ada, "BUY", 5, 100, client_order_id="mine", **terms)

    assert (again.order_id, again.status, again.filled_quantity, again.reason) == (
        order, row.status, row.filled_quantity, row.reason,
    )  # fmt: skip
    for where, side, quantity in ((other, "BUY", 5), (instrument, "SELL", 5), (instrument, "BUY", 6)):
        with pytest.raises(ClientOrderIdConflict):
            placed(where, ada, side, quantity, 100, client_order_id="mine", **terms)
    assert Order.objects.filter(client_order_id="mine").count() == 1
    assert_value_is_conserved()


def test_another_wallets_id_is_another_id(market):
    instrument, ada, bob = market

    first, second = (placed(instrument, wallet, "BUY", 5, 100, client_order_id="mine") for wallet in (ada, bob))

    assert first.order_id != second.order_id


def test_twice_in_one_call_it_is_one_order_and_with_other_content_a_conflict(market):
    instrument, ada, bob = market
    other = some_instrument("H100-2027Q1")

    def asked(where, wallet, name, quantity):
        return NewOrder(where.id, wallet.id, "BUY", 100, quantity, name)

    answers = place_orders(
        [
            asked(instrument, ada, "one", 5), asked(other, ada, "one", 5), asked(instrument, ada, "one", 5),
            asked(instrument, ada, "one", 6), asked(instrument, bob, "one", 6), asked(other, ada, "two", 1),
        ]
    )  # fmt: skip

    assert answers[0].order_id == answers[2].order_id
    assert [getattr(answer, "field", None) for answer in answers] == [None, "instrument", None, "quantity", None, None]
    assert {answer.status for answer in (answers[0], answers[4], answers[5])} == {"OPEN"}
    assert Order.objects.count() == 3
    assert_value_is_conserved()


def test_a_call_asked_for_again_answers_every_order_as_it_is_by_then(market):
    instrument, ada, bob = market
    orders = [new_order(instrument, ada, "BUY", 5, 100 - n) for n in range(60)]
    first = place_orders(orders)
    placed(instrument, bob, "SELL", 5, 100)
    cancel_order(order_id=first[1].order_id, now=timezone.now())

    again = place_orders(orders[::-1])[::-1]

    assert [answer.order_id for answer in again] == [answer.order_id for answer in first]
    assert [answer.status for answer in again] == ["FILLED", "CANCELLED", *["OPEN"] * 58]
    assert Order.objects.filter(wallet=ada).count() == 60


def test_a_date_is_exclusive_to_the_microsecond(market):
    instrument, ada, _ = market
    at = database_now()

    def is_over(until) -> bool:
        order = NewOrder(instrument.id, ada.id, "BUY", 100, 5, "d", "GTD", expires_at=until)
        return bool(_bits_of(order, at) & _IS_OVER)

    assert (is_over(at - timedelta(microseconds=1)), is_over(at), is_over(at + timedelta(microseconds=1))) == (
        True, True, False,
    )  # fmt: skip
    late = placed(instrument, ada, "BUY", 5, 100, time_in_force="GTD", expires_at=database_now())
    assert (late.status, late.reason) == ("REJECTED", "order_expired")
