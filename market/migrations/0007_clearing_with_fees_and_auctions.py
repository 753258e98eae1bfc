"""Clearing with fees, bands and auctions.

An order carries the fee rates it was accepted under, and a fill's fees are a fifth posting of its trade; the account of
fees is locked with the others. In an auction nothing of the book is read: orders only enter it. market_auction is what
the end of an auction reads. What is not plain about an instrument is in a second row, of kind 6.
"""

from importlib import import_module

from django.db import migrations

_before = import_module("market.migrations.0004_clearing_of_orders")

RULES = """
CREATE FUNCTION market_rates(p_maker smallint, p_taker smallint) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT (p_maker::bigint << 16) + (p_taker::bigint << 32)
$$;
CREATE FUNCTION market_rules(i market_instrument) RETURNS SETOF market_row LANGUAGE sql STABLE AS $$
    SELECT 6::smallint, i.fees_account_id, i.static_band_bp::bigint, i.dynamic_band_bp::bigint, i.reference_price,
        (extract(epoch FROM i.uncross_at) * 1000000)::bigint, i.uncross_price, 0::bigint, 0::bigint, NULL::text,
        (SELECT uuid_send(w.public_id) FROM ledger_account a JOIN ledger_wallet w ON w.id = a.wallet_id
            WHERE a.id = i.fees_account_id)
    WHERE i.fees_account_id IS NOT NULL OR i.static_band_bp IS NOT NULL OR i.dynamic_band_bp IS NOT NULL
        OR i.uncross_at IS NOT NULL
$$;
CREATE OR REPLACE FUNCTION market_traits(o market_order) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT (CASE WHEN o.side = 'BUY' THEN 1 ELSE 0 END
        + CASE WHEN o.time_in_force IN ('IOC', 'FOK') THEN 2 ELSE 0 END
        + CASE WHEN o.time_in_force = 'FOK' THEN 32 ELSE 0 END + CASE WHEN o.post_only THEN 64 ELSE 0 END
        + CASE o.self_trade WHEN 'CANCEL_OLDEST' THEN 128 WHEN 'CANCEL_BOTH' THEN 256 WHEN 'DECREMENT' THEN 384 ELSE 0 END
        + CASE WHEN o.kind = 'MARKET' THEN 1024 ELSE 0 END
    )::bigint + market_rates(o.maker_fee_bp, o.taker_fee_bp)
$$;
"""
RULES_REVERSE = """
CREATE OR REPLACE FUNCTION market_traits(o market_order) RETURNS bigint LANGUAGE sql IMMUTABLE AS $$
    SELECT (CASE WHEN o.side = 'BUY' THEN 1 ELSE 0 END
        + CASE WHEN o.time_in_force IN ('IOC', 'FOK') THEN 2 ELSE 0 END
        + CASE WHEN o.time_in_force = 'FOK' THEN 32 ELSE 0 END + CASE WHEN o.post_only THEN 64 ELSE 0 END
        + CASE o.self_trade WHEN 'CANCEL_OLDEST' THEN 128 WHEN 'CANCEL_BOTH' THEN 256 WHEN 'DECREMENT' THEN 384 ELSE 0 END
    )::bigint
$$;
DROP FUNCTION market_rules, market_rates;
"""
ENTER = """
DROP FUNCTION market_enter;
CREATE FUNCTION market_enter(
    p_instrument bigint, p_block boolean,
    p_wallets bigint[], p_sides text[], p_prices bigint[], p_quantities bigint[], p_tifs text[], p_clients text[],
    p_options bigint[], p_expires bigint[],
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
    passed_owners bigint[] := '{}';
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
                filled_quantity, filled_value, time_in_force, status, held, client_order_id, reason, placed_at,
                kind, post_only, self_trade, expires_at, maker_fee_bp, taker_fee_bp
            )
            SELECT p_instrument, o.wallet, pays.id, receives.id, o.side, o.price, o.quantity,
                0, 0, o.tif, 'WAITING', 0, o.client, '', clock_timestamp(),
                CASE WHEN o.options & 1024 = 0 THEN 'LIMIT' ELSE 'MARKET' END, o.options & 64 <> 0,
                market_self_trade(o.options), timestamptz 'epoch' + o.expires * interval '1 microsecond',
                i.maker_fee_bp, i.taker_fee_bp
            FROM unnest(p_wallets, p_sides, p_prices, p_quantities, p_tifs, p_clients, p_options, p_expires)
                WITH ORDINALITY AS o (wallet, side, price, quantity, tif, client, options, expires, place)
            JOIN ledger_account pays ON pays.wallet_id = o.wallet
                AND pays.asset_id = CASE o.side WHEN 'BUY' THEN i.price_asset_id ELSE i.asset_id END
            JOIN ledger_account receives ON receives.wallet_id = o.wallet
                AND receives.asset_id = CASE o.side WHEN 'BUY' THEN i.asset_id ELSE i.price_asset_id END
            ORDER BY o.place
            ON CONFLICT (wallet_id, client_order_id) DO NOTHING;
            RETURN;
        END IF;
    END IF;

    -- Policies stay as they are read here until this transaction ends.
    PERFORM ledger_read_policies();
    moment := clock_timestamp();
    SELECT * INTO STRICT base FROM ledger_asset WHERE id = i.asset_id;
    SELECT * INTO STRICT price FROM ledger_asset WHERE id = i.price_asset_id;
    r := (
        0, i.id, i.last_priority, i.last_event, i.last_trade,
        extract(epoch FROM moment) * 1000000, extract(epoch FROM base.expires_at) * 1000000,
        CASE WHEN base.paused_at IS NULL THEN 0 ELSE 1 END + CASE WHEN price.paused_at IS NULL THEN 0 ELSE 2 END
        + CASE WHEN coalesce(base.locked_until > moment, false) OR base.position_limit IS NOT NULL
            OR base.receivers IS NOT NULL THEN 4 ELSE 0 END + market_rates(i.maker_fee_bp, i.taker_fee_bp),
        i.last_price, i.phase || ' ' || i.code, base.definition_hash || price.definition_hash
    );
    RETURN NEXT r;
    IF i.fees_account_id IS NOT NULL OR i.uncross_at IS NOT NULL OR i.static_band_bp IS NOT NULL
        OR i.dynamic_band_bp IS NOT NULL
    THEN
        FOR r IN SELECT * FROM market_rules(i) LOOP
            RETURN NEXT r;
        END LOOP;
    END IF;
    IF i.fees_account_id IS NOT NULL THEN
        accounts := array_append(accounts, i.fees_account_id);
    END IF;

    -- The inbox: nearly always empty, and so is its index.
    FOR r IN
        SELECT 1::smallint, o.id, o.wallet_id, o.limit_price, o.quantity - o.filled_quantity, o.account_id,
            o.receiving_account_id,
            market_traits(o) + market_flags(w) + CASE WHEN o.expires_at <= moment THEN 512 ELSE 0 END,
            0, o.client_order_id, market_tag(w)
        FROM market_order o JOIN ledger_wallet w ON w.id = o.wallet_id
        WHERE o.instrument_id = p_instrument AND o.status = 'WAITING' ORDER BY o.id LIMIT 2000
    LOOP
        RETURN NEXT r;
        accounts := array_append(accounts, r.account);
        accounts := array_append(accounts, r.receiving);
        IF r.flags & 384 <> 0 THEN
            passed_owners := array_append(passed_owners, market_owner(r.wallet, r.tag));
        END IF;
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
                market_flags(w),
                0, NULL, market_tag(w)
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
            IF p_options[r.price] & 384 <> 0 THEN
                passed_owners := array_append(passed_owners, market_owner(r.wallet, r.tag));
            END IF;
            accounts := array_append(accounts, r.account);
            accounts := array_append(accounts, r.receiving);
        END LOOP;
    END IF;

    -- The part of the book that they can cross, up to the sum of their quantities; in an auction they cross nothing yet.
    IF i.phase = 'AUCTION' THEN
        p_buys := 0;
        p_sells := 0;
    END IF;
    IF p_buys > 0 THEN
        FOR r IN
            SELECT 2::smallint, o.id, o.wallet_id, o.limit_price, o.quantity - o.filled_quantity, o.account_id,
                o.receiving_account_id,
                market_flags(w) + CASE WHEN o.expires_at <= moment THEN 512 ELSE 0 END
                + market_rates(o.maker_fee_bp, o.taker_fee_bp),
                o.priority, NULL, market_tag(w)
            FROM market_order o JOIN ledger_wallet w ON w.id = o.wallet_id
            WHERE o.instrument_id = p_instrument AND o.side = 'SELL' AND o.status = 'OPEN'
                AND o.limit_price <= p_highest_buy
            ORDER BY o.limit_price, o.priority
        LOOP
            RETURN NEXT r;
            accounts := array_append(accounts, r.account);
            accounts := array_append(accounts, r.receiving);
            -- One that may not sell any more, or is over, is dropped; one's own may be passed by: they take nothing.
            IF r.flags & 524 = 0 AND (passed_owners = '{}' OR NOT market_owner(r.wallet, r.tag) = ANY (passed_owners))
            THEN
                p_buys := p_buys - r.quantity;
                EXIT WHEN p_buys <= 0;
            END IF;
        END LOOP;
    END IF;
    IF p_sells > 0 THEN
        FOR r IN
            SELECT 2::smallint, o.id, o.wallet_id, o.limit_price, o.quantity - o.filled_quantity, o.account_id,
                o.receiving_account_id,
                1 + market_flags(w) + CASE WHEN o.expires_at <= moment THEN 512 ELSE 0 END
                + market_rates(o.maker_fee_bp, o.taker_fee_bp),
                o.priority, NULL, market_tag(w)
            FROM market_order o JOIN ledger_wallet w ON w.id = o.wallet_id
            WHERE o.instrument_id = p_instrument AND o.side = 'BUY' AND o.status = 'OPEN'
                AND o.limit_price >= p_lowest_sell
            ORDER BY o.limit_price DESC, o.priority
        LOOP
            RETURN NEXT r;
            accounts := array_append(accounts, r.account);
            accounts := array_append(accounts, r.receiving);
            IF r.flags & 516 = 0 AND (passed_owners = '{}' OR NOT market_owner(r.wallet, r.tag) = ANY (passed_owners))
            THEN
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
WRITE = """
DROP FUNCTION market_write;
CREATE FUNCTION market_write(
    p_instrument bigint, p_now timestamptz,
    p_before_accounts bigint[], p_before bigint[],
    p_kinds text[], p_references text[], p_bodies bytea[], p_hashes bytea[], p_falls bigint,
    p_posting_trades bigint[], p_posting_accounts bigint[], p_amounts bigint[],
    p_makers bigint[], p_takers bigint[], p_taker_sides text[], p_trade_prices bigint[], p_trade_quantities bigint[],
    p_maker_fees bigint[], p_taker_fees bigint[],
    p_after_accounts bigint[], p_after bigint[],
    p_orders bigint[], p_statuses text[], p_filled bigint[], p_values bigint[], p_helds bigint[], p_priorities bigint[],
    p_reasons text[], p_cuts bigint[], p_fees bigint[],
    p_new_ids bigint[], p_wallets bigint[], p_accounts bigint[], p_receivings bigint[], p_sides text[], p_limits bigint[],
    p_quantities bigint[], p_tifs text[], p_clients text[], p_new_statuses text[], p_new_filled bigint[],
    p_new_values bigint[], p_new_helds bigint[], p_new_priorities bigint[], p_new_reasons text[],
    p_new_options bigint[], p_new_expires bigint[], p_new_cuts bigint[],
    p_new_fees bigint[], p_maker_bp bigint, p_taker_bp bigint,
    p_last_priority bigint, p_last_trade bigint, p_last_price bigint, p_event bigint, p_payload text
) RETURNS void LANGUAGE plpgsql
SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    trades integer := cardinality(p_makers);
    ids bigint[];
