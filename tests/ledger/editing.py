"""What a superuser of the database could do to history with the triggers off: one edit each, drawn at random.

CHECK constraints hold for superusers too, short of ALTER TABLE: the edits keep them. `IN_THE_LOG` are edits of what is
signed; `BESIDE_IT` are edits of tables that only repeat it. An edit answers the statements that make it.
"""

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import psycopg

from ledger.entries import leaf_hash
from ledger.models import Checkpoint, Entry, Leaf, Tile
from ledger.proof.merkle import Frontier
from ledger.proof.tiles import Tiles
from tests import cluster

Edit = Callable[[random.Random], list[str]]
_SIDE = 56


def in_log(what: random.Random, **fields: object) -> Entry:
    """Some sealed entry, of these fields."""
    found = list(Entry.objects.filter(leaf__isnull=False, **fields).order_by("id"))
    return what.choice(found)


def hexed(data: bytes) -> str:
    return f"'\\x{data.hex()}'::bytea"


def set_body(entry: Entry, body: bytes, *, hash_too: bool = True) -> list[str]:
    changes = f"body = {hexed(body)}" + (f", leaf_hash = {hexed(leaf_hash(body))}" if hash_too else "")
    return [f"UPDATE ledger_entry SET {changes} WHERE id = {entry.pk}"]


def amount(what: random.Random) -> list[str]:
    """More for the last side of a transfer, and the database's posting with it."""
    entry = in_log(what, kind="TRANSFER")
    body = bytearray(entry.body)
    value = int.from_bytes(body[-8:], "big", signed=True)
    body[-8:] = (value + what.randint(1, 10**6)).to_bytes(8, "big", signed=True)
    return set_body(entry, bytes(body), hash_too=what.random() < 0.5)


def both_amounts(what: random.Random) -> list[str]:
    """So that the sum is right again."""
    entry = in_log(what, transfer_kind__in=["SEND", "ISSUE", "GRANT"])
    body, more = bytearray(entry.body), what.randint(1, 10**6)
    for end, sign in ((len(body), 1), (len(body) - _SIDE, -1)):
        value = int.from_bytes(body[end - 8 : end], "big", signed=True)
        body[end - 8 : end] = (value + sign * more).to_bytes(8, "big", signed=True)
    return set_body(entry, bytes(body))


def owner(what: random.Random) -> list[str]:
    entry = in_log(what, kind="TRANSFER")
    body = bytearray(entry.body)
    body[-_SIDE : -_SIDE + 16] = what.randbytes(16)
    return set_body(entry, bytes(body))


def time(what: random.Random) -> list[str]:
    entry = in_log(what)
    body = bytearray(entry.body)
    at = 4 + 18 + 4 + len(entry.kind) + 4
    value = int.from_bytes(body[at : at + 8], "big") - what.randint(1, 10**9)
    body[at : at + 8] = value.to_bytes(8, "big")
    return set_body(entry, bytes(body), hash_too=what.random() < 0.5)


def any_bit(what: random.Random) -> list[str]:
    entry = in_log(what)
    body = bytearray(entry.body)
    body[what.randrange(len(body))] ^= 1 << what.randrange(8)
    return set_body(entry, bytes(body), hash_too=what.random() < 0.5)


def policy_in_its_entry(what: random.Random) -> list[str]:
    entry = in_log(what, kind="POLICY")
    return set_body(entry, bytes(entry.body).replace(b'"version":', b'"version":1'))


def deleted(what: random.Random) -> list[str]:
    entry = in_log(what)
    return [f"DELETE FROM ledger_{table} WHERE {column} = {entry.pk}" for table, column in (
        ("leaf", "entry_id"), ("posting", "transfer_id"), ("policy", "entry_id"), ("capacity", "entry_id"),
        ("correction", "entry_id"), ("entry", "id"))]  # fmt: skip


def deleted_and_closed_up(what: random.Random) -> list[str]:
    """The later leaves move up, and the log is said to be one shorter."""
    entry = in_log(what)
    index = entry.leaf.index
    return [
        *deleted_one(entry), f"UPDATE ledger_leaf SET index = -index WHERE index > {index}",
        "UPDATE ledger_leaf SET index = -index - 1 WHERE index < 0",
    ]  # fmt: skip


def deleted_one(entry: Entry) -> list[str]:
    return [f"DELETE FROM ledger_leaf WHERE entry_id = {entry.pk}", f"DELETE FROM ledger_entry WHERE id = {entry.pk}"]


def inserted(what: random.Random) -> list[str]:
    """A copy of an entry is put in front of another; all later ones move down."""
    entry, index = in_log(what), what.randrange(Leaf.objects.count())
    return [
        f"UPDATE ledger_leaf SET index = -index - 1 WHERE index >= {index}",
        "UPDATE ledger_leaf SET index = -index WHERE index < 0",
        "INSERT INTO ledger_entry (id, kind, transfer_kind, reference, body, leaf_hash, recorded_at, xid)"
        f" SELECT -1, kind, transfer_kind, reference, body, leaf_hash, recorded_at, xid FROM ledger_entry"
        f" WHERE id = {entry.pk}",
        f"INSERT INTO ledger_leaf (index, entry_id) VALUES ({index}, -1)",
    ]


