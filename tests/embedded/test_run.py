"""bin/run: the tour, a second start with the data kept, busy ports, secrets' modes, and Ctrl-C."""

import os
import queue
import re
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from portal.demo.people import PASSWORD, email
from portal.demo.visitor import Visitor

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 180


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """Short, and reachable by `nobody`, as whom Postgres runs when the tests run as root."""
    with tempfile.TemporaryDirectory(prefix="hg-run-") as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


class Run:
    """One bin/run with its output read line by line."""

    def __init__(self, home: Path, *arguments: str) -> None:
        environment = {name: value for name, value in os.environ.items() if name in {"PATH", "HOME", "LANG", "TMPDIR"}}
        self._process = subprocess.Popen(
            [sys.executable, "bin/run", *arguments],
            cwd=ROOT, env=environment | {"HOURGLASS_HOME": str(home)},
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
        self.text = ""
        self._lines: queue.Queue[str | None] = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def until(self, words: str) -> None:
        """Read on until a line has these words."""
        deadline = time.monotonic() + PATIENCE
        while words not in self.text:
            line = self._lines.get(timeout=max(0.1, deadline - time.monotonic()))
            assert line is not None, f"ended without “{words}”:\n{self.text}"
            self.text += line

    def wait(self) -> int:
        code = self._process.wait(PATIENCE)
        while (line := self._lines.get(timeout=10)) is not None:
            self.text += line
        return code

    def interrupt(self) -> float:
        """Ctrl-C; answers the seconds until it had stopped."""
        start = time.monotonic()
        os.kill(self._process.pid, signal.SIGINT)
        self._process.wait(30)
        return time.monotonic() - start

    @property
    def address(self) -> str:
        match = re.search(r"Hourglass is at (\S+)", self.text)
        assert match is not None, self.text
        return match.group(1)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._lines.put(line)
        self._lines.put(None)


def processes_naming(words: str) -> list[str]:
    """Command lines that are still there; by /proc, since a bare machine has no ps."""
    found = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = path.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if words in line:
            found.append(line)
    return found


def test_the_tour_walks_the_main_job_and_exits_0(home):
    tour = Run(home, "--tour", "--port", "18200")

    assert tour.wait() == 0, tour.text
    for step in ("1. grant", "2. enrol", "3. trade", "4. redeem", "5. settle", "6. prove"):
        assert step in tour.text
    assert "Every step did what it said." in tour.text
    assert "signature and hashes are right" in tour.text
    assert "cosigned by" in tour.text


def test_the_tour_can_be_walked_again_with_the_data_kept(home):
    tour = Run(home, "--tour", "--port", "18300")

    assert tour.wait() == 0, tour.text
    assert "enrolled already" in tour.text
    assert "Every step did what it said." in tour.text


def test_a_second_start_keeps_the_data_steps_past_busy_ports_and_stops_at_ctrl_c(home):
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 18400))
        busy.listen()
        run = Run(home, "--port", "18400")
        start = time.monotonic()
        run.until("Press Ctrl-C")
    took = time.monotonic() - start

    assert ":18400" not in run.address
    for _, address in [("researcher", email("rin")), ("operator", email("oli"))]:
        assert address in run.text
    assert PASSWORD in run.text
    with urllib.request.urlopen(f"{run.address}/readyz", timeout=10) as answer:
        assert answer.status == 200
    visitor = Visitor(run.address)
    visitor.sign_in(email("rin"), PASSWORD)
    assert "Redeem" in visitor.get("/wallet/").text
    assert "settled" in visitor.get("/redemptions/").text.lower(), "the tour's job is gone"
    second = Run(home)
    assert second.wait() == 1
    assert "already runs" in second.text

    stopped = run.interrupt()

    print(f"second start {took:.1f} s, stopped in {stopped:.1f} s")
    assert stopped < 10
    assert processes_naming(str(home)) == []


def test_secrets_and_keys_are_only_their_owners(home):
    witnesses = [f"witnesses/{name}/key.pem" for name in ("north-institute", "south-institute")]
    for name in ("keys/secret", "keys/ledger.pem", "keys/tree-head", *witnesses):
        assert stat.S_IMODE((home / name).stat().st_mode) == 0o600, name
    assert stat.S_IMODE((home / "keys").stat().st_mode) == 0o700


def test_fresh_starts_over(home):
    secret = (home / "keys" / "secret").read_text()
    run = Run(home, "--fresh", "--port", "18600")
    run.until("Press Ctrl-C")

    visitor = Visitor(run.address)
    visitor.sign_in(email("rin"), PASSWORD)
    page = visitor.get("/redemptions/").text.lower()
    run.interrupt()

    assert "settled" not in page
    assert (home / "keys" / "secret").read_text() != secret
