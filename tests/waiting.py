"""Waiting for what must come about, with a deadline and never by guessing how long it takes."""

import threading
import time
from collections.abc import Callable

import psycopg
from django.db import connection

from tests import cluster


def wait_until(condition: Callable[[], object], seconds: float = 20) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.005)


def somebody_waits_for_a_lock() -> bool:
    with psycopg.connect(cluster.superuser_dsn(cluster.database_name()), autocommit=True) as other:
        row = other.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()"
        ).fetchone()
    assert row is not None
    return bool(row[0] > 0)


def in_a_thread(act: Callable[[], object]) -> threading.Thread:
    """Start `act` on a connection of its own."""

    def run() -> None:
        try:
            act()
        finally:
            connection.close()

    thread = threading.Thread(target=run)
    thread.start()
    return thread
