"""The past: what came to an account and left it, and what everybody had at any entry of the log."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from ledger.models import Leaf

GIVES, RECEIVES = "GIVES", "RECEIVES"
LARGEST_PAGE = 1000

# Everything that changed an account, one row an entry: what it has, what it holds, and what holds of others promise
# it. An account's entries have its lock in common, so their ids are in the log's order.
_CHANGES = """
SELECT p.transfer_id AS entry_id, p.amount, 0::bigint AS held, 0::bigint AS promised
FROM ledger_posting p WHERE p.account_id = %(account)s
UNION ALL
SELECT h.placed_entry, 0, h.amount, 0 FROM ledger_hold h WHERE h.account_id = %(account)s
UNION ALL
SELECT h.resolved_entry, 0, -h.amount, 0 FROM ledger_hold h
WHERE h.account_id = %(account)s AND h.resolved_entry IS NOT NULL
UNION ALL
SELECT h.placed_entry, 0, 0, h.amount FROM ledger_hold h WHERE h.to_account_id = %(account)s
UNION ALL
SELECT h.resolved_entry, 0, 0, -h.amount FROM ledger_hold h
WHERE h.to_account_id = %(account)s AND h.resolved_entry IS NOT NULL
"""
_LINES = """
WITH running AS (
    SELECT entry_id, amount, held, promised,
        sum(amount) OVER w AS balance, sum(held) OVER w AS holding, sum(promised) OVER w AS promising,
        sum(-amount) FILTER (WHERE amount < 0) OVER w AS given, sum(amount) FILTER (WHERE amount > 0) OVER w AS received
    FROM ({changes}) changes WINDOW w AS (ORDER BY entry_id ROWS UNBOUNDED PRECEDING)
)
SELECT r.entry_id, e.kind, e.transfer_kind, e.reference, e.recorded_at, r.amount, r.held, r.promised,
    r.balance::bigint, r.holding::bigint, r.promising::bigint, coalesce(r.given, 0)::bigint,
    coalesce(r.received, 0)::bigint
FROM running r JOIN ledger_entry e ON e.id = r.entry_id
WHERE r.entry_id >= %(first)s AND r.entry_id <= %(last)s
    AND (%(gives)s AND (r.amount < 0 OR r.held <> 0) OR %(receives)s AND (r.amount > 0 OR r.promised <> 0))
ORDER BY r.entry_id {order} LIMIT %(limit)s
"""

# A few from each of the wallet's accounts by the index on account and transfer, however many there are.
_NEWEST = """
SELECT DISTINCT p.transfer_id FROM ledger_account a CROSS JOIN LATERAL (
    SELECT transfer_id FROM ledger_posting
    WHERE account_id = a.id AND transfer_id < %(before)s ORDER BY transfer_id DESC LIMIT %(limit)s
) p WHERE a.wallet_id = %(wallet)s ORDER BY p.transfer_id DESC LIMIT %(limit)s
"""

_BALANCE = """
SELECT coalesce(sum(p.amount), 0)::bigint FROM ledger_posting p LEFT JOIN ledger_leaf l ON l.entry_id = p.transfer_id
WHERE p.account_id = %(account)s
    AND CASE WHEN %(index)s::bigint IS NULL THEN l.index IS NOT NULL OR p.transfer_id <= %(entry)s
        ELSE l.index <= %(index)s END
"""

_TRIAL_BALANCE = """
SELECT s.code, encode(uuid_send(w.public_id), 'hex'), sum(p.amount)::bigint
FROM ledger_leaf l JOIN ledger_posting p ON p.transfer_id = l.entry_id
JOIN ledger_account a ON a.id = p.account_id JOIN ledger_wallet w ON w.id = a.wallet_id
JOIN ledger_asset s ON s.id = a.asset_id
WHERE l.index < %s GROUP BY s.code, w.public_id HAVING sum(p.amount) <> 0 ORDER BY s.code, w.public_id
"""


@dataclass(frozen=True, slots=True)
class Line:
    """One entry's change of an account, and how it stood after it.

    `held` and `promised` count holds that have rows, not orders: those the log has in its ORDERS entries.
    """

    entry_id: int
    kind: str
    transfer_kind: str | None
    reference: str
    recorded_at: datetime
    amount: int
    held: int
    promised: int
    balance_after: int
    held_after: int
    promised_after: int
    given_until: int
    received_until: int


def account_history(
    account_id: int,
    *,
    sides: Iterable[str] = (GIVES, RECEIVES),
    first: int | None = None,
    last: int | None = None,
    limit: int = 100,
    newest_first: bool = True,
) -> list[Line]:
    """The account's entries from id `first` to `last`, both included: what it gave and held, what it received or was
    promised, or both."""
    wanted = set(sides)
    sql = _LINES.format(changes=_CHANGES, order="DESC" if newest_first else "ASC")
    return [
        Line(*row)
        for row in _rows(
            sql,
            {
                "account": account_id,
                "first": first or 0,
                "last": 2**63 - 1 if last is None else last,
                "gives": GIVES in wanted,
                "receives": RECEIVES in wanted,
                "limit": max(0, min(limit, LARGEST_PAGE)),
            },
        )
    ]


def newest_transfers(wallet_id: int, *, limit: int, before: int | None = None) -> list[int]:
    """Ids of the wallet's transfers, newest first, below `before`: at a cost that does not grow with its history."""
    params = {"wallet": wallet_id, "limit": limit, "before": 2**63 - 1 if before is None else before}
    return [row[0] for row in _rows(_NEWEST, params)]


def balance_at(account_id: int, *, entry_id: int) -> int:
    """What the account had right after an entry, in the log's order; entries not sealed yet come after, by id."""
    leaf = Leaf.objects.filter(entry_id=entry_id).first()
    index = None if leaf is None else leaf.index
    rows = _rows(_BALANCE, {"account": account_id, "entry": entry_id, "index": index})
    return int(rows[0][0])


def trial_balance_at(size: int) -> dict[str, dict[str, int]]:
    """What every wallet had when the log was `size` entries long: by the asset's code and the wallet's opaque id.

    Zeros are left out. Within each asset the sum is zero. Equal to `ledger.verifying.replay`'s after as many entries.
    """
    defined = _rows(
        "SELECT substr(e.reference, 7) FROM ledger_leaf l JOIN ledger_entry e ON e.id = l.entry_id"
        " WHERE l.index < %s AND e.kind = 'ASSET' ORDER BY l.index",
        [size],
    )
    table: dict[str, dict[str, int]] = {code: {} for (code,) in defined}
    for code, wallet, amount in _rows(_TRIAL_BALANCE, [size]):
        table[code][wallet] = amount
    return table


def _rows(sql: str, params: Sequence[Any] | dict[str, Any]) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
