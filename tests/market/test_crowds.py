"""Many callers at once, and processes killed in the middle: kept by locks and commits, so on real transactions."""

import os
import signal
import threading
from collections import Counter

import psycopg
import pytest
from django.db import connection, connections
from django.utils import timezone

from ledger import pipelining
from ledger.models import Account
from ledger.pipelining import PipelinedCursor
from market import clearing
from market.answers import PlacedOrder
from market.instruments import close_instrument
from market.models import GPU_SECONDS_PER_LOT, Instrument, Order, Trade
from market.orders import cancel_order, place_order, place_orders
from tests.market.builders import (
    assert_value_is_conserved,
    available,
    new_order,
    placed,
    some_instrument,
    some_trader,
    total_held,
)

pytestmark = pytest.mark.django_db(transaction=True)


def at_once(calls):
    """Run the calls in threads that start together; their results, or the exceptions they raised."""
    results: list[object] = [None] * len(calls)
    barrier = threading.Barrier(len(calls))

    def run(place, call):
        barrier.wait()
        try:
            results[place] = call()
        except Exception as error:  # noqa: BLE001 - handed to the test
            results[place] = error
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(place, call)) for place, call in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert not any(thread.is_alive() for thread in threads)
    return results


def in_child(act):
    """Run it in a forked process with connections of its own; the process id."""
    connections.close_all()
    child = os.fork()
    if child:
        return child
    status = 1
    try:
        act()
        status = 0
    finally:
        os._exit(status)


