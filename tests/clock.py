"""The ledger's clock put ahead: the one SQL function that tells it is replaced for a while."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta

import psycopg

from tests import cluster

_CLOCK = "CREATE OR REPLACE FUNCTION ledger_clock() RETURNS timestamptz LANGUAGE sql VOLATILE AS '{}'"


def put_clock_ahead(by: timedelta) -> None:
    microseconds = by // timedelta(microseconds=1)
    _replace(f"SELECT clock_timestamp() + {microseconds} * interval ''1 microsecond''")


@contextmanager
def clock_ahead(by: timedelta) -> Iterator[None]:
    put_clock_ahead(by)
    try:
        yield
    finally:
        _replace("SELECT clock_timestamp()")


def _replace(body: str) -> None:
    with psycopg.connect(cluster.dsn(cluster.database_name(), "hourglass_owner")) as owner:
        owner.execute(_CLOCK.format(body))  # type: ignore[arg-type]
