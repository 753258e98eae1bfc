"""How far into the book a clearing reads: past what takes no part, in growing steps, and no further than needed."""

import psycopg
import pytest
from django.db import connection, transaction
from django.utils import timezone

from ledger.models import Wallet
from ledger.pipelining import Cursor
from market import known
from market.known import accounts_for
from market.loading import enter
from market.models import Order
from tests.ledger.builders import some_wallet, the_credits
from tests.market.builders import (
    account,
    assert_value_is_conserved,
    new_order,
    placed,
    some_instrument,
    some_trader,
)

pytestmark = pytest.mark.django_db(transaction=True)


def test_one_order_takes_from_hundreds():
    instrument = some_instrument()
    makers = [some_trader(instrument, f"Maker {n}") for n in range(7)]
    for n in range(301):
        placed(instrument, makers[n % 7], "SELL", 1 + n % 3, 200 + n % 5)

    taken = placed(instrument, some_trader(instrument, "Taker"), "BUY", 10**6, 300)

    assert taken.filled_quantity == sum(1 + n % 3 for n in range(301))
    assert not Order.objects.filter(side="SELL", status="OPEN").exists()
    assert_value_is_conserved()


def test_what_may_not_trade_any_more_is_passed_and_taken_out():
    instrument = some_instrument()
    frozen, good = some_trader(instrument, "Frozen"), some_trader(instrument, "Good")
    for _ in range(40):
        placed(instrument, frozen, "SELL", 5, 200)
    placed(instrument, good, "SELL", 5, 201)
    Wallet.objects.filter(id=frozen.id).update(frozen_at=timezone.now(), frozen_reason="x")

    assert placed(instrument, some_trader(instrument, "Taker"), "BUY", 5, 300).status == "FILLED"
    assert account(good, the_credits().id).balance > account(frozen, the_credits().id).balance
    assert_value_is_conserved()


def test_an_order_that_lets_its_own_give_way_reads_past_them():
    instrument = some_instrument()
    own, good = some_trader(instrument, "Own"), some_trader(instrument, "Good")
    for _ in range(40):
        placed(instrument, own, "SELL", 5, 200)
    placed(instrument, good, "SELL", 5, 201)

    assert placed(instrument, own, "BUY", 5, 300, self_trade="CANCEL_OLDEST").status == "FILLED"
    assert Order.objects.filter(wallet=own, side="SELL", status="CANCELLED").count() == 40
    assert_value_is_conserved()


def test_no_more_is_read_than_the_quantity_reaches():
    instrument = some_instrument()
    maker, taker = some_trader(instrument, "Maker"), some_trader(instrument, "Taker")
    for n in range(50):
        placed(instrument, maker, "SELL", 5, 200 + n)

    with transaction.atomic(), connection.cursor():
        cursor = Cursor(connection.connection)
        loaded = enter(cursor, instrument.id, [new_order(instrument, taker, "BUY", 11, 300)], block=True)

    assert [order.limit_price for order in loaded.resting] == [200, 201, 202]


def test_with_a_new_backend_all_is_asked_for_anew(monkeypatch):
    # Even with one that has the process id of another before it.
    monkeypatch.setattr(psycopg.ConnectionInfo, "backend_pid", 4711)
    connection.close()
    instrument = some_instrument()
    wallet = some_trader(instrument)
    placed(instrument, wallet, "SELL", 1, 200)
    assert known._tags
    connection.close()
    connection.ensure_connection()
    assert not known._tags
    assert not known._accounts
    connection.ensure_connection()
    assert placed(instrument, wallet, "SELL", 1, 200).status == "OPEN"


def test_accounts_that_went_with_a_transaction_are_opened_again():
    instrument = some_instrument()
    wallet = some_wallet("New")

    def remembered():
        with connection.cursor():
            return accounts_for(Cursor(connection.connection), instrument.id, [wallet.id])[wallet.id]

    with transaction.atomic():
        gone = remembered()
        transaction.set_rollback(True)
    assert remembered() == gone

    answer = placed(instrument, wallet, "BUY", 1, 200)

    assert (answer.status, answer.reason) == ("REJECTED", "not_enough")
    assert account(wallet, instrument.asset_id).id == remembered().base != gone.base
    assert_value_is_conserved()
