"""bin/run, inside the virtual environment: sets everything up and serves until Ctrl-C.

bin/run             serve the site with a living demo
bin/run --fresh     start over: the old data folder is thrown away
bin/run --tour      walk the main job over HTTP as the demo's people, then stop
"""

import argparse
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from types import FrameType

from ledger.proof.keys import make_key
from portal.embedded.home import ROOT, Home, HomeInUse, default_home
from portal.embedded.postgres import APP_ROLE, OWNER_ROLE, EmbeddedPostgres, EmbeddedPostgresError
from portal.embedded.supervisor import Child, Supervisor
from portal.embedded.valkey import EmbeddedValkey, EmbeddedValkeyError
from portal.embedded.witnesses import EmbeddedWitness, prepare_witnesses
from portal.serving import threads as web_threads
from scheduler.engines.local import LocalEngine

DATABASE = "hourglass"
ORIGIN = "hourglass.demo/log"
READY_SECONDS = 60
# What gunicorn serves, and how: as deploy/Dockerfile has it.
WEB = ("--config", "python:portal.serving", "portal.wsgi")


class SetUpFailed(RuntimeError):
    """A step of the set-up did not work; the message is for the person at the terminal."""


class Site:
    """The demo site on this machine: its servers, its processes and its addresses."""

    def __init__(self, home: Home, *, port: int, traders: bool) -> None:
        self.home = home
        self.port = free_port(port)
        self.events_port = free_port(self.port + 1)
        self._traders = traders
        self._postgres = EmbeddedPostgres(home.path / "pg")
        self._valkey = EmbeddedValkey(home.path / "valkey")
        self._supervisor = Supervisor(say)
        self._witnesses = self._two_witnesses()

    @property
    def address(self) -> str:
        return f"http://{host_name()}:{self.port}"

    def start(self) -> None:
        self.home.prepare()
        with step("Starting Postgres"):
            self._postgres.start()
            self._postgres.make_database(DATABASE)
        with step("Starting Valkey"):
            self._valkey.start()
        self._configure()
        with step("Bringing the database up to date"):
            self._migrate()
        with step("Making the demo world"):
            self._manage("seed_demo")
        with step("Starting witnesses, web, events, worker and beat"):
            self._start_processes()
            self._wait_until_ready()

    def serve(self, ended: threading.Event) -> None:
        keys = self.home.signing_key.stat().st_mtime_ns
        while not ended.wait(1):
            self._supervisor.restart_ended()
            if keys != (keys := self.home.signing_key.stat().st_mtime_ns):
                # The log's key was rotated: here the witnesses' operator is nearby.
                self._prepare_witnesses()
                for witness in self._witnesses:
                    self._supervisor.signal(witness.name, signal.SIGHUP)

    def stop(self) -> None:
        self._supervisor.stop()
        # Jobs outlive a worker, but not the site: those cut short cost nothing.
        LocalEngine(home=self.home.path / "jobs").stop_all()
        self._valkey.stop()
        self._postgres.stop()

    def _configure(self) -> None:
        os.environ.update(
            HOURGLASS_MODE="demo",
            DJANGO_SETTINGS_MODULE="portal.settings",
            SECRET_KEY=self.home.secret_key(),
            DATABASE_URL=self._postgres.dsn(database=DATABASE, role=APP_ROLE),
            REDIS_URL=self._valkey.url,
            LEDGER_SIGNING_KEY_FILE=str(self.home.signing_key),
            LEDGER_TREE_HEAD_FILE=str(self.home.tree_head),
            LEDGER_ORIGIN=ORIGIN,
            LEDGER_POLICY_FILE=str(self.home.policy),
            HOURGLASS_JOBS_DIR=str(self.home.path / "jobs"),
            HOURGLASS_FOLLOW_SECONDS="1",
            EVENTS_ORIGIN=f"http://{host_name()}:{self.events_port}",
            EMAIL_URL=f"filemail:///{self.home.path / 'mail'}",
            PYTHONUNBUFFERED="1",
        )
        if not self.home.signing_key.exists():
            make_key(self.home.signing_key)
        self._prepare_witnesses()

    def _prepare_witnesses(self) -> None:
        prepare_witnesses(self._witnesses, policy=self.home.policy, signing_key=self.home.signing_key, origin=ORIGIN)

    def _two_witnesses(self) -> list[EmbeddedWitness]:
        found: list[EmbeddedWitness] = []
        port = self.events_port
        for name in ("north-institute", "south-institute"):
            port = free_port(port + 1)
            found.append(EmbeddedWitness(name, self.home.path / "witnesses" / name, port))
        return found

    def _migrate(self) -> None:
        """Migrate when the migrations on disk are not those of the last time: a second start need not ask."""
        files = sorted(path.relative_to(ROOT).as_posix() for path in ROOT.glob("**/migrations/0*.py"))
        wanted = "\n".join(name for name in files if not name.startswith(".venv"))
        stamp = self.home.path / "migrated"
        if not stamp.exists() or stamp.read_text() != wanted:
            self._manage("migrate", "-v0", DATABASE_URL=self._postgres.dsn(database=DATABASE, role=OWNER_ROLE))
            stamp.write_text(wanted)

    def _manage(self, *arguments: str, **environment: str) -> None:
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT, env=os.environ | environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise SetUpFailed(f"{arguments[0]} failed:\n{done.stdout}{done.stderr}")

    def _start_processes(self) -> None:
        python = [sys.executable, "-m"]
        celery = [*python, "celery", "-A", "portal.celery"]
        commands = {
            **{witness.name: [*python, "ledger.witness", str(witness.config)] for witness in self._witnesses},
            "web": [
                *python, "gunicorn", *WEB, "--bind", f"127.0.0.1:{self.port}", "--graceful-timeout", "3",
                "--log-level", "warning",
            ],
            "events": [
                *python, "uvicorn", "portal.asgi:application", "--host", "127.0.0.1", "--port", str(self.events_port),
                "--timeout-graceful-shutdown", "1", "--log-level", "warning",
            ],
            "worker": [*celery, "worker", "--pool", "threads", "--concurrency", "4", "--loglevel", "WARNING"],
            "beat": [*celery, "beat", "--schedule", str(self.home.path / "beat"), "--loglevel", "WARNING"],
        }  # fmt: skip
        if self._traders:
            commands["traders"] = [sys.executable, "manage.py", "trade_demo", "--url", self.address]
        for name, command in commands.items():
            pool = {"web": web_threads + 2, "worker": 8}.get(name, 0)
            log = self.home.logs / f"{name}.log"
            self._supervisor.start(Child(name, command, log, {"DATABASE_POOL_SIZE": str(pool)}))

    def _wait_until_ready(self) -> None:
        deadline = time.monotonic() + READY_SECONDS
        while not (answers(f"{self.address}/readyz") and answers(f"http://{host_name()}:{self.events_port}/livez")):
            if time.monotonic() > deadline:
                raise SetUpFailed(f"The site is not ready after {READY_SECONDS} s: see {self.home.logs}.")
            self._supervisor.restart_ended()
            time.sleep(0.1)


def answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310
            return bool(response.status == 200)
    except (urllib.error.URLError, OSError):
        return False


@cache
def host_name() -> str:
    """Passkeys want a name; a bare machine may not know even this one."""
    try:
        socket.getaddrinfo("localhost", None, family=socket.AF_INET)
    except OSError:
        return "127.0.0.1"
    return "localhost"


def free_port(port: int) -> int:
    """This port, or the next one that nobody listens on."""
    for candidate in range(port, port + 200):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            return candidate
    raise SetUpFailed(f"No free port from {port} to {port + 199}.")


def say(text: str) -> None:
    print(text, flush=True)


@contextmanager
def step(what: str) -> Iterator[None]:
    print(f"  {what} …", end="", flush=True)
    start = time.monotonic()
    yield
    print(f" {time.monotonic() - start:.1f} s", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(prog="bin/run", description="Set up and serve Hourglass on this machine.")
    parser.add_argument("--fresh", action="store_true", help="throw the old data away and start over")
    parser.add_argument("--tour", action="store_true", help="walk the main job over HTTP, then stop")
    parser.add_argument("--port", type=int, default=8000, help="the first port to try (8000)")
    options = parser.parse_args()
    home = default_home()
    home.path.mkdir(parents=True, exist_ok=True)
    try:
        lock = home.lock()
    except HomeInUse as error:
        say(str(error))
        return 1
    with lock:
        return run(home, options)


def run(home: Home, options: argparse.Namespace) -> int:
    ended = threading.Event()

    def end(_number: int, _frame: FrameType | None) -> None:
        if ended.is_set():
            return
        ended.set()
        raise KeyboardInterrupt

    signal.signal(signal.SIGINT, end)
    signal.signal(signal.SIGTERM, end)
    if options.fresh:
        throw_away(home)
    say(f"Hourglass, from {home.path}")
    site = Site(home, port=options.port, traders=not options.tour)
    code = 0
    try:
        site.start()
        if options.tour:
            code = subprocess.run([sys.executable, "-m", "portal.embedded.tour", site.address], check=False).returncode
        else:
            say(welcome(site.address))
            site.serve(ended)
    except KeyboardInterrupt:
        pass
    except (SetUpFailed, EmbeddedPostgresError, EmbeddedValkeyError) as error:
        say(f" failed\n{error}")
        code = 1
    start = time.monotonic()
    say("\nStopping …")
    site.stop()
    say(f"Stopped in {time.monotonic() - start:.1f} s. Your data is in {home.path}.")
    return code


def throw_away(home: Home) -> None:
    """Stop a Postgres that a killed run left behind, and empty the folder."""
    EmbeddedPostgres(home.path / "pg").stop()
    for path in home.path.iterdir():
        if path.name == "lock":
            continue
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()


def welcome(address: str) -> str:
    from portal.demo.people import PASSWORD, SIGN_INS

    lines = [f"\nHourglass is at {address}", "", f"Sign in with one of these; the password is {PASSWORD}", ""]
    lines += [f"  {role:<18} {email}" for role, email in SIGN_INS]
    return "\n".join([*lines, "", "Press Ctrl-C to stop."])


if __name__ == "__main__":
    sys.exit(main())