def swapped(what: random.Random) -> list[str]:
    one, other = what.sample(range(Leaf.objects.count()), 2)
    rows = dict(Leaf.objects.values_list("index", "entry_id"))
    return [
        f"UPDATE ledger_leaf SET entry_id = -1 WHERE index = {one}",
        f"UPDATE ledger_leaf SET entry_id = {rows[one]} WHERE index = {other}",
        f"UPDATE ledger_leaf SET entry_id = {rows[other]} WHERE index = {one}",
    ]


def renumbered(what: random.Random) -> list[str]:
    size = Leaf.objects.count()
    return [f"UPDATE ledger_leaf SET index = {size + what.randint(1, 9)} WHERE index = {what.randrange(size)}"]


def truncated(what: random.Random) -> list[str]:
    return [f"DELETE FROM ledger_{what.choice(['leaf', 'entry', 'tile', 'checkpoint'])}"]


def cut_short(what: random.Random) -> list[str]:
    """The newest entries, and every checkpoint of them: what an older backup would bring back."""
    sizes = sorted(Checkpoint.objects.values_list("size", flat=True))
    size = what.choice(sizes[:-1])
    return [
        f"DELETE FROM ledger_checkpoint WHERE size > {size}",
        f"DELETE FROM ledger_entry e USING ledger_leaf l WHERE l.entry_id = e.id AND l.index >= {size}",
        f"DELETE FROM ledger_leaf WHERE index >= {size}",
    ]


def tile(what: random.Random) -> list[str]:
    chosen = what.choice(list(Tile.objects.all()))
    hashes = bytearray(chosen.hashes)
    hashes[what.randrange(len(hashes))] ^= 1 << what.randrange(8)
    return [f"UPDATE ledger_tile SET hashes = {hexed(bytes(hashes))} WHERE id = {chosen.pk}"]


def rewritten_with_its_tile(what: random.Random) -> list[str]:
    """Bytes, hash and tile agree; only the root that was signed does not."""
    entry = in_log(what, kind="TRANSFER")
    body = bytes(entry.body).replace(b"hourglass-entry-v1", b"hourglass-entry-v1")[:-1] + bytes([entry.body[-1] ^ 1])
    return set_body(entry, body) + _tile_with(entry.leaf.index, leaf_hash(body))


def rewritten_with_its_checkpoints(what: random.Random) -> list[str]:
    """And every later root is said to be what it would be now, in rows and notes: only signatures are out of reach."""
    entry = in_log(what, kind="TRANSFER")
    index, frontier, changes = entry.leaf.index, Frontier(Tiles().node, 0), []
    body = bytes(entry.body)[:-1] + bytes([entry.body[-1] ^ 1])
    for leaf in Leaf.objects.select_related("entry").order_by("index"):
        frontier.add(leaf_hash(body) if leaf.index == index else bytes(leaf.entry.leaf_hash))
        found = Checkpoint.objects.filter(size=leaf.index + 1).first() if leaf.index >= index else None
        if found is not None:
            changes += checkpoint_with(found, frontier.root())
    return set_body(entry, body) + _tile_with(index, leaf_hash(body)) + changes


def checkpoint_with(found: Checkpoint, root: bytes) -> list[str]:
    import base64

    note = found.note.replace(base64.b64encode(bytes(found.root_hash)).decode(), base64.b64encode(root).decode())
    return [f"UPDATE ledger_checkpoint SET root_hash = {hexed(root)}, note = $n${note}$n$ WHERE size = {found.size}"]


def checkpoint(what: random.Random) -> list[str]:
    found = what.choice(list(Checkpoint.objects.all()))
    return checkpoint_with(found, what.randbytes(32))


def signature(what: random.Random) -> list[str]:
    found = what.choice(list(Checkpoint.objects.all()))
    place = len(found.note) - what.randint(10, 60)
    letter = "A" if found.note[place] != "A" else "B"
    note = found.note[:place] + letter + found.note[place + 1 :]
    return [f"UPDATE ledger_checkpoint SET note = $n${note}$n$ WHERE size = {found.size}"]


