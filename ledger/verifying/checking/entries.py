"""Entries in the order of the log: do the rows that the database searches say what the bytes say?"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from ledger.entries import MalformedEntry, ParsedEntry, leaf_hash, parse
from ledger.verifying.checking.faults import rows_of

_CHUNK = 2000
_COLUMNS = """
    e.id, e.body, e.leaf_hash, e.kind, e.transfer_kind, e.reference, e.recorded_at,
    CASE WHEN e.kind = 'TRANSFER' THEN
        (SELECT json_agg(json_build_array(replace(w.public_id::text, '-', ''),
            encode(s.definition_hash, 'hex'), p.amount))
         FROM ledger_posting p JOIN ledger_account a ON a.id = p.account_id
         JOIN ledger_wallet w ON w.id = a.wallet_id JOIN ledger_asset s ON s.id = a.asset_id
         WHERE p.transfer_id = e.id)
    END
"""
_SEALED = f"""
    SELECT l.index, {_COLUMNS} FROM ledger_leaf l JOIN ledger_entry e ON e.id = l.entry_id
    WHERE l.index > %s ORDER BY l.index LIMIT {_CHUNK}
"""  # noqa: S608
_WAITING = f"""
    SELECT e.id, {_COLUMNS} FROM ledger_entry e
    WHERE e.id > %s AND NOT EXISTS (SELECT 1 FROM ledger_leaf l WHERE l.entry_id = e.id) ORDER BY e.id LIMIT {_CHUNK}
"""  # noqa: S608


@dataclass(frozen=True, slots=True)
class Row:
    """An entry's row, with its postings' as the log would name them."""

    id: int
    body: bytes
    leaf_hash: bytes
    kind: str
    transfer_kind: str | None
    reference: str
    recorded_at: datetime
    postings: Sequence[Sequence[str | int]] | None


def sealed_rows() -> Iterator[tuple[int, Row]]:
    """Each with its index, as far as leaves go."""
    yield from _rows(_SEALED)


def waiting_rows() -> Iterator[Row]:
    """What is not sealed yet, in the order in which it will be."""
    for _, row in _rows(_WAITING):
        yield row


def row_fault(row: Row) -> str | None:
    """What the row says otherwise than its bytes."""
    if leaf_hash(row.body) != row.leaf_hash:
        return "has another hash in its row than its bytes have"
    try:
        entry = parse(row.body)
    except MalformedEntry as error:
        return f"cannot be read: {error}"
    if entry.kind != row.kind or entry.transfer_kind != row.transfer_kind:
        return "is another kind in its row than in its bytes"
    if entry.recorded_at != row.recorded_at:
        return "was recorded at another instant in its row than in its bytes"
    if (f"asset:{entry.code}" if entry.kind == "ASSET" else entry.reference) != row.reference:
        return "is about something else in its row than in its bytes"
    if entry.kind == "TRANSFER" and _signed(entry) != _stored(row):
        return "has other postings in its rows than in its bytes"
    return None


def _signed(entry: ParsedEntry) -> list[tuple[str, str, int]]:
    return sorted((posting.wallet.hex(), posting.asset.hex(), posting.amount) for posting in entry.postings)


def _stored(row: Row) -> list[tuple[str, str, int]]:
    return sorted((str(wallet), str(asset), int(amount)) for wallet, asset, amount in row.postings or [])


def _rows(sql: str) -> Iterator[tuple[int, Row]]:
    after = -1
    while rows := rows_of(sql, [after]):
        for place, id_, body, hash_, *rest in rows:
            yield place, Row(id_, bytes(body), bytes(hash_), *rest)
        after = rows[-1][0]
