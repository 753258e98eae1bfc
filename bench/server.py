"""A Postgres of the bench's own, with fsync on, and Django on it as the application's role."""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from portal.embedded.postgres import APP_ROLE, OWNER_ROLE, EmbeddedPostgres

ROOT = Path(__file__).resolve().parent.parent
DATABASE = "bench"
BUFFERS_MB = 512


@contextmanager
def migrated_server() -> Iterator[EmbeddedPostgres]:
    """A migrated database in a new cluster that is thrown away afterwards."""
    home = Path(tempfile.mkdtemp(prefix="hourglass-bench-"))
    home.chmod(0o755)
    postgres = EmbeddedPostgres(home, options={"shared_buffers": f"{BUFFERS_MB}MB"})
    try:
        postgres.start()
        _age(postgres)
        postgres.make_database(DATABASE)
        environment = {
            "HOURGLASS_MODE": "test",
            "SECRET_KEY": "bench-only",
            "REDIS_URL": "unix:///nonexistent",
            "DJANGO_SETTINGS_MODULE": "portal.settings",
        }
        os.environ.update(environment, DATABASE_URL=postgres.dsn(database=DATABASE, role=APP_ROLE))
        owner = os.environ | {"DATABASE_URL": postgres.dsn(database=DATABASE, role=OWNER_ROLE)}
        subprocess.run([sys.executable, "manage.py", "migrate", "-v0"], cwd=ROOT, env=owner, check=True)
        import django

        django.setup()
        _load_as_the_web_does()
        yield postgres
    finally:
        if "django.db" in sys.modules:
            from django.db import connections

            connections.close_all()
        postgres.stop()
        shutil.rmtree(home, ignore_errors=True)


def _age(postgres: EmbeddedPostgres) -> None:
    """As after days of work: all its memory was used before, and files of WAL are there to be used again. In its first
    minutes it takes each page from the kernel and fills each file with zeros, which was 7 of 100 microseconds that it
    spent on clearings (perf), and is no measure of what follows."""
    import psycopg

    with psycopg.connect(postgres.dsn(database="postgres", role="postgres"), autocommit=True) as connection:
        connection.execute("CREATE TABLE aged (page text STORAGE PLAIN)")
        pages = BUFFERS_MB * 2**20 // 8192
        connection.execute("INSERT INTO aged SELECT repeat('x', 8000) FROM generate_series(1, %s::bigint)", [pages])
        connection.execute("CHECKPOINT")
        connection.execute("DROP TABLE aged")


def _load_as_the_web_does() -> None:
    """All of the site's code, once, and out of the garbage collector's sight (portal.wsgi)."""
    from django.urls import get_resolver

    from portal.starting import keep_what_is_loaded

    assert get_resolver().url_patterns
    keep_what_is_loaded()


class Pgbench:
    """pgbench's TPC-B-like script at scale 10 on the same server: the reference everything is a ratio of."""

    def __init__(self, postgres: EmbeddedPostgres) -> None:
        self.postgres = postgres
        postgres.make_database("pgbench")
        self._run("-i", "-s", "10", "-q")

    def tps(self, *, clients: int, seconds: float) -> float:
        output = self._run("-c", str(clients), "-M", "prepared", "-T", str(max(1, round(seconds))))
        line = next(line for line in output.splitlines() if line.startswith("tps ="))
        return float(line.split()[2])

    def _run(self, *arguments: str) -> str:
        command = [
            str(self.postgres.bin / "pgbench"), "-h", str(self.postgres.socket_dir), "-U", "postgres", *arguments,
            "pgbench",
        ]  # fmt: skip
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout
