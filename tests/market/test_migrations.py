"""Migrations of the market, and the ledger's under them, go back and forth without leaving anything else behind."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from django.db import connections

from tests import cluster
from tests.market.builders import auction_over, in_auction, placed, some_instrument, some_trader, with_rules

ROOT = Path(__file__).resolve().parents[2]
NAME = f"{cluster.database_name()}_walked"


@pytest.fixture
def database() -> Iterator[str]:
    """An empty one, which the owner may migrate."""
    with psycopg.connect(cluster.superuser_dsn("postgres"), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{NAME}" WITH (FORCE)')
        connection.execute(f'CREATE DATABASE "{NAME}" OWNER hourglass_owner')
        yield cluster.dsn(NAME, "hourglass_owner")
        connection.execute(f'DROP DATABASE IF EXISTS "{NAME}" WITH (FORCE)')


def run(database: str, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *words], cwd=ROOT, env=os.environ | {"DATABASE_URL": database}, capture_output=True,
        text=True, check=False,
    )  # fmt: skip


def walked(database: str, *steps: str) -> list[dict[str, str]]:
    done = run(database, "-m", "tests.market.walking", *steps)
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads(line)["schema"] for line in done.stdout.splitlines()]


NAMES = sorted(path.name[:4] for path in (ROOT / "market" / "migrations").glob("0*.py"))
FORWARD = ["ledger:0007", *(f"market:{name}" for name in NAMES if name >= "0005"), "all"]
# The application trades in what was walked.
TRADE = """
import sys, django
django.setup()
from market.orders import place_order
instrument, *wallets = map(int, sys.argv[1:])
for side, wallet in zip(["SELL", "BUY"], wallets):
    print(place_order(instrument_id=instrument, wallet_id=wallet, side=side, limit_price=90, quantity=1,
                      time_in_force="GTC", client_order_id="walked").status)
"""
BACK = [*FORWARD[-3:0:-1], "ledger:0007", "all"]


def objects(schema: dict[str, str], app: str) -> dict[str, str]:
    """What of the schema is on the app's own tables, and its functions."""
    return {name: what for name, what in schema.items() if name.split()[1].startswith(f"{app}_")}


def differing(one: dict[str, str], other: dict[str, str]) -> set[str]:
    return {name for name in one.keys() | other.keys() if one.get(name) != other.get(name)}


def test_what_is_undone_is_gone_and_what_is_done_again_is_as_before(database):
    schemas = walked(database, *FORWARD, *BACK)
    there = dict(zip(FORWARD, schemas, strict=False))
    *back, bottom, again = schemas[len(FORWARD) :]

    print(f"\n{len(again)} objects after going back by {len(BACK)} steps and forth again")
    assert differing(there["all"], again) == set()
    for step, schema in zip(BACK, back, strict=False):
        left = differing(objects(there[step], "market"), objects(schema, "market"))
        # A right that history took from the application is not given back.
        assert all(name.startswith("right market_instrumentchange") for name in left), (step, left)
    # The ledger's newest trigger checks the same as the one before, so it stays.
    left = differing(objects(there["ledger:0007"], "ledger"), objects(bottom, "ledger"))
    assert left == {"function ledger_apply_postings"}


@pytest.mark.django_db(transaction=True)
def test_what_was_traded_survives_going_back_and_forth():
    instrument = in_auction(with_rules(some_instrument(), maker_fee_bp=10, taker_fee_bp=20))
    ada, bob = some_trader(instrument, "Ada"), some_trader(instrument, "Bob")
    for number in range(10):
        placed(instrument, ada, "SELL", 10, 100 + number)
        placed(instrument, bob, "BUY", 10, 105)
    auction_over(instrument)
    kept = [row_counts(cluster.superuser_dsn(cluster.database_name()))]
    with copied() as database:
        walked(database, *BACK)
        kept.append(row_counts(database))
        traded = run(cluster.dsn(NAME, "hourglass"), "-c", TRADE, str(instrument.id), str(ada.id), str(bob.id))

    print(f"\n{kept[0]}")
    assert kept[0] == kept[1]
    assert min(kept[0].values()) > 0
    assert traded.stdout.split() == ["FILLED", "OPEN"], traded.stderr


def row_counts(database: str) -> dict[str, int]:
    """Of the tables that were there before the migrations that are walked."""
    tables = ("market_order", "market_trade", "market_marketevent", "ledger_entry", "ledger_posting")
    with psycopg.connect(database) as connection:
        return {table: one(connection, f"SELECT count(*) FROM {table}") for table in tables}


def one(connection: psycopg.Connection, statement: str) -> int:
    return connection.execute(statement).fetchone()[0]  # type: ignore[arg-type, index]


@contextmanager
def copied() -> Iterator[str]:
    """A copy of the test's own database, as its owner."""
    connections.close_all()
    with psycopg.connect(cluster.superuser_dsn("postgres"), autocommit=True) as connection:
        others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
        connection.execute(others, [cluster.database_name()])
        connection.execute(f'CREATE DATABASE "{NAME}" TEMPLATE "{cluster.database_name()}" OWNER hourglass_owner')
        yield cluster.dsn(NAME, "hourglass_owner")
        connection.execute(f'DROP DATABASE "{NAME}" WITH (FORCE)')
