"""A transaction in two trips is one all the same: whole or not at all, whatever ends it or goes on inside it."""

import psycopg
import pytest
from django.db import IntegrityError, connection, transaction
from psycopg.pq import TransactionStatus

from ledger.models import Wallet
from ledger.pipelining import pipelined_transaction

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def table():
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE digits (number integer PRIMARY KEY)")
        yield
        cursor.execute("DROP TABLE digits")


def insert(cursor, number):
    cursor.execute("INSERT INTO digits VALUES ($1::integer)", [number], prepare=True)


def numbers():
    with connection.cursor() as cursor:
        cursor.execute("SELECT number FROM digits ORDER BY number")
        return [number for (number,) in cursor.fetchall()]


def assert_as_any_other():
    """Outside of a transaction, each statement is one of its own again."""
    assert connection.connection.info.transaction_status == TransactionStatus.IDLE
    assert connection.connection.info.pipeline_status == 0
    assert connection.get_autocommit()
    assert connection.connection.autocommit


def test_what_was_done_is_committed(table):
    with pipelined_transaction() as cursor:
        insert(cursor, 1)
        assert cursor.execute("SELECT count(*) FROM digits").fetchone() == (1,)
        insert(cursor, 2)
        assert connection.in_atomic_block

    assert_as_any_other()
    connection.connection.rollback()
    assert numbers() == [1, 2]


def test_what_is_raised_inside_undoes_it(table):
    def act():
        with pipelined_transaction() as cursor:
            insert(cursor, 1)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        act()
    assert_as_any_other()
    assert numbers() == []


def test_what_nobody_looked_at_fails_at_the_end_and_undoes_it(table):
    def act():
        with pipelined_transaction() as cursor:
            insert(cursor, 1)
            insert(cursor, 1)

    with pytest.raises(IntegrityError) as caught:
        act()
    assert isinstance(caught.value.__cause__, psycopg.errors.UniqueViolation)
    assert_as_any_other()
    assert numbers() == []


def test_a_rollback_that_was_asked_for(table):
    with pipelined_transaction() as cursor:
        insert(cursor, 1)
        transaction.set_rollback(True)

    assert_as_any_other()
    assert numbers() == []


def ask_by_django(cursor):
    # How many rows were changed is known at once.
    assert Wallet.objects.filter(name="Nobody").update(name="Else") == 0
    insert(cursor, 2)


def copy_in(cursor):
    with cursor.copy("COPY digits FROM STDIN") as copy:
        copy.write_row([2])


@pytest.mark.parametrize("fails", [False, True])
@pytest.mark.parametrize("go_on", [ask_by_django, copy_in])
def test_what_leaves_the_pipeline_is_of_the_same_transaction(table, go_on, fails):
    try:
        with pipelined_transaction() as cursor:
            insert(cursor, 1)
            go_on(cursor)
            if fails:
                raise ZeroDivisionError
    except ZeroDivisionError:
        assert fails

    assert_as_any_other()
    assert numbers() == ([] if fails else [1, 2])


def test_it_is_an_action_and_no_step(table):
    with transaction.atomic(), pytest.raises(RuntimeError), pipelined_transaction():
        raise AssertionError("it must not begin")
