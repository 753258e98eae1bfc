"""Starts, watches and stops the site's processes. A child that ends is started again; Ctrl-C reaches only us."""

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

STOP_SECONDS = 6
RESTART_SECONDS = 2
LONGEST_RESTART_SECONDS = 60


@dataclass
class Child:
    """One process of the site, its output in a log file of its own."""

    name: str
    command: Sequence[str]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    process: "subprocess.Popen[bytes] | None" = None
    started_at: float = 0.0
    restart_seconds: float = RESTART_SECONDS

    def start(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command,
                stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True,
                env=os.environ | dict(self.environment), preexec_fn=_die_with_parent(),
            )  # fmt: skip
        self.started_at = time.monotonic()

    def has_ended(self) -> bool:
        return self.process is not None and self.process.poll() is not None

    def signal(self, number: int) -> None:
        if self.process is not None and self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)


class Supervisor:
    """All children of one bin/run."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._children: list[Child] = []

    def start(self, child: Child) -> None:
        child.start()
        self._children.append(child)

    def signal(self, name: str, number: int) -> None:
        for child in self._children:
            if child.name == name:
                child.signal(number)

    def restart_ended(self) -> None:
        """Start again what has ended, each time after twice as long, at most a minute."""
        for child in self._children:
            if child.has_ended() and time.monotonic() - child.started_at > child.restart_seconds:
                self._say(f"{child.name} ended; starting it again (see {child.log}).")
                child.restart_seconds = min(2 * child.restart_seconds, LONGEST_RESTART_SECONDS)
                child.start()

    def stop(self) -> None:
        """Ask all to end, wait, and kill what did not: within ten seconds in all."""
        for child in reversed(self._children):
            child.signal(signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        for child in self._children:
            if child.process is None:
                continue
            try:
                child.process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                self._say(f"{child.name} did not stop in {STOP_SECONDS} s; killing it.")
                child.signal(signal.SIGKILL)
                child.process.wait()


def _die_with_parent() -> Callable[[], None] | None:
    """Linux: a child ends when its supervisor is killed, so that nothing is left behind holding ports."""
    if sys.platform != "linux":
        return None
    libc = ctypes.CDLL(None)

    def ask() -> None:
        libc.prctl(1, signal.SIGTERM)  # PR_SET_PDEATHSIG

    return ask
