"""So many orders a minute for what trades of them, by beneficial owner, in the database's time."""

import re

import pytest
from django.db import DatabaseError, connection, transaction

from market import orderly
from market.amending import amend_order
from market.errors import AmendmentRefused, TooManyOrders
from market.models import Amendment, Order
from market.orders import place_orders
from tests.api.builders import a_market, an_order
from tests.ledger.builders import ruled
from tests.market.builders import new_order, placed, some_instrument, some_trader
from tests.market.prices.aging import made_older

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _small(settings):
    settings.MARKET_FREE_ORDERS = 40
    settings.MARKET_ORDERS_PER_TRADE = 4
    orderly.forget()
    yield
    orderly.forget()


def resting(instrument, wallet, count: int) -> None:
    place_orders([new_order(instrument, wallet, "BUY", 1, 100) for _ in range(count)])


def test_up_to_the_limit_orders_are_taken_and_then_refused_as_a_whole():
    instrument = some_instrument()
    ada = some_trader(instrument, "Ada")
    for _ in range(4):
        resting(instrument, ada, 10)

    with pytest.raises(TooManyOrders) as refused:
        resting(instrument, ada, 1)

    assert refused.value.code == "too_many_orders"
    assert 50 <= refused.value.retry_after <= 60
    assert Order.objects.count() == 40


def test_a_call_that_goes_beyond_the_limit_places_nothing():
    instrument = some_instrument()
    ada = some_trader(instrument, "Ada")

    with pytest.raises(TooManyOrders):
        resting(instrument, ada, 41)

    assert Order.objects.count() == 0


def test_who_trades_may_place_more():
    instrument = some_instrument()
    ada, ben = some_trader(instrument, "Ada"), some_trader(instrument, "Ben")
    place_orders([new_order(instrument, ben, "SELL", 1, 100) for _ in range(30)])

    resting(instrument, ada, 30)
    resting(instrument, ada, 30)
    orderly.forget()
    resting(instrument, ada, 60)

    assert Order.objects.filter(wallet=ada).count() == 120
    with pytest.raises(TooManyOrders):
        resting(instrument, ada, 1)


def test_all_wallets_of_an_owner_count_together_and_nobody_elses():
    instrument = some_instrument()
    ada, ben = some_trader(instrument, "Ada"), some_trader(instrument, "Ben")
    second = some_trader(instrument, "Ada's second")
    ruled(second, owner=str(ada.public_id))
    resting(instrument, ada, 35)

    with pytest.raises(TooManyOrders):
        resting(instrument, second, 6)
    resting(instrument, ben, 6)


def test_another_process_counts_what_this_one_placed():
    """Each process asks the database, so what the others let through is known to it."""
    instrument = some_instrument()
    ada = some_trader(instrument, "Ada")
    resting(instrument, ada, 40)
    orderly.forget()  # as if it were another

    with pytest.raises(TooManyOrders):
        resting(instrument, ada, 6)


def test_a_minute_later_there_is_room_again():
    instrument = some_instrument()
    ada = some_trader(instrument, "Ada")
    resting(instrument, ada, 40)
    made_older("market_order", "placed_at", seconds=61)
    orderly.forget()

    resting(instrument, ada, 40)

    assert Order.objects.count() == 80


def test_an_owner_with_few_orders_costs_no_statement(django_assert_num_queries):
    instrument = some_instrument()
    ada = some_trader(instrument, "Ada")
    orders = [new_order(instrument, ada, "BUY", 1, 100) for _ in range(5)]

    with django_assert_num_queries(0):
        orderly.keep_orderly(orders)
    with django_assert_num_queries(1):
        orderly.keep_orderly(orders)
    with django_assert_num_queries(0):
        orderly.keep_orderly([])


def test_the_api_says_when_to_come_back():
    market = a_market()
    bulk = {"orders": [an_order(client_order_id=f"c{number}") for number in range(41)]}

    many = market.ada.post("orders/bulk/", bulk, key=None)

    assert (many.status, many.code) == (429, "too_many_orders")
    assert int(many.headers["Retry-After"]) >= 1
    assert Order.objects.count() == 0
    assert market.bob.post("orders/", an_order()).status == 201


def test_an_amendment_that_loses_its_place_counts_as_an_order_does():
    instrument = some_instrument()
    ada = some_trader(instrument, "Ada")
    resting(instrument, ada, 10)
    order = Order.objects.latest("id")

    for number in range(30):
        amend_order(order_id=order.id, limit_price=101 + number % 2)
    with pytest.raises(TooManyOrders) as refused:
        amend_order(order_id=order.id, limit_price=105)
    with pytest.raises(TooManyOrders):
        amend_order(order_id=order.id, quantity=2)
    with pytest.raises(TooManyOrders):
        resting(instrument, ada, 1)

    order.refresh_from_db()
    assert 50 <= refused.value.retry_after <= 60
    assert (order.limit_price, order.quantity, order.amendments.count()) == (102, 1, 30)


