"""What one holder traded: fills, and the movements that its positions come from. One statement each, no locks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from market.positions import Movement, Position, moved

# Whoever buys is the taker where the taker buys; an account's posting says which it did.
_MINE = "(p.amount > 0) = (t.taker_side = 'BUY')"
_FILLS = f"""
    SELECT t.transfer_id, t.number, t.traded_at, p.amount > 0, t.price, t.quantity,
        CASE WHEN {_MINE} THEN t.taker_fee ELSE t.maker_fee END,
        CASE WHEN {_MINE} THEN t.taker_id ELSE t.maker_id END, {_MINE}
    FROM ledger_posting p JOIN market_trade t ON t.transfer_id = p.transfer_id
    WHERE p.account_id = %s ORDER BY p.transfer_id DESC LIMIT %s
"""  # noqa: S608
_MOVEMENTS = f"""
    SELECT p.account_id, p.amount, t.price * t.quantity
        + CASE WHEN p.amount > 0 THEN 1 ELSE -1 END * CASE WHEN {_MINE} THEN t.taker_fee ELSE t.maker_fee END
    FROM ledger_posting p LEFT JOIN market_trade t ON t.transfer_id = p.transfer_id
    WHERE p.account_id = ANY(%s) ORDER BY p.transfer_id
"""  # noqa: S608


@dataclass(frozen=True)
class Fill:
    """One trade from its holder's side; `entry` is the transfer that settled it."""

    entry: int
    number: int
    traded_at: datetime
    is_buy: bool
    price: int
    quantity: int
    fee: int
    order_id: int
    is_taker: bool

    @property
    def value(self) -> int:
        return self.price * self.quantity


def fills(account_id: int, *, limit: int = 20) -> list[Fill]:
    """The newest trades of this account of tokens, newest first."""
    with connection.cursor() as cursor:
        cursor.execute(_FILLS, [account_id, limit])
        return [Fill(*row) for row in cursor.fetchall()]


def positions(account_ids: Sequence[int]) -> dict[int, Position]:
    """What these accounts of tokens hold and brought, however often they were traded: one statement."""
    found = dict.fromkeys(account_ids, Position())
    with connection.cursor() as cursor:
        cursor.execute(_MOVEMENTS, [list(account_ids)])
        for account_id, amount, value in cursor:
            found[account_id] = moved(found[account_id], Movement(amount, value))
    return found
