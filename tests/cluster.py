"""The test run's own Postgres and Valkey, one of each for each of pytest's processes, stopped at the end.

Loaded by `-p tests.cluster` before Django reads its settings. Processes do not share a Postgres: a transaction that is
open in any database of a cluster holds back the sealer in all of them. A Postgres of your own replaces the embedded
one with HOURGLASS_TEST_POSTGRES, a superuser's URL.
"""

import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

from portal.embedded.serve import host_name


def _start_servers() -> None:
    from portal.embedded.postgres import EmbeddedPostgres
    from portal.embedded.valkey import EmbeddedValkey

    home = Path(tempfile.mkdtemp(prefix="hourglass-test-"))
    home.chmod(0o755)
    # fsync guards against power loss, which no test here brings about; a killed process loses nothing without it.
    postgres = EmbeddedPostgres(home / "pg", options={"fsync": "off", "synchronous_commit": "off"})
    valkey = EmbeddedValkey(home / "valkey")
    if "HOURGLASS_TEST_POSTGRES" not in os.environ:
        postgres.start()
        os.environ["HOURGLASS_TEST_POSTGRES"] = postgres.dsn(database="postgres", role="postgres")
    valkey.start()
    os.environ["HOURGLASS_TEST_REDIS"] = valkey.url

    def stop() -> None:
        postgres.stop()
        valkey.stop()
        shutil.rmtree(home, ignore_errors=True)

    atexit.register(stop)


def superuser_dsn(database: str) -> str:
    return urlunsplit(urlsplit(os.environ["HOURGLASS_TEST_POSTGRES"])._replace(path=f"/{database}"))


def dsn(database: str, role: str) -> str:
    parts = urlsplit(superuser_dsn(database))
    return urlunsplit(parts._replace(netloc=f"{role}@{parts.netloc.rsplit('@', 1)[-1]}"))


def database_name() -> str:
    return f"test_hourglass_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"


def _only_hands_out_tests() -> bool:
    """Is this xdist's first process, which runs no test itself?"""
    return "PYTEST_XDIST_WORKER" not in os.environ and "-n" in sys.argv


if _only_hands_out_tests():
    NOWHERE = {"HOURGLASS_TEST_POSTGRES": "postgres://nobody@/none", "HOURGLASS_TEST_REDIS": "unix:///nonexistent"}
    os.environ.update({name: url for name, url in NOWHERE.items() if name not in os.environ})
elif os.environ.get("HOURGLASS_TEST_REDIS", "unix:///nonexistent") == "unix:///nonexistent":
    if os.environ.get("HOURGLASS_TEST_POSTGRES") == "postgres://nobody@/none":
        del os.environ["HOURGLASS_TEST_POSTGRES"]
    _start_servers()

# A bare machine may not know the name localhost.
os.environ.setdefault("DJANGO_LIVE_TEST_SERVER_ADDRESS", host_name())
os.environ.update(
    HOURGLASS_MODE="test",
    SECRET_KEY="test-only-" + "0123456789abcdef" * 4,
    DATABASE_URL=dsn(database_name(), "hourglass"),
    REDIS_URL=os.environ["HOURGLASS_TEST_REDIS"],
    HOURGLASS_ENGINE="local",
)