def _tile_with(index: int, hash_: bytes) -> list[str]:
    chosen = Tile.objects.get(level=0, index=index // 256)
    hashes = bytearray(chosen.hashes)
    hashes[index % 256 * 32 : index % 256 * 32 + 32] = hash_
    return [f"UPDATE ledger_tile SET hashes = {hexed(bytes(hashes))} WHERE id = {chosen.pk}"]


IN_THE_LOG: list[Edit] = [
    amount, both_amounts, owner, time, any_bit, policy_in_its_entry, deleted, deleted_and_closed_up, inserted, swapped,
    renumbered, truncated, cut_short, tile, rewritten_with_its_tile, rewritten_with_its_checkpoints, checkpoint,
    signature,
]  # fmt: skip


def column(table: str, change: str, where: str = "true") -> Edit:
    """A change of some row of a table."""

    def edit(what: random.Random) -> list[str]:
        which = f"(SELECT floor(count(*) * {what.random()})::int FROM ledger_{table} WHERE {where})"
        row = f"(SELECT ctid FROM ledger_{table} WHERE {where} ORDER BY ctid OFFSET {which} LIMIT 1)"
        statement = f"UPDATE ledger_{table} SET {change}" if change else f"DELETE FROM ledger_{table}"
        return [f"{statement} WHERE ctid = {row}"]

    edit.__name__ = f"{table}: {change or 'deleted'}"
    return edit


BESIDE_IT: list[Edit] = [
    column("account", "balance = balance + 36", "balance > 0"),
    column("account", "held = held + 1", "balance > held AND balance > 0"),
    column("account", "held = 0", "held > 0"),
    column("account", "may_go_negative = true", "NOT may_go_negative"),
    column("account", "wallet_id = (SELECT id FROM ledger_wallet w WHERE w.role = 'FEES')", "balance > 0"),
    column("posting", "amount = amount + 1", "amount <> -1"),
    column("posting", ""),
    column("hold", "amount = amount + 1"),
    column("hold", "status = 'OPEN', captured_amount = 0", "status <> 'OPEN'"),
    column("hold", "status = 'RELEASED'", "status = 'OPEN'"),
    column("hold", "captured_amount = captured_amount - 1", "captured_amount > 1"),
    column("hold", "expires_at = '2099-01-01'"),
    column("hold", ""),
    column("wallet", "may_sell = NOT may_sell"),
    column("wallet", "frozen_at = CASE WHEN frozen_at IS NULL THEN now() END"),
    column("wallet", "position_limit = 77"),
    column("wallet", "locked_until = '2098-01-01'"),
    column("wallet", "role = 'FEES2'", "role = 'FEES'"),
    column("asset", "paused_at = CASE WHEN paused_at IS NULL THEN now() END"),
    column("asset", "expires_at = '2097-01-01'", "kind = 'POOL'"),
    column("asset", "position_limit = 78"),
    column("asset", "resource_class = 'b200'", "kind = 'POOL'"),
    column("policy", 'rules = \'{"frozen": true, "unlimited": true}\''),
    column("policy", ""),
    column("capacity", "gpus = gpus + 1"),
    column("capacity", "ends_at = ends_at + interval '1 day'"),
    column("capacity", ""),
    column("correction", "corrected_id = corrected_id - 1"),
    column("entry", "recorded_at = recorded_at - interval '1 hour'"),
    column("entry", "transfer_kind = 'FORCE'", "transfer_kind = 'SEND'"),
    column("entry", "reference = 'trade:elsewhere'"),
    column("entry", "leaf_hash = sha256('x')"),
    column("checkpoint", "root_hash = sha256('x')"),
    column("logstate", "size = size + 1"),
]


def tables() -> list[str]:
    with psycopg.connect(cluster.superuser_dsn(cluster.database_name())) as other:
        rows = other.execute("SELECT tablename FROM pg_tables WHERE tablename LIKE 'ledger\\_%'").fetchall()
    return sorted(row[0] for row in rows)


@contextmanager
def put_aside() -> Iterator[Callable[[], None]]:
    """A copy of every table of the ledger; what is given puts them all back."""
    names = tables()
    with psycopg.connect(cluster.superuser_dsn(cluster.database_name()), autocommit=True) as other:
        other.execute("SET session_replication_role = replica")
        other.execute("CREATE SCHEMA aside")
        for name in names:
            other.execute(f"CREATE TABLE aside.{name} AS TABLE {name}")  # type: ignore[arg-type]

        def put_back() -> None:
            with other.transaction():
                for name in names:
                    other.execute(f"DELETE FROM {name}")  # type: ignore[arg-type]
                    other.execute(f"INSERT INTO {name} SELECT * FROM aside.{name}")  # type: ignore[arg-type]

        try:
            yield put_back
        finally:
            put_back()
            other.execute("DROP SCHEMA aside CASCADE")


def make(edit: Edit, what: random.Random) -> int:
    """Carry an edit out as superuser with triggers off; answers how many rows it touched."""
    statements = edit(what)
    with psycopg.connect(cluster.superuser_dsn(cluster.database_name())) as other:
        other.execute("SET session_replication_role = replica")
        other.execute("SET check_function_bodies = off")
        return sum(other.execute(statement).rowcount for statement in statements)  # type: ignore[arg-type]
