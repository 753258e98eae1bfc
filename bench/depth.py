"""What grows and must not cost: a book of a million resting orders, a page of an instrument with a million trades.

Orders and trades are put into the tables by one statement as Postgres's superuser, as placing them would leave them but
for the log: what is measured afterwards reads and writes the same rows.
"""

import os
from typing import Any

FEW, MANY = 10_000, 1_000_000

# Away from where the flow trades, both sides in turn, a thousand orders a price.
_REST = """
WITH placed AS (
    INSERT INTO market_order (instrument_id, wallet_id, account_id, receiving_account_id, side, limit_price, quantity,
        filled_quantity, filled_value, time_in_force, status, held, client_order_id, reason, placed_at, kind,
        post_only, self_trade, priority)
    SELECT i.id, w.wallet, pays.id, gets.id, o.side, o.price, 1, 0, 0, 'GTC', 'OPEN',
        CASE o.side WHEN 'BUY' THEN o.price ELSE 36 END, 'deep-' || o.n, '', now(), 'LIMIT', false, 'CANCEL_NEWEST',
        i.last_priority + o.n
    FROM (
        SELECT n, CASE n % 2 WHEN 0 THEN 'BUY' ELSE 'SELL' END AS side,
            CASE n % 2 WHEN 0 THEN 9800 - n / 1000 ELSE 10200 + n / 1000 END AS price
        FROM generate_series(1, %(count)s) n
    ) o
    JOIN market_instrument i ON i.id = %(instrument)s
    JOIN unnest(%(wallets)s::bigint[]) WITH ORDINALITY AS w (wallet, place)
        ON w.place = 1 + o.n %% cardinality(%(wallets)s::bigint[])
    JOIN ledger_account pays ON pays.wallet_id = w.wallet
        AND pays.asset_id = CASE o.side WHEN 'BUY' THEN i.price_asset_id ELSE i.asset_id END
    JOIN ledger_account gets ON gets.wallet_id = w.wallet
        AND gets.asset_id = CASE o.side WHEN 'BUY' THEN i.asset_id ELSE i.price_asset_id END
    RETURNING account_id, held
)
UPDATE ledger_account a SET held = a.held + p.held
FROM (SELECT account_id, sum(held) AS held FROM placed GROUP BY account_id) p WHERE a.id = p.account_id
""".replace("n % 2", "n %% 2")

_TRADE = """
INSERT INTO market_trade
    (transfer_id, instrument_id, number, maker_id, taker_id, taker_side, price, quantity, traded_at)
SELECT -%(instrument)s * 10000000::bigint - n, %(instrument)s, n, 1, 2, 'BUY', 9990 + n %% 20, 1 + n %% 7,
    now() - (%(count)s - n) * interval '0.17 second'
FROM generate_series(1, %(count)s::bigint) n
"""


def rest_deep(world: Any, count: int = MANY) -> None:
    """So many orders more in the book, none of which the flow reaches."""
    values = {"instrument": world.instrument.id, "count": count, "wallets": world.wallets}
    _as_superuser(
        (_REST, values),
        (
            "UPDATE market_instrument SET last_priority = last_priority + %(count)s WHERE id = %(instrument)s",
            {"instrument": world.instrument.id, "count": count},
        ),
    )
    _vacuum("market_order")


def trade_much(world: Any, count: int) -> None:
    """So many trades, as they were folded into candles."""
    from market.prices.candles import fold_all

    values = {"instrument": world.instrument.id, "count": count}
    _as_superuser(
        (_TRADE, values),
        ("UPDATE market_instrument SET last_trade = %(count)s, last_price = 10000 WHERE id = %(instrument)s", values),
    )
    _vacuum("market_trade")
    fold_all()


def _vacuum(table: str) -> None:
    """What autovacuum does in its own time, and not in the middle of what is measured."""
    import psycopg

    with psycopg.connect(os.environ["DATABASE_URL"].replace("hourglass@", "postgres@"), autocommit=True) as connection:
        connection.execute(f"VACUUM ANALYZE {table}")  # type: ignore[arg-type]


def _as_superuser(*statements: tuple[str, dict[str, Any]]) -> None:
    import psycopg

    with psycopg.connect(os.environ["DATABASE_URL"].replace("hourglass@", "postgres@")) as connection:
        for statement, values in statements:
            connection.execute(statement, values)  # type: ignore[arg-type]
