"""Where one installation keeps its data, and the secrets made at its first start."""

import fcntl
import hashlib
import os
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[2]


class HomeInUse(RuntimeError):
    """Another bin/run serves from the same folder."""


@dataclass(frozen=True)
class Home:
    """One installation's folder: database, keys, jobs and logs."""

    path: Path

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def signing_key(self) -> Path:
        return self.path / "keys" / "ledger.pem"

    @property
    def tree_head(self) -> Path:
        return self.path / "keys" / "tree-head"

    @property
    def policy(self) -> Path:
        return self.path / "policy"

    def prepare(self) -> None:
        self.path.mkdir(parents=True, exist_ok=True)
        self.logs.mkdir(exist_ok=True)
        (self.path / "keys").mkdir(mode=0o700, exist_ok=True)

    def lock(self) -> IO[str]:
        """Hold the folder for as long as the file that is answered stays open."""
        file = open(self.path / "lock", "a+")  # noqa: SIM115
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise HomeInUse(f"Hourglass already runs from {self.path}; stop that one first.") from None
        return file

    def secret_key(self) -> str:
        """Django's secret, made at the first start; only its owner may read it."""
        path = self.path / "keys" / "secret"
        if not path.exists():
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
                file.write(secrets.token_urlsafe(64))
        return path.read_text()


def default_home() -> Home:
    """`var/` of the checkout; as root somewhere `nobody`, as whom Postgres runs, can reach."""
    chosen = os.environ.get("HOURGLASS_HOME")
    if chosen:
        return Home(Path(chosen).resolve())
    if os.geteuid() == 0 and not all(parent.stat().st_mode & 0o001 for parent in (ROOT, *ROOT.parents)):
        name = hashlib.sha256(str(ROOT).encode()).hexdigest()[:8]
        return Home(Path("/var/lib") / f"hourglass-{name}")
    return Home(ROOT / "var")
