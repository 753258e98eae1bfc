"""What every test may ask for: a migrated database as the application's own role sees it."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.test import TransactionTestCase
from django.utils import translation

from tests import cluster

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker: Any) -> Iterator[None]:
    """Migrate as the owner, then test as the application's role, which cannot change history."""
    name = cluster.database_name()
    with psycopg.connect(cluster.superuser_dsn("postgres"), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        connection.execute(f'CREATE DATABASE "{name}" OWNER hourglass_owner')
    owner = os.environ | {"DATABASE_URL": cluster.dsn(name, "hourglass_owner")}
    done = subprocess.run(
        [sys.executable, "manage.py", "migrate", "-v0"],
        cwd=ROOT,
        env=owner,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        pytest.exit(f"migrate failed:\n{done.stdout}{done.stderr}", returncode=3)
    TransactionTestCase._fixture_teardown = lambda self: empty_database()  # type: ignore[method-assign]
    yield
    from django.db import connections

    with django_db_blocker.unblock():
        connections.close_all()
    with psycopg.connect(cluster.superuser_dsn("postgres"), autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')


def empty_database() -> None:
    """Truncate as superuser with triggers off: the application's role is refused, as it should be."""
    with psycopg.connect(cluster.superuser_dsn(cluster.database_name())) as connection:
        rows = connection.execute(
            "SELECT quote_ident(tablename) FROM pg_tables WHERE schemaname = 'public'"
            " AND tablename NOT IN ('django_migrations', 'django_content_type', 'auth_permission')"
        ).fetchall()
        connection.execute("SET session_replication_role = replica")
        connection.execute(f"TRUNCATE {', '.join(row[0] for row in rows)} RESTART IDENTITY CASCADE")  # type: ignore[arg-type]
    forget_numbers()


def forget_numbers() -> None:
    """An instrument's code and a wallet's accounts have other ids in an emptied database."""
    if "portal.api.finding" in sys.modules:
        sys.modules["portal.api.finding"].instrument_id.cache_clear()
    if "market.known" in sys.modules:
        sys.modules["market.known"].forget()


@pytest.fixture(autouse=True)
def _nothing_remembered() -> Iterator[None]:
    yield
    forget_numbers()


@pytest.fixture(autouse=True)
def _english_again() -> Iterator[None]:
    """A request leaves its language to the thread; the next test starts in the site's own."""
    yield
    translation.deactivate()
