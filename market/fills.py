"""What one holder traded: fills, and the movements that its positions come from. One statement each, no locks."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import connection

from market.positions import Movement, Position, moved

# Whoever buys is the taker where the taker buys; an account's posting says which it did.
_MINE = "(p.amount > 0) = (t.taker_side = 'BUY')"
_FEE = f"CASE WHEN {_MINE} THEN t.taker_fee ELSE t.maker_fee END"
_LIFE = f"""
    SELECT p.amount, p.transfer_id, t.number, t.traded_at, p.amount > 0, t.price, t.quantity, {_FEE},
        CASE WHEN {_MINE} THEN t.taker_id ELSE t.maker_id END, {_MINE}
    FROM ledger_posting p LEFT JOIN market_trade t ON t.transfer_id = p.transfer_id
    WHERE p.account_id = %s ORDER BY p.transfer_id
"""  # noqa: S608
_MOVEMENTS = f"""
    SELECT p.account_id, p.amount, t.price * t.quantity + CASE WHEN p.amount > 0 THEN 1 ELSE -1 END * {_FEE}
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

    @property
    def paid(self) -> int:
        """With the fee: what a buyer paid, or a seller received."""
        return self.value + self.fee if self.is_buy else self.value - self.fee


def life_of(account_id: int, *, limit: int = 20) -> tuple[Position, list[Fill]]:
    """The position of one account of tokens, and its newest fills, newest first."""
    position, newest = Position(), deque[Fill](maxlen=limit)
    with connection.cursor() as cursor:
        cursor.execute(_LIFE, [account_id])
        for amount, *row in cursor:
            fill = Fill(*row) if row[1] is not None else None
            position = moved(position, Movement(amount, fill.paid if fill else None))
            if fill:
                newest.appendleft(fill)
    return position, list(newest)


def positions(account_ids: Sequence[int]) -> dict[int, Position]:
    """What these accounts of tokens hold and brought, however often they were traded: one statement."""
    found = dict.fromkeys(account_ids, Position())
    with connection.cursor() as cursor:
        cursor.execute(_MOVEMENTS, [list(account_ids)])
        for account_id, amount, value in cursor:
            found[account_id] = moved(found[account_id], Movement(amount, value))
    return found