BEGIN
    IF cardinality(p_before_accounts) > 0 THEN
        PERFORM ledger_change_held(p_before_accounts, p_before);
    END IF;
    IF cardinality(p_references) > 0 THEN
        ids := ARRAY(SELECT nextval('ledger_entry_id_seq') FROM generate_series(1, cardinality(p_references)));
        INSERT INTO ledger_entry (id, kind, transfer_kind, reference, body, leaf_hash, recorded_at)
        SELECT e.id, e.kind, CASE e.kind WHEN 'TRANSFER' THEN 'TRADE' END, e.reference, e.body, e.hash, p_now
        FROM unnest(ids, p_kinds, p_references, p_bodies, p_hashes) AS e (id, kind, reference, body, hash);
    END IF;
    IF trades > 0 THEN
        INSERT INTO ledger_posting (transfer_id, account_id, amount)
        SELECT ids[p_falls + p.trade], p.account, p.amount
        FROM unnest(p_posting_trades, p_posting_accounts, p_amounts) WITH ORDINALITY AS p (trade, account, amount, place)
        ORDER BY p.place;
        INSERT INTO market_trade
            (instrument_id, number, maker_id, taker_id, taker_side, price, quantity, transfer_id, traded_at, maker_fee,
            taker_fee)
        SELECT p_instrument, p_last_trade - trades + t.place, t.maker, t.taker, t.side, t.price, t.quantity,
            ids[p_falls + t.place], p_now, t.maker_fee, t.taker_fee
        FROM unnest(p_makers, p_takers, p_taker_sides, p_trade_prices, p_trade_quantities, p_maker_fees, p_taker_fees)
            WITH ORDINALITY AS t (maker, taker, side, price, quantity, maker_fee, taker_fee, place);
    END IF;
    IF cardinality(p_after_accounts) > 0 THEN
        PERFORM ledger_change_held(p_after_accounts, p_after);
    END IF;
    IF cardinality(p_new_ids) > 0 THEN
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
        FROM unnest(
            p_new_ids, p_wallets, p_accounts, p_receivings, p_sides, p_limits, p_quantities, p_tifs, p_clients,
            p_new_statuses, p_new_filled, p_new_values, p_new_helds, p_new_priorities, p_new_reasons, p_new_options, p_new_expires, p_new_cuts,
            p_new_fees
        ) AS n (
            id, wallet, account, receiving, side, limit_price, quantity, tif, client, status, filled, value, held,
            priority, reason, options, expires, cut, fees
        );
    END IF;
    IF cardinality(p_orders) > 0 THEN
        UPDATE market_order o SET
            status = c.status, filled_quantity = o.filled_quantity + c.filled, filled_value = o.filled_value + c.value,
            held = c.held, fees_paid = o.fees_paid + c.fees, priority = c.priority, reason = c.reason, quantity = o.quantity - c.cut,
            first_quantity = CASE WHEN c.cut = 0 THEN o.first_quantity ELSE coalesce(o.first_quantity, o.quantity) END,
            done_at = CASE c.status WHEN 'OPEN' THEN NULL ELSE p_now END
        FROM unnest(p_orders, p_statuses, p_filled, p_values, p_helds, p_priorities, p_reasons, p_cuts, p_fees)
            AS c (id, status, filled, value, held, priority, reason, cut, fees)
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
# What the end of an auction reads: the best of both sides at its price (or of all that crosses, where that is not known
# yet), as market_enter's rows; so many orders of each side at most.
AUCTION = """
CREATE FUNCTION market_auction(p_instrument bigint, p_lowest_buy bigint, p_highest_sell bigint, p_limit bigint)
RETURNS SETOF market_row LANGUAGE plpgsql
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
BEGIN
    SELECT * INTO STRICT i FROM market_instrument WHERE id = p_instrument FOR NO KEY UPDATE;
    PERFORM ledger_read_policies();
    moment := clock_timestamp();
    SELECT * INTO STRICT base FROM ledger_asset WHERE id = i.asset_id;
    SELECT * INTO STRICT price FROM ledger_asset WHERE id = i.price_asset_id;
    r := (
        0, i.id, i.last_priority, i.last_event, i.last_trade,
        extract(epoch FROM moment) * 1000000, extract(epoch FROM base.expires_at) * 1000000,
        CASE WHEN base.paused_at IS NULL THEN 0 ELSE 1 END + CASE WHEN price.paused_at IS NULL THEN 0 ELSE 2 END
        + CASE WHEN base.locked_until > moment OR base.position_limit IS NOT NULL OR base.receivers IS NOT NULL
            THEN 4 ELSE 0 END + market_rates(i.maker_fee_bp, i.taker_fee_bp),
        i.last_price, i.phase || ' ' || i.code, base.definition_hash || price.definition_hash
    );
    RETURN NEXT r;
    FOR r IN SELECT * FROM market_rules(i) LOOP
        RETURN NEXT r;
    END LOOP;
    IF i.fees_account_id IS NOT NULL THEN
        accounts := array_append(accounts, i.fees_account_id);
    END IF;
    FOR r IN
        SELECT 2::smallint, o.id, o.wallet_id, o.limit_price, o.quantity - o.filled_quantity, o.account_id,
            o.receiving_account_id, market_traits(o) + market_flags(w) + CASE WHEN o.expires_at <= moment THEN 512 ELSE 0 END,
            o.priority, NULL, market_tag(w)
        FROM market_order o JOIN ledger_wallet w ON w.id = o.wallet_id
        WHERE o.instrument_id = p_instrument AND o.side = 'BUY' AND o.status = 'OPEN' AND o.limit_price >= p_lowest_buy
        ORDER BY o.limit_price DESC, o.priority LIMIT p_limit
    LOOP
        RETURN NEXT r;
        accounts := accounts || r.account || r.receiving;
    END LOOP;
    FOR r IN
        SELECT 2::smallint, o.id, o.wallet_id, o.limit_price, o.quantity - o.filled_quantity, o.account_id,
            o.receiving_account_id, market_traits(o) + market_flags(w) + CASE WHEN o.expires_at <= moment THEN 512 ELSE 0 END,
            o.priority, NULL, market_tag(w)
        FROM market_order o JOIN ledger_wallet w ON w.id = o.wallet_id
        WHERE o.instrument_id = p_instrument AND o.side = 'SELL' AND o.status = 'OPEN' AND o.limit_price <= p_highest_sell
        ORDER BY o.limit_price, o.priority LIMIT p_limit
    LOOP
        RETURN NEXT r;
        accounts := accounts || r.account || r.receiving;
    END LOOP;
    RETURN QUERY
        SELECT 3::smallint, a.id, a.wallet_id, a.balance, a.held, NULL::bigint, NULL::bigint,
            NULL::bigint, NULL::bigint, NULL::text, NULL::bytea
        FROM ledger_lock_accounts(accounts) a;
END $$;
"""
# Fees follow fills; changes of instruments are history.
RIGHTS = """
GRANT UPDATE (fees_paid) ON market_order TO hourglass_app;
CREATE TRIGGER market_change_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON market_instrumentchange
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
REVOKE UPDATE, DELETE, TRUNCATE ON market_instrumentchange FROM hourglass_app;
"""
RIGHTS_REVERSE = """
REVOKE UPDATE (fees_paid) ON market_order FROM hourglass_app;
DROP TRIGGER market_change_immutable ON market_instrumentchange;
"""


class Migration(migrations.Migration):
    dependencies = [("market", "0006_prices")]

    operations = [
        migrations.RunSQL(RULES, RULES_REVERSE),
        migrations.RunSQL(
            ENTER, "DROP FUNCTION market_enter;" + _before.ENTER.split("DROP FUNCTION market_enter;", 1)[1]
        ),
        migrations.RunSQL(
            WRITE, "DROP FUNCTION market_write;" + _before.WRITE.split("DROP FUNCTION market_write;", 1)[1]
        ),
        migrations.RunSQL(AUCTION, "DROP FUNCTION market_auction;"),
        migrations.RunSQL(RIGHTS, RIGHTS_REVERSE),
    ]
