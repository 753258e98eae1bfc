"""Kill -9 of Postgres itself, again and again under load, in a cluster of its own with fsync on."""

import ctypes
import itertools
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from tempfile import gettempdir

import pytest

from portal.embedded.postgres import APP_ROLE, OWNER_ROLE, EmbeddedPostgres
from tests import full

ROOT = Path(__file__).resolve().parents[2]
KILLS = full.count(20)
DATABASE = "killed"
PR_SET_CHILD_SUBREAPER = 36


@pytest.fixture
def postgres(tmp_path: Path):
    # Under root Postgres runs as nobody, who must reach its folder; how deep that lies depends on how tests are shared.
    for folder in (tmp_path, *itertools.takewhile(lambda parent: parent != Path(gettempdir()), tmp_path.parents)):
        folder.chmod(0o755)
    # Orphans become our children: a killed postmaster that nobody has waited for looks as if it still ran.
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    server = EmbeddedPostgres(tmp_path / "pg")
    server.start()
    server.make_database(DATABASE)
    yield server
    server.stop()
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


def environment(folder: Path, role: str = APP_ROLE) -> dict[str, str]:
    """The socket's folder is another after each start: its name here stays."""
    return os.environ | {
        "DATABASE_URL": f"postgres://{role}@/{DATABASE}?host={folder / 'socket'}",
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "HOURGLASS_MODE": "test",
    }


def point_at(server: EmbeddedPostgres, folder: Path) -> None:
    new = folder / "socket.new"
    new.symlink_to(server.socket_dir)
    new.replace(folder / "socket")


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it did not come about in time"
        time.sleep(0.01)


def lines(file: Path) -> int:
    return file.read_bytes().count(b"\n") if file.exists() else 0


def run(*command: str, folder: Path, role: str = APP_ROLE) -> str:
    done = subprocess.run(
        [sys.executable, *command], cwd=ROOT, env=environment(folder, role), capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_postgres_killed_under_load_loses_nothing_it_acknowledged(postgres: EmbeddedPostgres, tmp_path: Path):
    point_at(postgres, tmp_path)
    file = tmp_path / "acknowledged"
    run("manage.py", "migrate", "-v0", folder=tmp_path, role=OWNER_ROLE)
    run("-m", "tests.ledger.load", "setup", folder=tmp_path)
    load = subprocess.Popen(
        [sys.executable, "-m", "tests.ledger.load", "work", str(file)], cwd=ROOT, env=environment(tmp_path),
        stdin=subprocess.PIPE,
    )  # fmt: skip
    try:
        for _ in range(KILLS):
            seen = lines(file)
            until(lambda: lines(file) > seen + 100)  # noqa: B023
            sockets = postgres.socket_dir
            kill(postgres)
            postgres.start()
            point_at(postgres, tmp_path)
            assert not sockets.exists(), "what the killed server left is cleared away"
    finally:
        assert load.stdin is not None
        load.stdin.close()
        load.wait(60)

    print(f"{KILLS} kills of Postgres: " + run("-m", "tests.ledger.load", "check", str(file), folder=tmp_path))


def kill(server: EmbeddedPostgres) -> None:
    """The postmaster first, as a power cut would, then its children; they are ours to bury (see the fixture)."""
    postmaster = int((server.data / "postmaster.pid").read_text().split()[0])
    children = [int(pid) for pid in Path(f"/proc/{postmaster}/task/{postmaster}/children").read_text().split()]
    os.kill(postmaster, signal.SIGKILL)
    os.waitpid(postmaster, 0)
    for child in children:
        try:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
        except (ProcessLookupError, ChildProcessError):
            continue