def test_less_at_the_same_price_and_cancelling_count_for_nothing():
    instrument = some_instrument()
    ada = some_trader(instrument, "Ada")
    placed(instrument, ada, "BUY", 100, 100)
    resting(instrument, ada, 39)
    order = Order.objects.earliest("id")

    for number in range(20):
        amend_order(order_id=order.id, quantity=99 - number)
    amend_order(order_id=order.id, quantity=80)
    cancelled = amend_order(order_id=order.id, quantity=0)

    assert cancelled.status == "CANCELLED"
    assert not Amendment.objects.exists()


def test_what_is_refused_counts_for_an_amendment_no_more_than_it_changes_the_book_and_for_an_order_it_does():
    """An amendment that is refused leaves the order as it was and no row behind; an order that is rejected is there."""
    instrument = some_instrument()
    ada, ben = some_trader(instrument, "Ada"), some_trader(instrument, "Ben")
    placed(instrument, ben, "SELL", 1, 200)
    quiet = placed(instrument, ada, "BUY", 1, 100, post_only=True)

    for _ in range(50):
        with pytest.raises(AmendmentRefused):
            amend_order(order_id=quiet.order_id, limit_price=200)
    resting(instrument, ada, 19)
    for _ in range(20):
        assert placed(instrument, ada, "BUY", 1, 200, post_only=True).status == "REJECTED"

    with pytest.raises(TooManyOrders):
        placed(instrument, ada, "BUY", 1, 100)
    assert Order.objects.filter(wallet=ada).count() == 40
    assert not Amendment.objects.exists()


def test_asked_again_with_the_same_ids_nothing_is_counted_twice():
    instrument = some_instrument()
    ada = some_trader(instrument, "Ada")
    orders = [new_order(instrument, ada, "BUY", 1, 100) for _ in range(15)]
    for _ in range(2):
        place_orders(orders)

    resting(instrument, ada, 25)

    assert Order.objects.count() == 40


def test_an_amendment_that_trades_makes_room_once_and_what_was_filled_before_makes_none():
    instrument = some_instrument()
    ada, ben = some_trader(instrument, "Ada"), some_trader(instrument, "Ben")
    placed(instrument, ada, "BUY", 20, 100)
    placed(instrument, ben, "SELL", 1, 100)
    order = Order.objects.get(wallet=ada)
    made_older("market_order", "placed_at", seconds=61)

    def room() -> tuple[int, int]:
        """Orders and amendments of Ada's in the minute, and how many orders of hers traded by them."""
        figures = {"wallet": ada.id, "window": 60, "most": 100, "free": 40}
        with connection.cursor() as cursor:
            cursor.execute(orderly._COUNT, figures)
            _owner, count, traded, _now, _oldest = cursor.fetchone()
        return count, traded

    for number in range(3):
        amend_order(order_id=order.id, limit_price=101 + number % 2)
    before = room()
    placed(instrument, ben, "SELL", 1, 100)
    after = room()

    assert before == (3, 0)  # it was filled, but before them
    assert after == (3, 1)  # all three, and one order that traded


def test_another_process_counts_what_was_amended_in_this_one():
    instrument = some_instrument()
    ada = some_trader(instrument, "Ada")
    resting(instrument, ada, 1)
    order = Order.objects.get()
    for number in range(39):
        amend_order(order_id=order.id, limit_price=101 + number % 2)
    orderly.forget()  # as if it were another

    with pytest.raises(TooManyOrders):
        resting(instrument, ada, 6)


def test_amendments_are_history():
    instrument = some_instrument()
    placed(instrument, some_trader(instrument, "Ada"), "BUY", 5, 100)
    amend_order(order_id=Order.objects.get().id, quantity=9, limit_price=101)

    row = Amendment.objects.get()
    assert (row.limit_price, row.quantity, row.filled_quantity) == (101, 9, 0)
    for statement in ("UPDATE market_amendment SET quantity = 1", "DELETE FROM market_amendment"):
        with pytest.raises(DatabaseError, match="permission denied"), connection.cursor() as cursor:
            cursor.execute(statement)


def test_the_count_reads_a_bounded_part_of_the_wallets_orders():
    instrument = some_instrument()
    ada = some_trader(instrument, "Ada")
    resting(instrument, ada, 25)
    for number in range(15):
        amend_order(order_id=Order.objects.latest("id").id, limit_price=101 + number % 2)
    figures = {"wallet": ada.id, "window": 60, "most": 10, "free": 4}
    with transaction.atomic(), connection.cursor() as cursor:
        # Of so few rows it would read all: what counts is that it need not.
        cursor.execute("SET LOCAL enable_sort = off; SET LOCAL enable_seqscan = off")
        cursor.execute("EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF, COSTS OFF) " + orderly._COUNT, figures)
        plan = [row[0] for row in cursor.fetchall()]

    read = [float(rows) for line in plan for rows in re.findall(r"on market_(?:order|amendment).*rows=([\d.]+)", line)]
    assert sorted(read) == [1, 10, 10], plan  # of an amendment its order's row, by its key
