"""A clearing asks and writes by fewer statements: what Postgres does before the first row of each is most of what it does
for a single order. All else is as 0011 and 0016 have it.
"""

from importlib import import_module

from django.db import migrations

_enter = import_module("market.migrations.0011_clearing_by_arrays").ENTER
_write = import_module("market.migrations.0016_orders_first").WRITE


def _with(sql: str, *changes: tuple[str, str]) -> str:
    """The same with other parts, each of which stands there once."""
    for part, instead in changes:
        assert sql.count(part) == 1, part
        sql = sql.replace(part, instead)
    return sql


def _meets(side: str, limit: str) -> str:
    return f"""EXISTS (
            SELECT 1 FROM market_order o
            WHERE o.instrument_id = p_instrument AND o.status = 'OPEN' AND o.side = '{side}' AND {limit}
        )"""


def _part(sql: str, start: str, end: str) -> str:
    """From where it begins to before what follows."""
    begin = sql.index(start)
    return sql[begin : sql.index(end, begin)]


_SELLS, _BUYS = ("SELL", "o.limit_price <= p_highest_buy"), ("BUY", "o.limit_price >= p_lowest_sell")
# With the head come the caller's own orders, and whether there is anything in the inbox, or in the book for them.
ENTER = _with(
    _enter,
    (
        "    met bigint;\n",
        """    met bigint;
    own_ids bigint[];
    own_known bigint[];
    has_inbox boolean;
    meets_sells boolean;
    meets_buys boolean;
""",
    ),
    (
        "    SELECT 0, ARRAY[i.id],",
        f"""    SELECT own.ids, own.known,
        EXISTS (SELECT 1 FROM market_order o WHERE o.instrument_id = p_instrument AND o.status = 'WAITING'),
        p_buys > 0 AND {_meets(*_SELLS)},
        p_sells > 0 AND {_meets(*_BUYS)},
        0, ARRAY[i.id],""",
    ),
    (
        "    INTO STRICT r FROM ledger_asset base, ledger_asset price WHERE",
        """    INTO STRICT own_ids, own_known, has_inbox, meets_sells, meets_buys,
        r.kind, r.id, r.wallet, r.price, r.quantity, r.account, r.receiving, r.flags, r.extra, r.word
    FROM ledger_asset base, ledger_asset price, (
        SELECT array_agg(coalesce(k.id, nextval('market_order_id_seq'))) AS ids, array_agg(k.id) AS known
        FROM unnest(p_wallets, p_clients) AS o (wallet, client)
        LEFT JOIN market_order k ON k.wallet_id = o.wallet AND k.client_order_id = o.client
    ) own WHERE""",
    ),
    (
        _part(_enter, "    IF EXISTS (SELECT 1 FROM market_order o", "        SELECT 1, "),
        """    IF has_inbox THEN
        -- Its orders may reach further than the caller's.
        meets_sells := true;
        meets_buys := true;
""",
    ),
    (
        _part(_enter, "    IF cardinality(p_wallets) > 0 THEN", "\n    -- The part of the book"),
        """    IF own_ids IS NOT NULL THEN
        r := (4, own_ids, NULL, NULL, NULL, NULL, NULL, NULL, own_known, NULL);
        RETURN NEXT r;
    END IF;
""",
    ),
    (_part(_enter, "    IF p_buys > 0 AND EXISTS", "        step :="), "    IF p_buys > 0 AND meets_sells THEN\n"),
    (_part(_enter, "    IF p_sells > 0 AND EXISTS", "        step :="), "    IF p_sells > 0 AND meets_buys THEN\n"),
)
# The numbers of entries are needed before these only where there are trades to be told of them.
WRITE = _with(
    _write,
    (
        """        ids := ARRAY(SELECT nextval('ledger_entry_id_seq') FROM generate_series(1, cardinality(p_entries)));
""",
        """        IF trades > 0 THEN
            ids := ARRAY(SELECT nextval('ledger_entry_id_seq') FROM generate_series(1, cardinality(p_entries)));
        END IF;
""",
    ),
    (
        "        SELECT ids[e.place], e.kind,",
        "        SELECT coalesce(ids[e.place], nextval('ledger_entry_id_seq')), e.kind,",
    ),
    (
        """        INSERT INTO market_marketevent (instrument_id, number, payload, recorded_at)
        VALUES (p_instrument, p_event, p_payload::jsonb, p_now);
        UPDATE market_instrument SET""",
        """        WITH event AS (
            INSERT INTO market_marketevent (instrument_id, number, payload, recorded_at)
            VALUES (p_instrument, p_event, p_payload::jsonb, p_now)
        )
        UPDATE market_instrument SET""",
    ),
)


class Migration(migrations.Migration):
    dependencies = [("market", "0017_instrument_is_sound")]

    operations = [migrations.RunSQL(ENTER, _enter), migrations.RunSQL(WRITE, _write)]
