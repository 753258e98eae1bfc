"""So many orders a minute for what trades of them, by beneficial owner, in the database's time."""

import pytest
from django.db import connection

from market import orderly
from market.errors import TooManyOrders
from market.models import Order
from market.orders import place_orders
from tests.api.builders import a_market, an_order
from tests.ledger.builders import ruled
from tests.market.builders import new_order, some_instrument, some_trader
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


def test_the_count_reads_a_bounded_part_of_the_wallets_orders():
    instrument = some_instrument()
    ada = some_trader(instrument, "Ada")
    resting(instrument, ada, 40)
    figures = {"wallet": ada.id, "window": 60, "most": 10, "free": 4}
    with connection.cursor() as cursor:
        cursor.execute("EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF, COSTS OFF) " + orderly._COUNT, figures)
        plan = [row[0] for row in cursor.fetchall()]

    read = [line for line in plan if "on market_order" in line]
    assert read
    assert all("rows=10" in line or "rows=10.00" in line for line in read), plan
