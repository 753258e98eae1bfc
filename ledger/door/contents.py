"""What a request says, field by field, so that its key can be met again. Pure.

With a key its request's fields are kept, in a stated order; of another request with that key the first that differs
is named.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeAlias

from ledger.door.requests import ISSUER, HoldState, NewHold, NewPostings, NewRelease, NewTransfer, Request

# In the order in which they are compared.
FIELDS = ("kind", "hold", "asset", "from_wallet", "to_wallet", "amount", "timeout", "reference")
LONGEST_SCOPE, LONGEST_KEY, LONGEST_REFERENCE = 80, 120, 80

_ENCODE = json.JSONEncoder(ensure_ascii=False, check_circular=False, separators=(",", ":")).encode

Content: TypeAlias = tuple[str | int | None, ...]


@dataclass(slots=True)
class KnownKey:
    """A key that was used before, with its content as it is kept, and what it made."""

    content: str
    entry_id: int
    hold_id: int | None


def content_of(row: Request, issuer_id: int, hold: HoldState | None) -> Content:
    """The row's fields in the order of FIELDS. What it leaves to its hold is the hold's."""
    match row:
        case NewTransfer():
            giver = issuer_id if row.from_wallet_id == ISSUER else row.from_wallet_id
            amount = _stated(row.amount)
            return (str(row.kind), None, row.asset_id, giver, row.to_wallet_id, amount, None, row.reference)
        case NewHold():
            end = row.timeout.total_seconds() if row.timeout is not None else row.expires_at
            timeout, amount = None if end is None else str(end), _stated(row.amount)
            return ("HOLD", None, row.asset_id, row.wallet_id, row.to_wallet_id, amount, timeout, row.reference)
        case NewPostings():
            moves = ",".join(f"{move.account_id}:{move.amount}" for move in row.moves)
            return (str(row.kind), None, None, None, None, moves, None, row.reference)
    name = str(row.hold if hold is None else hold.name)
    reference = row.reference or ("" if hold is None else hold.reference)
    if isinstance(row, NewRelease):
        return ("RELEASE", name, None, None, None, None, None, reference)
    taken = hold.amount if row.amount is None and hold is not None else _stated(row.amount)
    return (f"CAPTURE {row.kind}", name, None, None, row.to_account_id, taken, None, reference)


def content_text(content: Sequence[str | int | None]) -> str:
    """The content as it is kept."""
    return _ENCODE(content)


def read_content(text: str) -> Content:
    """What `content_text` made; anything else, as `ledger.door.idempotency.once` keeps, is of another kind."""
    known = json.loads(text)
    return tuple(known) if isinstance(known, list) else ("",) * len(FIELDS)


def first_difference(known: Content, content: Content) -> str | None:
    """The first field in which two requests with one key differ; None when they are the same request."""
    if known == content:
        return None
    return next(name for name, theirs, ours in zip(FIELDS, known, content, strict=True) if theirs != ours)


def is_key(scope: str, key: str) -> bool:
    """Is it a key a caller may use: short and printable?"""
    return 0 < len(key) <= LONGEST_KEY and key.isprintable() and 0 < len(scope) <= LONGEST_SCOPE and scope.isprintable()


def _stated(amount: object) -> str | int | None:
    """An amount as it was asked for, whatever it was: only a sound request is ever made."""
    return amount if type(amount) is int else str(amount)
