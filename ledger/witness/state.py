"""What a witness has cosigned, in SQLite: one row a log, which never gets shorter."""

import sqlite3
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ledger.proof.merkle import EMPTY_ROOT

# Proofs of a log's misbehaviour are kept, but a log that only repeats itself does not fill the disk.
MAX_EVIDENCE = 1000
_TABLES = """
CREATE TABLE IF NOT EXISTS cosigned (
    origin TEXT PRIMARY KEY,
    size INTEGER NOT NULL CHECK (size >= 0),
    root BLOB NOT NULL CHECK (length(root) = 32),
    text TEXT NOT NULL,
    at INTEGER NOT NULL
) STRICT;
CREATE TRIGGER IF NOT EXISTS cosigned_never_shrinks BEFORE UPDATE ON cosigned
WHEN NEW.size < OLD.size OR NEW.origin <> OLD.origin OR (NEW.size = OLD.size AND NEW.root <> OLD.root)
BEGIN SELECT RAISE(ABORT, 'a witness never goes back'); END;
CREATE TRIGGER IF NOT EXISTS cosigned_is_kept BEFORE DELETE ON cosigned
BEGIN SELECT RAISE(ABORT, 'a witness never forgets'); END;
CREATE TABLE IF NOT EXISTS evidence (
    id INTEGER PRIMARY KEY, origin TEXT NOT NULL, request BLOB NOT NULL, at INTEGER NOT NULL
) STRICT;
"""


@dataclass(frozen=True)
class Cosigned:
    """The latest checkpoint of a log that this witness cosigned."""

    size: int = 0
    root: bytes = EMPTY_ROOT
    at: int | None = None


class State:
    """The record, on disk before anybody hears of it."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
        # Beyond FULL: a power cut may not bring back the journal of what was committed, and with it an older record.
        self._db.execute("PRAGMA synchronous = EXTRA")
        self._db.executescript(_TABLES)

    def close(self) -> None:
        with self._lock:
            self._db.close()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Nobody else, of no process, reads or writes the record until this is committed."""
        with self._lock:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
            except BaseException:
                self._db.execute("ROLLBACK")
                raise
            self._db.execute("COMMIT")

    def cosigned(self, origin: str) -> Cosigned:
        """What is recorded; call it inside `alone` to compare."""
        row = self._db.execute("SELECT size, root, at FROM cosigned WHERE origin = ?", [origin]).fetchone()
        return Cosigned(*row) if row else Cosigned()

    def record(self, *, origin: str, size: int, root: bytes, text: str, at: int) -> None:
        self._db.execute(
            "INSERT INTO cosigned (origin, size, root, text, at) VALUES (?, ?, ?, ?, ?)"
            " ON CONFLICT (origin) DO UPDATE SET size = excluded.size, root = excluded.root, text = excluded.text,"
            " at = excluded.at",
            [origin, size, root, text, at],
        )

    def keep_evidence(self, *, origin: str, request: bytes, at: int) -> None:
        """Keep a request that the log signed and that contradicts what it signed before."""
        (count,) = self._db.execute("SELECT count(*) FROM evidence WHERE origin = ?", [origin]).fetchone()
        if count < MAX_EVIDENCE:
            self._db.execute("INSERT INTO evidence (origin, request, at) VALUES (?, ?, ?)", [origin, request, at])
