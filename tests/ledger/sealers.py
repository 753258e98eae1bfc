"""A sealer with a key and a head of its own, entries to seal, and histories changed behind the ledger's back."""

from pathlib import Path

import psycopg
import pytest
from django.utils import timezone

from ledger.models import Checkpoint
from ledger.proof.keys import load_signer, make_key
from ledger.proof.sealing import Sealer, seal_entries
from ledger.proof.treehead import TreeHeadFile
from tests import cluster

ORIGIN = "hourglass.test/log"


@pytest.fixture
def sealer(tmp_path: Path, settings) -> Sealer:
    settings.LEDGER_SIGNING_KEY_FILE = str(tmp_path / "key.pem")
    settings.LEDGER_TREE_HEAD_FILE = str(tmp_path / "head")
    settings.LEDGER_ORIGIN = ORIGIN
    make_key(tmp_path / "key.pem")
    return Sealer(load_signer(tmp_path / "key.pem", origin=ORIGIN), TreeHeadFile(tmp_path / "head"))


def seal_all(sealer: Sealer, *, limit: int = 20_000) -> Checkpoint:
    last = None
    while (checkpoint := seal_entries(sealer, now=timezone.now(), limit=limit)) is not None:
        last = checkpoint
    return last or Checkpoint.objects.latest("size")


def as_app() -> psycopg.Connection:
    """A connection of the application's role, with a transaction of its own."""
    return psycopg.connect(cluster.dsn(cluster.database_name(), "hourglass"))


def write_plain(connection: psycopg.Connection, count: int = 1, word: str = "entry") -> list[int]:
    """Entries that only the sealer looks at: their bytes are not the ledger's. Answers their ids."""
    rows = connection.execute(
        "INSERT INTO ledger_entry (kind, reference, body, leaf_hash, recorded_at)"
        " SELECT 'POLICY', '', body, sha256('\\x00'::bytea || body), now()"
        " FROM (SELECT convert_to(%s || ' ' || n || ' ' || clock_timestamp(), 'UTF8') AS body"
        " FROM generate_series(1, %s) n) made RETURNING id",
        [word, count],
    ).fetchall()
    return [row[0] for row in rows]


def plain_entries(count: int, word: str = "entry") -> list[int]:
    with as_app() as connection:
        return write_plain(connection, count, word)


def as_superuser(*statements: str) -> None:
    """Edit history as the database's superuser with triggers off."""
    with psycopg.connect(cluster.superuser_dsn(cluster.database_name())) as other:
        other.execute("SET session_replication_role = replica")
        for statement in statements:
            other.execute(statement)


def cut_database(size: int) -> None:
    """What a backup of that moment would bring back: the log ends at `size`."""
    as_superuser(
        f"DELETE FROM ledger_cosignature WHERE checkpoint_id > {size}",
        f"DELETE FROM ledger_checkpoint WHERE size > {size}",
        f"DELETE FROM ledger_entry e WHERE e.id IN (SELECT entry_id FROM ledger_leaf WHERE index >= {size})",
        "DELETE FROM ledger_entry e WHERE NOT EXISTS (SELECT 1 FROM ledger_leaf l WHERE l.entry_id = e.id)",
        f"DELETE FROM ledger_leaf WHERE index >= {size}",
        f"UPDATE ledger_logstate SET size = {size}, published_size = least(published_size, {size}),"
        " sealed_to_id = (SELECT max(entry_id) FROM ledger_leaf), snapshot = '', cluster = 'before'",
        "UPDATE ledger_witnessstate SET size = 0, ask_again_at = NULL, problem = ''",
    )
