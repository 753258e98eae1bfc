"""The two functions of clearing, and what keeps trades and events from being changed.

Both run with the caller's rights. market_enter reads what a clearing needs, market_write writes what it decided;
matching itself is in Python, between the two.
"""

from django.db import migrations

# One shape for everything market_enter answers, read as binary integers. What the columns mean is in
# market/clearing.py, beside the code that reads them.
ROW = """
CREATE TYPE market_row AS (
    kind smallint, id bigint, wallet bigint, price bigint, quantity bigint, account bigint, receiving bigint,
    flags bigint, extra bigint, word text, tag bytea
);
"""
ROW_REVERSE = "DROP TYPE market_row;"

# Each statement of a volatile function sees what was committed before it began: so the lock comes first, then the
# reads. The settings keep a plan made on an empty table from sorting a full one.
ENTER = """
CREATE FUNCTION market_account(p_wallet bigint, p_asset bigint) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    found bigint;
BEGIN
    INSERT INTO ledger_account (wallet_id, asset_id, balance, held, may_go_negative)
    VALUES (p_wallet, p_asset, 0, 0, false) ON CONFLICT DO NOTHING;
    SELECT id INTO STRICT found FROM ledger_account WHERE wallet_id = p_wallet AND asset_id = p_asset;
    RETURN found;
END $$;

CREATE FUNCTION market_enter(
    p_instrument bigint, p_block boolean,
    p_wallets bigint[], p_sides text[], p_prices bigint[], p_quantities bigint[], p_tifs text[], p_clients text[],
    p_buys bigint, p_highest_buy bigint, p_sells bigint, p_lowest_sell bigint
) RETURNS SETOF market_row LANGUAGE plpgsql
SET enable_seqscan = off SET enable_sort = off SET enable_bitmapscan = off SET enable_hashjoin = off
SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    i market_instrument%ROWTYPE;
    base ledger_asset%ROWTYPE;
    price ledger_asset%ROWTYPE;
    r market_row;
    accounts bigint[] := '{}';
    moment timestamptz;
    bought boolean;
BEGIN
    IF p_block THEN
        SELECT * INTO STRICT i FROM market_instrument WHERE id = p_instrument FOR NO KEY UPDATE;
    ELSE
        SELECT * INTO i FROM market_instrument WHERE id = p_instrument FOR NO KEY UPDATE SKIP LOCKED;
        IF NOT FOUND THEN
            -- Another process is clearing: into the inbox, for it or for us once we have the lock.
            SELECT * INTO STRICT i FROM market_instrument WHERE id = p_instrument;
            PERFORM market_account(w.id, a.id)
            FROM (SELECT DISTINCT unnest(p_wallets)) w (id), (VALUES (i.asset_id), (i.price_asset_id)) a (id)
            WHERE NOT EXISTS (SELECT 1 FROM ledger_account k WHERE k.wallet_id = w.id AND k.asset_id = a.id)
            ORDER BY w.id, a.id;
            INSERT INTO market_order (
                instrument_id, wallet_id, account_id, receiving_account_id, side, limit_price, quantity,
                filled_quantity, filled_value, time_in_force, status, held, client_order_id, reason, placed_at
            )
            SELECT p_instrument, o.wallet, pays.id, receives.id, o.side, o.price, o.quantity,
                0, 0, o.tif, 'WAITING', 0, o.client, '', clock_timestamp()
            FROM unnest(p_wallets, p_sides, p_prices, p_quantities, p_tifs, p_clients) WITH ORDINALITY
                AS o (wallet, side, price, quantity, tif, client, place)
            JOIN ledger_account pays ON pays.wallet_id = o.wallet
                AND pays.asset_id = CASE o.side WHEN 'BUY' THEN i.price_asset_id ELSE i.asset_id END
            JOIN ledger_account receives ON receives.wallet_id = o.wallet
                AND receives.asset_id = CASE o.side WHEN 'BUY' THEN i.asset_id ELSE i.price_asset_id END
            ORDER BY o.place
            ON CONFLICT (wallet_id, client_order_id) DO NOTHING;
            RETURN;
        END IF;
    END IF;

    moment := clock_timestamp();
    SELECT * INTO STRICT base FROM ledger_asset WHERE id = i.asset_id;
    SELECT * INTO STRICT price FROM ledger_asset WHERE id = i.price_asset_id;
    r := (
        0, i.id, i.last_priority, i.last_event, i.last_trade,
        extract(epoch FROM moment) * 1000000, extract(epoch FROM base.expires_at) * 1000000,
        CASE WHEN base.paused_at IS NULL THEN 0 ELSE 1 END + CASE WHEN price.paused_at IS NULL THEN 0 ELSE 2 END,
        i.last_price, i.phase || ' ' || i.code, base.definition_hash || price.definition_hash
    );
    RETURN NEXT r;

    -- The inbox: nearly always empty, and so is its index.
    FOR r IN
        SELECT 1::smallint, o.id, o.wallet_id, o.limit_price, o.quantity, o.account_id, o.receiving_account_id,
            CASE o.side WHEN 'BUY' THEN 1 ELSE 0 END + CASE o.time_in_force WHEN 'IOC' THEN 2 ELSE 0 END
            + CASE WHEN w.frozen_at IS NULL THEN 0 ELSE 4 END + CASE WHEN w.may_sell THEN 0 ELSE 8 END,
            0, o.client_order_id, uuid_send(w.public_id)
        FROM market_order o JOIN ledger_wallet w ON w.id = o.wallet_id
        WHERE o.instrument_id = p_instrument AND o.status = 'WAITING' ORDER BY o.id LIMIT 2000
    LOOP
        RETURN NEXT r;
        accounts := array_append(accounts, r.account);
        accounts := array_append(accounts, r.receiving);
        IF r.flags & 1 = 1 THEN
            p_buys := p_buys + r.quantity;
            p_highest_buy := greatest(p_highest_buy, r.price);
        ELSE
            p_sells := p_sells + r.quantity;
            p_lowest_sell := least(p_lowest_sell, r.price);
        END IF;
    END LOOP;

    -- The caller's own: their accounts and what their wallets may do; those asked for before are answered as they are.
    IF cardinality(p_wallets) > 0 THEN
        FOR r IN
            SELECT CASE WHEN known.id IS NULL THEN 4 ELSE 5 END::smallint,
                coalesce(known.id, nextval('market_order_id_seq')), w.id, o.place, 0, pays.id, receives.id,
                CASE WHEN w.frozen_at IS NULL THEN 0 ELSE 4 END + CASE WHEN w.may_sell THEN 0 ELSE 8 END,
                0, NULL, uuid_send(w.public_id)
            FROM unnest(p_wallets, p_sides, p_clients) WITH ORDINALITY AS o (wallet, side, client, place)
            JOIN ledger_wallet w ON w.id = o.wallet
            LEFT JOIN ledger_account pays ON pays.wallet_id = o.wallet
                AND pays.asset_id = CASE o.side WHEN 'BUY' THEN i.price_asset_id ELSE i.asset_id END
            LEFT JOIN ledger_account receives ON receives.wallet_id = o.wallet
                AND receives.asset_id = CASE o.side WHEN 'BUY' THEN i.asset_id ELSE i.price_asset_id END
            LEFT JOIN market_order known ON known.wallet_id = o.wallet AND known.client_order_id = o.client
        LOOP
            IF r.account IS NULL OR r.receiving IS NULL THEN
                bought := p_sides[r.price] = 'BUY';
                r.account := market_account(r.wallet, CASE WHEN bought THEN i.price_asset_id ELSE i.asset_id END);
                r.receiving := market_account(r.wallet, CASE WHEN bought THEN i.asset_id ELSE i.price_asset_id END);
            END IF;
            RETURN NEXT r;
            accounts := array_append(accounts, r.account);
            accounts := array_append(accounts, r.receiving);
        END LOOP;
    END IF;

    -- The part of the book that they can cross, up to the sum of their quantities.
    IF p_buys > 0 THEN
        FOR r IN
            SELECT 2::smallint, o.id, o.wallet_id, o.limit_price, o.quantity - o.filled_quantity, o.account_id,
                o.receiving_account_id,
                CASE WHEN w.frozen_at IS NULL THEN 0 ELSE 4 END + CASE WHEN w.may_sell THEN 0 ELSE 8 END,
                o.priority, NULL, uuid_send(w.public_id)
            FROM market_order o JOIN ledger_wallet w ON w.id = o.wallet_id
            WHERE o.instrument_id = p_instrument AND o.side = 'SELL' AND o.status = 'OPEN'
                AND o.limit_price <= p_highest_buy
            ORDER BY o.limit_price, o.priority
        LOOP
            RETURN NEXT r;
            accounts := array_append(accounts, r.account);
            accounts := array_append(accounts, r.receiving);
            -- One that may not sell any more is dropped, and takes nothing.
            IF r.flags & 12 = 0 THEN
                p_buys := p_buys - r.quantity;
                EXIT WHEN p_buys <= 0;
            END IF;
        END LOOP;
    END IF;
    IF p_sells > 0 THEN
        FOR r IN
            SELECT 2::smallint, o.id, o.wallet_id, o.limit_price, o.quantity - o.filled_quantity, o.account_id,
                o.receiving_account_id,
                1 + CASE WHEN w.frozen_at IS NULL THEN 0 ELSE 4 END + CASE WHEN w.may_sell THEN 0 ELSE 8 END,
                o.priority, NULL, uuid_send(w.public_id)
            FROM market_order o JOIN ledger_wallet w ON w.id = o.wallet_id
            WHERE o.instrument_id = p_instrument AND o.side = 'BUY' AND o.status = 'OPEN'
                AND o.limit_price >= p_lowest_sell
            ORDER BY o.limit_price DESC, o.priority
        LOOP
            RETURN NEXT r;
            accounts := array_append(accounts, r.account);
            accounts := array_append(accounts, r.receiving);
            IF r.flags & 4 = 0 THEN
                p_sells := p_sells - r.quantity;
                EXIT WHEN p_sells <= 0;
            END IF;
        END LOOP;
    END IF;

    RETURN QUERY
        SELECT 3::smallint, a.id, a.wallet_id, a.balance, a.held, NULL::bigint, NULL::bigint,
            NULL::bigint, NULL::bigint, NULL::text, NULL::bytea
        FROM ledger_lock_accounts(accounts) a;
END $$;
"""
ENTER_REVERSE = "DROP FUNCTION market_enter; DROP FUNCTION market_account;"

