"""The events process for tests: uvicorn on a free port, with the run's own database."""

import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager

from tests.conftest import ROOT


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def events_process(port: int | None = None) -> Iterator[str]:
    """Its origin; it is stopped at the end."""
    port = port or free_port()
    origin = f"http://127.0.0.1:{port}"
    command = [
        sys.executable, "-m", "uvicorn", "portal.asgi:application", "--port", str(port), "--log-level", "warning",
        "--timeout-graceful-shutdown", "1",
    ]  # fmt: skip
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"EVENTS_ORIGIN": origin})
    try:
        _wait_until_it_answers(process, f"{origin}/livez")
        yield origin
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise


def _wait_until_it_answers(process: subprocess.Popen[bytes], url: str) -> None:
    deadline = time.monotonic() + 30
    while True:
        assert process.poll() is None, "the events process ended"
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except (urllib.error.URLError, OSError):
            assert time.monotonic() < deadline, "the events process does not answer"
            time.sleep(0.05)
