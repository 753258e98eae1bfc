"""The checker inside the database: balances, holds, entries, leaves, tiles and checkpoints agree."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from django.db import connection

from ledger.entries import MalformedEntry, leaf_hash, parse
from ledger.holds import HELD_BY_OTHERS
from ledger.keyhistory import KeyHistory, history_of
from ledger.merkle import Frontier
from ledger.models import Checkpoint
from ledger.notes import BadNote, UnverifiedNote, Verifier
from ledger.sealing import sealed_key_entries
from ledger.tiles import Tiles

CHUNK = 2000


@dataclass(frozen=True)
class LedgerFault:
    """Something that is not as it must be. `position` is the entry's index in the log, where it is about one."""

    message: str
    position: int | None = None

    def __str__(self) -> str:
        return self.message if self.position is None else f"entry {self.position}: {self.message}"


def ledger_faults(verifiers: Sequence[Verifier]) -> Iterator[LedgerFault]:
    """Everything that is wrong, in the order it is found; nothing when all is well."""
    yield from _log_faults(verifiers)
    yield from _account_faults()


def _account_faults() -> Iterator[LedgerFault]:
    held_by = "".join(f" UNION ALL {query}" for query in HELD_BY_OTHERS)
    for account_id, balance, posted in _rows(
        "SELECT a.id, a.balance, coalesce(sum(p.amount), 0) FROM ledger_account a"
        " LEFT JOIN ledger_posting p ON p.account_id = a.id"
        " GROUP BY a.id HAVING a.balance <> coalesce(sum(p.amount), 0)"
    ):
        yield LedgerFault(f"account {account_id} has a balance of {balance}, but its postings sum to {posted}")
    for account_id, held, counted in _rows(
        "SELECT a.id, a.held, coalesce(h.amount, 0) FROM ledger_account a LEFT JOIN (SELECT account_id,"  # noqa: S608
        " sum(amount) AS amount FROM (SELECT account_id, amount FROM ledger_hold WHERE status = 'OPEN'"
        f"{held_by}) every GROUP BY account_id) h ON h.account_id = a.id WHERE a.held <> coalesce(h.amount, 0)"
    ):
        yield LedgerFault(f"account {account_id} holds {held}, but its open holds sum to {counted}")
    for transfer_id, asset_id in _rows(
        "SELECT p.transfer_id, a.asset_id FROM ledger_posting p JOIN ledger_account a ON a.id = p.account_id"
        " GROUP BY 1, 2 HAVING sum(p.amount) <> 0"
    ):
        yield LedgerFault(f"transfer {transfer_id} does not sum to zero in asset {asset_id}")


def _log_faults(verifiers: Sequence[Verifier]) -> Iterator[LedgerFault]:
    checkpoints = {checkpoint.size: checkpoint for checkpoint in Checkpoint.objects.all()}
    try:
        history = history_of(verifiers, sealed_key_entries())
    except BadNote as error:
        yield LedgerFault(f"an entry that changes the key cannot be read: {error}")
        history = KeyHistory(tuple(verifiers))
    for checkpoint in checkpoints.values():
        if bad := _checkpoint_fault(checkpoint, history):
            yield bad
    tiles, frontier, expected = Tiles(), Frontier(Tiles().node, 0), 0
    for index, body, stored_hash, kind, transfer_kind, reference, postings in _sealed_entries():
        if index != expected:
            yield LedgerFault(f"the log has no entry here: {index - expected} are missing", expected)
            return
        hash_ = leaf_hash(body)
        sealed_hash = _sealed_hash(tiles, index)
        if hash_ != stored_hash or hash_ != sealed_hash:
            yield LedgerFault("its bytes are not those that were sealed", index)
        elif fault := _row_fault(body, kind, transfer_kind, reference, postings):
            yield LedgerFault(fault, index)
        frontier.add(hash_)
        expected += 1
        signed = checkpoints.get(expected)
        if signed is not None and frontier.root() != bytes(signed.root_hash):
            yield LedgerFault(f"the root signed at size {expected} is another", index)
    if expected < max(checkpoints, default=0):
        yield LedgerFault(f"the log ends here, but {max(checkpoints)} entries were signed", expected)
    for entry_id in _rows(
        "SELECT e.id FROM ledger_entry e WHERE e.kind = 'TRANSFER'"
        " AND NOT EXISTS (SELECT 1 FROM ledger_posting p WHERE p.transfer_id = e.id) ORDER BY e.id LIMIT 1"
    ):
        yield LedgerFault(f"transfer {entry_id[0]} has no postings")


def _sealed_hash(tiles: Tiles, index: int) -> bytes:
    try:
        return tiles.node(0, index)
    except LookupError:
        return b""


def _checkpoint_fault(checkpoint: Checkpoint, history: KeyHistory) -> LedgerFault | None:
    try:
        text = history.open_checkpoint(checkpoint.note)
    except (BadNote, UnverifiedNote) as error:
        return LedgerFault(f"checkpoint {checkpoint.size} cannot be trusted: {error}")
    if (text.size, text.root_hash) != (checkpoint.size, bytes(checkpoint.root_hash)):
        return LedgerFault(f"checkpoint {checkpoint.size} says size {text.size} or another root")
    return None


def _row_fault(
    body: bytes, kind: str, transfer_kind: str | None, reference: str, postings: list[list[str | int]] | None
) -> str | None:
    """Do the columns that the database searches say what the signed bytes say?"""
    try:
        entry = parse(body)
    except MalformedEntry as error:
        return f"cannot be read: {error}"
    if entry.kind != kind or entry.transfer_kind != transfer_kind:
        return "is another kind in its row than in its bytes"
    if kind != "TRANSFER":
        return None
    signed = sorted((posting.wallet.hex(), posting.asset.hex(), posting.amount) for posting in entry.postings)
    rows = sorted((str(wallet), str(asset), int(amount)) for wallet, asset, amount in postings or [])
    if entry.reference != reference or signed != rows:
        return "has other postings in its rows than in its bytes"
    return None


def _sealed_entries() -> Iterator[tuple[int, bytes, bytes, str, str | None, str, list[list[str | int]] | None]]:
    after = -1
    while rows := _rows(
        """
        SELECT l.index, e.body, e.leaf_hash, e.kind, e.transfer_kind, e.reference,
            (SELECT json_agg(json_build_array(replace(w.public_id::text, '-', ''),
                encode(s.definition_hash, 'hex'), p.amount))
             FROM ledger_posting p JOIN ledger_account a ON a.id = p.account_id
             JOIN ledger_wallet w ON w.id = a.wallet_id JOIN ledger_asset s ON s.id = a.asset_id
             WHERE p.transfer_id = e.id)
        FROM ledger_leaf l JOIN ledger_entry e ON e.id = l.entry_id WHERE l.index > %s ORDER BY l.index LIMIT %s
        """,
        [after, CHUNK],
    ):
        for index, body, hash_, kind, transfer_kind, reference, postings in rows:
            yield index, bytes(body), bytes(hash_), kind, transfer_kind, reference, postings
        after = rows[-1][0]


def _rows(sql: str, params: list[int] | None = None) -> list[tuple]:  # type: ignore[type-arg]
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        rows: list[tuple] = cursor.fetchall()  # type: ignore[type-arg]
    return rows