# New orders are written once, as they end up; those in the book and in the inbox are changed.
# Falls of held and the rises that are available already, then postings, then the other rises: that always passes the
# accounts' checks when the end state does. A large batch brings its orders and trades by COPY and calls this for the rest.
WRITE = """
CREATE FUNCTION market_write(
    p_instrument bigint, p_now timestamptz,
    p_before_accounts bigint[], p_before bigint[],
    p_references text[], p_bodies bytea[], p_hashes bytea[],
    p_posting_accounts bigint[], p_amounts bigint[],
    p_makers bigint[], p_takers bigint[], p_taker_sides text[], p_trade_prices bigint[], p_trade_quantities bigint[],
    p_after_accounts bigint[], p_after bigint[],
    p_orders bigint[], p_statuses text[], p_filled bigint[], p_values bigint[], p_helds bigint[], p_priorities bigint[],
    p_reasons text[],
    p_new_ids bigint[], p_wallets bigint[], p_accounts bigint[], p_receivings bigint[], p_sides text[], p_limits bigint[],
    p_quantities bigint[], p_tifs text[], p_clients text[], p_new_statuses text[], p_new_filled bigint[],
    p_new_values bigint[], p_new_helds bigint[], p_new_priorities bigint[], p_new_reasons text[],
    p_last_priority bigint, p_last_trade bigint, p_last_price bigint, p_event bigint, p_payload text
) RETURNS void LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    trades integer := cardinality(p_references);
    ids bigint[];
BEGIN
    IF cardinality(p_before_accounts) > 0 THEN
        PERFORM ledger_change_held(p_before_accounts, p_before);
    END IF;
    IF trades > 0 THEN
        ids := ARRAY(SELECT nextval('ledger_entry_id_seq') FROM generate_series(1, trades));
        INSERT INTO ledger_entry (id, kind, transfer_kind, reference, body, leaf_hash, recorded_at)
        SELECT t.id, 'TRANSFER', 'TRADE', t.reference, t.body, t.hash, p_now
        FROM unnest(ids, p_references, p_bodies, p_hashes) AS t (id, reference, body, hash);
        INSERT INTO ledger_posting (transfer_id, account_id, amount)
        SELECT ids[(p.place + 3) / 4], p.account, p.amount
        FROM unnest(p_posting_accounts, p_amounts) WITH ORDINALITY AS p (account, amount, place) ORDER BY p.place;
        INSERT INTO market_trade
            (instrument_id, number, maker_id, taker_id, taker_side, price, quantity, transfer_id, traded_at)
        SELECT p_instrument, p_last_trade - trades + t.place, t.maker, t.taker, t.side, t.price, t.quantity,
            ids[t.place], p_now
        FROM unnest(p_makers, p_takers, p_taker_sides, p_trade_prices, p_trade_quantities) WITH ORDINALITY
            AS t (maker, taker, side, price, quantity, place);
    END IF;
    IF cardinality(p_after_accounts) > 0 THEN
        PERFORM ledger_change_held(p_after_accounts, p_after);
    END IF;
    IF cardinality(p_new_ids) > 0 THEN
        INSERT INTO market_order (
            id, instrument_id, wallet_id, account_id, receiving_account_id, side, limit_price, quantity, time_in_force,
            client_order_id, status, filled_quantity, filled_value, held, priority, reason, placed_at, done_at
        )
        SELECT n.id, p_instrument, n.wallet, n.account, n.receiving, n.side, n.limit_price, n.quantity, n.tif,
            n.client, n.status, n.filled, n.value, n.held, n.priority, n.reason, p_now,
            CASE n.status WHEN 'OPEN' THEN NULL ELSE p_now END
        FROM unnest(
            p_new_ids, p_wallets, p_accounts, p_receivings, p_sides, p_limits, p_quantities, p_tifs, p_clients,
            p_new_statuses, p_new_filled, p_new_values, p_new_helds, p_new_priorities, p_new_reasons
        ) AS n (
            id, wallet, account, receiving, side, limit_price, quantity, tif, client, status, filled, value, held,
            priority, reason
        );
    END IF;
    IF cardinality(p_orders) > 0 THEN
        UPDATE market_order o SET
            status = c.status, filled_quantity = o.filled_quantity + c.filled, filled_value = o.filled_value + c.value,
            held = c.held, priority = c.priority, reason = c.reason,
            done_at = CASE c.status WHEN 'OPEN' THEN NULL ELSE p_now END
        FROM unnest(p_orders, p_statuses, p_filled, p_values, p_helds, p_priorities, p_reasons)
            AS c (id, status, filled, value, held, priority, reason)
        WHERE o.id = c.id;
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
WRITE_REVERSE = "DROP FUNCTION market_write;"

# Trades and events are history too. An order's terms never change, and one that is done stays so.
HISTORY = """
CREATE TRIGGER market_trade_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON market_trade
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER market_event_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON market_marketevent
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
CREATE TRIGGER market_order_kept BEFORE DELETE OR TRUNCATE ON market_order
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
REVOKE UPDATE, DELETE, TRUNCATE ON market_trade, market_marketevent FROM hourglass_app;
REVOKE DELETE, TRUNCATE ON market_order FROM hourglass_app;
REVOKE UPDATE ON market_order FROM hourglass_app;
GRANT UPDATE (status, filled_quantity, filled_value, held, priority, reason, done_at) ON market_order TO hourglass_app;
"""
HISTORY_REVERSE = """
GRANT UPDATE, DELETE ON market_order TO hourglass_app;
DROP TRIGGER market_trade_immutable ON market_trade;
DROP TRIGGER market_event_immutable ON market_marketevent;
DROP TRIGGER market_order_kept ON market_order;
"""


class Migration(migrations.Migration):
    dependencies = [("market", "0001_initial"), ("ledger", "0002_guards")]

    operations = [
        migrations.RunSQL(ROW, ROW_REVERSE),
        migrations.RunSQL(ENTER, ENTER_REVERSE),
        migrations.RunSQL(WRITE, WRITE_REVERSE),
        migrations.RunSQL(HISTORY, HISTORY_REVERSE),
    ]
