"""The database's time, which is the one that decides value."""

from datetime import datetime

from django.db import connection


def database_now() -> datetime:
    """Now, as Postgres says it: the same instant all through one transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        row = cursor.fetchone()
    assert row is not None
    now: datetime = row[0]
    return now


def assert_in_transaction() -> None:
    """A step does part of an action: outside a transaction it would leave half of it behind."""
    assert connection.in_atomic_block, "a step runs inside an action's transaction"
