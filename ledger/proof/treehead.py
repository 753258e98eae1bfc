"""The tree head kept outside Postgres: a restored backup or a second sealer is noticed by it."""

import base64
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path


class TreeHeadConflict(RuntimeError):
    """The head outside Postgres and the log inside it tell different stories: nothing may be signed."""


@dataclass(frozen=True)
class TreeHead:
    """How long the log is, and its root at that size."""

    size: int
    root_hash: bytes


@dataclass(frozen=True)
class TreeHeadFile:
    """One file, replaced whole and locked while compared."""

    path: Path

    def read(self) -> TreeHead | None:
        try:
            size, root = self.path.read_text().split()
        except FileNotFoundError:
            return None
        except ValueError as error:
            raise TreeHeadConflict(f"{self.path} does not hold a tree head.") from error
        return TreeHead(int(size), base64.b64decode(root))

    def agreed(self, signed: TreeHead) -> TreeHead:
        """The head outside, where it is the newest signed one or one swap ahead; TreeHeadConflict elsewhere."""
        outside = self.read()
        if outside is None:
            if signed.size:
                raise TreeHeadConflict(f"{self.path} is missing, but the log is {signed.size} long: see operations.")
            return signed
        if outside.size < signed.size or (outside.size == signed.size and outside != signed):
            raise TreeHeadConflict(f"The head outside Postgres is {outside.size} long, the log {signed.size}.")
        return outside

    def swap(self, *, expected: TreeHead | None, new: TreeHead) -> None:
        """Write the new head where the expected one stands; TreeHeadConflict where another does."""
        with self._locked():
            found = self.read()
            if found not in (expected, new):
                raise TreeHeadConflict(f"{self.path} holds size {found and found.size}, not the size expected.")
            self._replace(f"{new.size} {base64.b64encode(new.root_hash).decode()}\n")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(f"{self.path}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield

    def _replace(self, text: str) -> None:
        half = self.path.with_suffix(".half")
        with os.fdopen(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        half.replace(self.path)
        folder = os.open(self.path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