def test_64_orders_at_once_each_get_their_answer_and_one_place_in_the_book():
    instrument = some_instrument()
    wallets = [some_trader(instrument, f"Trader {n}") for n in range(8)]
    sides = ("BUY", "SELL")
    orders = [new_order(instrument, wallets[n % 8], sides[n // 8 % 2], 1 + n % 5, 95 + n % 11) for n in range(64)]

    results = at_once([lambda order=order: place_orders([order])[0] for order in orders])

    assert all(isinstance(result, PlacedOrder) for result in results), results
    assert len({result.order_id for result in results}) == 64
    for order, result in zip(orders, results, strict=True):
        row = Order.objects.get(id=result.order_id)
        assert (row.wallet_id, row.client_order_id) == order.key
    assert not Order.objects.filter(status="WAITING").exists()
    priorities = [p for p in Order.objects.values_list("priority", flat=True) if p]
    assert sorted(priorities) == list(range(1, len(priorities) + 1))
    assert_value_is_conserved()


def test_64_orders_at_once_for_the_last_lot_give_one_seller():
    instrument = some_instrument()
    seller = some_trader(instrument, lots=1, credits=0)

    calls = [lambda: placed(instrument, seller, "SELL", 1, 100) for _ in range(64)]
    results = at_once(calls)

    assert Counter((result.status, result.reason) for result in results) == {
        ("OPEN", ""): 1,
        ("REJECTED", "not_enough"): 63,
    }
    assert available(seller, instrument.asset_id) == 0
    assert_value_is_conserved()


def test_one_client_order_id_asked_for_by_64_callers_at_once_is_one_order():
    instrument = some_instrument()
    ada = some_trader(instrument)

    results = at_once([lambda: placed(instrument, ada, "BUY", 2, 100, client_order_id="once") for _ in range(64)])

    assert len({result.order_id for result in results}) == 1, results
    assert Order.objects.count() == 1
    assert total_held() == 200


def test_processes_clear_for_each_other():
    instrument = some_instrument()
    ada, bob = some_trader(instrument), some_trader(instrument, "Bob")

    def trade(wallet, side, name):
        def act():
            for n in range(40):
                placed(instrument, wallet, side, 1, 100, client_order_id=f"{name}-{n}")

        return act

    children = [in_child(trade(ada, "SELL", f"s{n}")) for n in range(2)]
    children += [in_child(trade(bob, "BUY", f"b{n}")) for n in range(2)]

    assert [os.waitpid(child, 0)[1] for child in children] == [0] * 4
    assert Order.objects.filter(status="FILLED").count() == 160
    assert Trade.objects.count() == 80
    assert total_held() == 0
    assert_value_is_conserved()


def test_an_order_left_in_the_inbox_by_a_process_that_died_is_cleared_by_the_next():
    instrument = some_instrument()
    ada, bob = some_trader(instrument), some_trader(instrument, "Bob")
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": None}) as other:
        other.execute("SELECT 1 FROM market_instrument WHERE id = %s FOR UPDATE", [instrument.id])
        order = new_order(instrument, ada, "SELL", 3, 100)
        assert clearing._clear_once(instrument.id, [order], block=False) is None
        assert Order.objects.get().status == "WAITING"
        other.rollback()

    bid = placed(instrument, bob, "BUY", 3, 100)

    assert bid.status == "FILLED"
    assert Order.objects.get(wallet=ada).status == "FILLED"
    assert place_orders([order])[0].status == "FILLED"
    assert_value_is_conserved()


def test_a_waiting_order_can_be_cancelled_and_a_closing_instrument_empties_its_inbox():
    instrument = some_instrument()
    ada = some_trader(instrument)
    with psycopg.connect(**connection.get_connection_params() | {"cursor_factory": None}) as other:
        other.execute("SELECT 1 FROM market_instrument WHERE id = %s FOR UPDATE", [instrument.id])
        for _ in range(2):
            clearing._clear_once(instrument.id, [new_order(instrument, ada, "SELL", 3, 100)], block=False)
        other.rollback()
    first, second = Order.objects.order_by("id")

    cancel_order(order_id=first.id, now=timezone.now())
    close_instrument(instrument_id=instrument.id, now=timezone.now())

    assert set(Order.objects.values_list("status", flat=True)) == {"CANCELLED"}
    assert second.held == total_held() == 0


class KilledCursor(PipelinedCursor):
    """Kills its process just before, or just after, the given statement (a COPY counts as one)."""

    at: float = 0
    count = 0

    def _count(self):
        KilledCursor.count += 1
        return KilledCursor.count

    def execute(self, *args, **kwargs):
        number = self._count()
        if number == self.at:
            os.kill(os.getpid(), signal.SIGKILL)
        done = super().execute(*args, **kwargs)
        if number + 0.5 == self.at:
            os.kill(os.getpid(), signal.SIGKILL)
        return done

    def copy(self, *args, **kwargs):
        if self._count() == self.at:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().copy(*args, **kwargs)


# Statements of a process that knows no wallet yet: BEGIN, accounts, entering, public ids of both sides, orders, then
# one that writes the rest; or ids and holds, four COPY, and one for the rest.
POINTS = [
    (1, [1, 1.5, 2, 2.5, 3, 3.5, 4, 5, 5.5, 6, 6.5, 7, 7.5]),
    (70, [1, 1.5, 2, 3, 3.5, 4, 5, 5.5, 6, 6.5, 7, 7.5, 8, 9, 10, 11, 12, 12.5]),
]


@pytest.mark.parametrize(("size", "points"), POINTS)
def test_a_process_killed_at_any_statement_of_clearing_leaves_all_or_nothing(size, points):
    instrument = some_instrument()
    ada, bob = some_trader(instrument), some_trader(instrument, "Bob")
    instruments = Instrument.objects.filter(id=instrument.id)
    place_orders([new_order(instrument, ada, "SELL", 1, 100) for _ in range(size * len(points))])

    for point in points:
        before = snapshot(instruments)
        orders = [new_order(instrument, bob, "BUY", 1, 101) for _ in range(size)]

        def act(point=point, orders=orders):
            KilledCursor.at, KilledCursor.count = point, 0
            pipelining.PipelinedCursor = KilledCursor
            place_orders(orders)

        _, status = os.waitpid(in_child(act), 0)

        assert os.WIFSIGNALED(status), f"the process should have died at {point}"
        assert os.WTERMSIG(status) == signal.SIGKILL
        assert snapshot(instruments) == before, f"something was left behind by a death at {point}"
        assert_value_is_conserved()
        # The same ids asked again: placed now, once.
        assert [answer.status for answer in place_orders(orders)] == ["FILLED"] * size
        assert_value_is_conserved()


def test_a_process_killed_after_the_commit_has_placed_its_order_once():
    instrument = some_instrument()
    ada = some_trader(instrument)

    def act():
        placed(instrument, ada, "SELL", 3, 100, client_order_id="last words")
        os.kill(os.getpid(), signal.SIGKILL)

    os.waitpid(in_child(act), 0)
    again = place_order(
        instrument_id=instrument.id, wallet_id=ada.id, side="SELL", limit_price=100, quantity=3,
        client_order_id="last words",
    )  # fmt: skip

    assert again.status == "OPEN"
    assert Order.objects.count() == 1
    assert total_held() == 3 * GPU_SECONDS_PER_LOT


def snapshot(instruments):
    accounts = Account.objects.order_by("id").values_list("id", "balance", "held")
    orders = Order.objects.order_by("id").values_list("id", "status", "filled_quantity", "held")
    return list(accounts), list(orders), Trade.objects.count(), list(instruments.values())
