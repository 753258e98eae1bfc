"""A transaction in two trips is one all the same: whole or not at all, whatever ends it or goes on inside it."""

from datetime import UTC, datetime

import psycopg
import pytest
from django.db import DataError, IntegrityError, OperationalError, ProgrammingError, connection, transaction
from psycopg.pq import TransactionStatus

from ledger.models import Wallet
from ledger.pipelining import Asked, pipelined_transaction
from ledger.questions import Questions
from tests import cluster
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def table():
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE digits (number integer PRIMARY KEY)")
        yield
        cursor.execute("DROP TABLE digits")


def insert(cursor, number):
    cursor.execute("INSERT INTO digits VALUES ($1::integer)", [number])


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


def test_postgres_goes_ahead_with_what_it_was_told(table):
    """Somebody else sees it at work before we have waited for anything."""
    with pipelined_transaction() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(4711)")
        cursor.go_ahead()
        wait_until(somebody_has_the_lock)
        insert(cursor, 1)

    assert_as_any_other()
    assert numbers() == [1]


def somebody_has_the_lock():
    with psycopg.connect(cluster.superuser_dsn(cluster.database_name()), autocommit=True) as other:
        return other.execute("SELECT 1 FROM pg_locks WHERE locktype = 'advisory' AND objid = 4711").fetchone()


def test_what_goes_ahead_and_fails_undoes_all(table):
    def act():
        with pipelined_transaction() as cursor:
            insert(cursor, 1)
            insert(cursor, 1)
            cursor.go_ahead()
            insert(cursor, 2)

    with pytest.raises(IntegrityError):
        act()
    assert_as_any_other()
    assert numbers() == []


def test_nothing_is_sent_by_itself_that_can_go_along(table, monkeypatch):
    """What is asked first goes with BEGIN, and the rest with COMMIT."""
    with pipelined_transaction() as cursor:
        cursor.execute("SELECT 1").fetchone()
        insert(cursor, 0)
    steps = []
    for step in ("ask", "go_ahead", "rows", "end"):
        _noted(monkeypatch, step, steps)
    with pipelined_transaction() as cursor:
        cursor.execute("SELECT 1").fetchone()
        insert(cursor, 1)
        insert(cursor, 2)

    # As many messages as waits: libpq keeps what it is told until it is to send, or has much.
    assert steps == ["ask", "ask", "rows", "ask", "ask", "ask", "end"]


def _noted(monkeypatch, step, steps):
    does = getattr(Questions, step)

    def noted(self, *args, **kwargs):
        steps.append(step)
        return does(self, *args, **kwargs)

    monkeypatch.setattr(Questions, step, noted)


def test_a_statement_is_prepared_once_for_a_connection(table):
    with pipelined_transaction() as cursor:
        # Not there yet when it is asked the second time: it has two names then.
        insert(cursor, 1)
        insert(cursor, 2)
    for number in range(3, 6):
        with pipelined_transaction() as cursor:
            insert(cursor, number)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_prepared_statements WHERE statement LIKE 'INSERT INTO digits%%'")
        assert cursor.fetchone() == (2,)


def test_what_failed_to_be_prepared_is_prepared_anew():
    def ask():
        with pipelined_transaction() as cursor:
            return cursor.execute("SELECT number FROM digits").fetchall()

    with pytest.raises(ProgrammingError):
        ask()
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE digits (number integer PRIMARY KEY)")
        assert ask() == []
        cursor.execute("DROP TABLE digits")


def test_what_somebody_deallocated_is_prepared_anew(table):
    def act():
        with pipelined_transaction() as cursor:
            return cursor.execute("SELECT 1").fetchone()

    act()
    with connection.cursor() as cursor:
        cursor.execute("DEALLOCATE ALL")
    with pytest.raises(ProgrammingError):
        act()
    assert act() == (1,)


def test_the_driver_deallocates_nothing_of_ours(table):
    def act(number):
        with pipelined_transaction() as cursor:
            insert(cursor, number)

    act(1)
    with transaction.atomic():
        psycopg.RawCursor(connection.connection).execute("SELECT 1", prepare=True)
        with transaction.atomic():
            transaction.set_rollback(True)
    act(2)
    assert numbers() == [1, 2]


def test_each_kind_of_value_comes_back_as_it_went():
    now = datetime(2027, 3, 4, 5, 6, 7, 89, tzinfo=UTC)
    values = [7, "a'b\\", b"\x00\xff", now, None]
    asked = Asked("SELECT $1::bigint, $2::text, $3::bytea, $4::timestamptz, $5::bigint", values)
    assert asked.row() == tuple(values)


def test_a_connection_that_is_gone_is_not_used_again():
    def act():
        with pipelined_transaction() as cursor:
            cursor.execute("SELECT 1").fetchone()
            with psycopg.connect(cluster.superuser_dsn(cluster.database_name()), autocommit=True) as other:
                other.execute("SELECT pg_terminate_backend(%s)", [connection.connection.info.backend_pid])
            cursor.execute("SELECT 1").fetchone()

    with pytest.raises(OperationalError):
        act()
    with pipelined_transaction() as cursor:
        assert cursor.execute("SELECT 1").fetchone() == (1,)


def test_a_question_is_answered_later_or_never():
    first = Asked("SELECT $1::integer + 1", [1])
    assert first.row() == (2,)
    first.drop()
    assert_as_any_other()

    Asked("SELECT 1 / $1::integer", [0]).drop()
    assert_as_any_other()

    wrong = Asked("SELECT 1 / $1::integer", [0])
    with pytest.raises(DataError):
        wrong.row()
    wrong.drop()
    assert_as_any_other()


def test_it_is_an_action_and_no_step(table):
    with transaction.atomic(), pytest.raises(RuntimeError), pipelined_transaction():
        raise AssertionError("it must not begin")
