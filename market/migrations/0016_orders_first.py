"""What a clearing writes comes in two parts: its orders first, which Postgres takes in while the entries are put
together. Together they do what 0015 has in one.
"""

from importlib import import_module

from django.db import migrations

_before = import_module("market.migrations.0015_rows_for_arrays")

WRITE_ORDERS = """
CREATE FUNCTION market_write_orders(
    p_instrument bigint, p_now timestamptz, p_changed market_changed[], p_placed market_placed[],
    p_maker_bp bigint, p_taker_bp bigint
) RETURNS void LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan
AS $$
BEGIN
    IF cardinality(p_placed) > 0 THEN
        INSERT INTO market_order (
            id, instrument_id, wallet_id, account_id, receiving_account_id, side, limit_price, quantity, time_in_force,
            client_order_id, status, filled_quantity, filled_value, held, priority, reason, placed_at, done_at,
            kind, post_only, self_trade, expires_at, first_quantity, maker_fee_bp, taker_fee_bp, fees_paid
        )
        SELECT n.id, p_instrument, n.wallet, n.account, n.receiving, n.side, n.limit_price, n.quantity, n.tif,
            n.client, n.status, n.filled, n.value, n.held, n.priority, n.reason, p_now,
            CASE n.status WHEN 'OPEN' THEN NULL ELSE p_now END,
            CASE WHEN n.options & 1024 = 0 THEN 'LIMIT' ELSE 'MARKET' END, n.options & 64 <> 0,
            market_self_trade(n.options), timestamptz 'epoch' + n.expires * interval '1 microsecond',
            nullif(n.quantity + n.cut, n.quantity), p_maker_bp, p_taker_bp, n.fees
        FROM unnest(p_placed) AS n;
    END IF;
    IF cardinality(p_changed) > 0 THEN
        UPDATE market_order o SET
            status = c.status, filled_quantity = o.filled_quantity + c.filled, filled_value = o.filled_value + c.value,
            held = c.held, fees_paid = o.fees_paid + c.fees, priority = c.priority, reason = c.reason,
            quantity = o.quantity - c.cut,
            first_quantity = CASE WHEN c.cut = 0 THEN o.first_quantity ELSE coalesce(o.first_quantity, o.quantity) END,
            done_at = CASE c.status WHEN 'OPEN' THEN NULL ELSE p_now END
        FROM unnest(p_changed) AS c
        WHERE o.id = c.id;
    END IF;
END $$;
"""
WRITE = """
DROP FUNCTION market_write;
CREATE FUNCTION market_write(
    p_instrument bigint, p_now timestamptz, p_before_accounts bigint[], p_before bigint[],
    p_entries ledger_logged[], p_falls bigint, p_postings ledger_posted[], p_trades market_traded[],
    p_after_accounts bigint[], p_after bigint[],
    p_last_priority bigint, p_last_trade bigint, p_last_price bigint, p_event bigint, p_payload text
) RETURNS void LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    trades integer := cardinality(p_trades);
    ids bigint[];
BEGIN
    IF cardinality(p_before_accounts) > 0 THEN
        PERFORM ledger_change_held(p_before_accounts, p_before);
    END IF;
    IF cardinality(p_entries) > 0 THEN
        ids := ARRAY(SELECT nextval('ledger_entry_id_seq') FROM generate_series(1, cardinality(p_entries)));
        INSERT INTO ledger_entry (id, kind, transfer_kind, reference, body, leaf_hash, recorded_at)
        SELECT ids[e.place], e.kind, e.transfer_kind, e.reference, e.body, e.hash, p_now
        FROM unnest(p_entries) WITH ORDINALITY AS e (kind, transfer_kind, reference, body, hash, place);
    END IF;
    IF trades > 0 THEN
        INSERT INTO ledger_posting (transfer_id, account_id, amount)
        SELECT ids[p_falls + p.place], p.account, p.amount FROM unnest(p_postings) AS p;
        INSERT INTO market_trade
            (instrument_id, number, maker_id, taker_id, taker_side, price, quantity, transfer_id, traded_at, maker_fee,
            taker_fee)
        SELECT p_instrument, p_last_trade - trades + t.place, t.maker, t.taker, t.side, t.price, t.quantity,
            ids[p_falls + t.place], p_now, t.maker_fee, t.taker_fee
        FROM unnest(p_trades)
            WITH ORDINALITY AS t (maker, taker, side, price, quantity, maker_fee, taker_fee, place);
    END IF;
    IF cardinality(p_after_accounts) > 0 THEN
        PERFORM ledger_change_held(p_after_accounts, p_after);
    END IF;
    IF p_payload IS NOT NULL THEN
        INSERT INTO market_marketevent (instrument_id, number, payload, recorded_at)
        VALUES (p_instrument, p_event, p_payload::jsonb, p_now);
        UPDATE market_instrument SET last_priority = p_last_priority, last_event = p_event,
            last_trade = p_last_trade, last_price = p_last_price
        WHERE id = p_instrument;
    END IF;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("market", "0015_rows_for_arrays")]

    operations = [
        migrations.RunSQL(WRITE_ORDERS, "DROP FUNCTION market_write_orders;"),
        migrations.RunSQL(WRITE, _before.WRITE),
    ]
