"""A clearing reads by sets, and only what can have changed.

What it enters with comes as one row of arrays for each kind, not as a row an order. What never changes of a wallet, its
accounts and its public id, the process knows (market/known.py): of wallets only those are read that have a policy, by
the index of them. So an order costs one lookup, of its client order id, where it cost four, and a resting one none. The
book is read as deep as the sum of the arriving quantities reaches, in growing steps of which the first is nearly always
enough. All else is as 0007 has it.
"""

from importlib import import_module

from django.db import migrations

_before = import_module("market.migrations.0007_clearing_with_fees_and_auctions")

ROWS = """
CREATE TYPE market_rows AS (
    kind smallint, id bigint[], wallet bigint[], price bigint[], quantity bigint[], account bigint[],
    receiving bigint[], flags bigint[], extra bigint[], word text[]
);
"""
ROWS_REVERSE = "DROP TYPE market_rows;"

SETTINGS = """LANGUAGE plpgsql
SET enable_seqscan = off SET enable_sort = off SET enable_bitmapscan = off SET enable_hashjoin = off
SET enable_mergejoin = off SET plan_cache_mode = force_generic_plan"""
# As the index of wallets with policies has it (ledger migration 0006).
PLAIN = import_module("ledger.migrations.0006_door").PLAIN

# The instrument and its two assets at this moment, then what is not plain about it.
HEAD = """
    -- Policies stay as they are read here until this transaction ends.
    PERFORM ledger_read_policies();
    moment := clock_timestamp();
    SELECT 0, ARRAY[i.id], ARRAY[i.last_priority], ARRAY[i.last_event], ARRAY[i.last_trade],
        ARRAY[(extract(epoch FROM moment) * 1000000)::bigint], ARRAY[(extract(epoch FROM base.expires_at) * 1000000)::bigint],
        ARRAY[CASE WHEN base.paused_at IS NULL THEN 0 ELSE 1 END + CASE WHEN price.paused_at IS NULL THEN 0 ELSE 2 END
        + CASE WHEN coalesce(base.locked_until > moment, false) OR base.position_limit IS NOT NULL
            OR base.receivers IS NOT NULL THEN 4 ELSE 0 END + market_rates(i.maker_fee_bp, i.taker_fee_bp)],
        ARRAY[i.last_price],
        ARRAY[i.phase, i.code, encode(base.definition_hash, 'hex'), encode(price.definition_hash, 'hex')]
    INTO STRICT r FROM ledger_asset base, ledger_asset price WHERE base.id = i.asset_id AND price.id = i.price_asset_id;
    RETURN NEXT r;
    IF i.fees_account_id IS NOT NULL OR i.uncross_at IS NOT NULL OR i.static_band_bp IS NOT NULL
        OR i.dynamic_band_bp IS NOT NULL
    THEN
        RETURN QUERY SELECT o.kind, ARRAY[o.id], ARRAY[o.wallet], ARRAY[o.price], ARRAY[o.quantity], ARRAY[o.account],
            ARRAY[o.receiving], ARRAY[o.flags], ARRAY[o.extra], ARRAY[encode(o.tag, 'hex')] FROM market_rules(i) o;
    END IF;
    IF i.fees_account_id IS NOT NULL THEN
        accounts := array_append(accounts, i.fees_account_id);
    END IF;
"""
# Wallets with policies among those met (flags, and whom they benefit in `extra`), then the accounts, locked in order of
# their ids: price is the balance, quantity what is held of it.
LOCKED = f"""
    RETURN QUERY SELECT 5::smallint, array_agg(w.id), NULL::bigint[], NULL::bigint[], NULL::bigint[],
        NULL::bigint[], NULL::bigint[], array_agg(market_flags(w)), array_agg(coalesce(w.beneficial_owner_id, w.id)),
        NULL::text[]
    FROM ledger_wallet w WHERE NOT ({PLAIN}) AND w.id = ANY (wallets) HAVING count(*) > 0;
    RETURN QUERY SELECT 3::smallint, array_agg(a.id), NULL::bigint[], array_agg(a.balance), array_agg(a.held),
        NULL::bigint[], NULL::bigint[], NULL::bigint[], NULL::bigint[], NULL::text[]
    FROM ledger_lock_accounts(accounts) a HAVING count(*) > 0;
"""
GATHERED = """array_agg(o.id), array_agg(o.wallet), array_agg(o.price), array_agg(o.quantity),
                array_agg(o.account), array_agg(o.receiving), array_agg(o.flags), array_agg(o.extra)"""
# One row of arrays more: its accounts are to be locked, its wallets' policies told.
ADD = """
        IF r.id IS NOT NULL THEN
            RETURN NEXT r;
            accounts := accounts || r.account || r.receiving;
            wallets := wallets || r.wallet;
        END IF;"""


def _resting(flags: str, where: str, order: str) -> str:
    """Orders in the book, in line."""
    return f"""
                    SELECT o.id, o.wallet_id AS wallet, o.limit_price AS price, o.quantity - o.filled_quantity AS quantity,
                        o.account_id AS account, o.receiving_account_id AS receiving,
                        {flags} + CASE WHEN o.expires_at <= moment THEN 512 ELSE 0 END AS flags, o.priority AS extra
                    FROM market_order o
                    WHERE o.instrument_id = p_instrument AND o.status = 'OPEN' AND {where}
                    ORDER BY {order}, o.priority"""


def _reach(*, wanted: str, arriving: str, void: str, flags: str, where: str, order: str, line: str) -> str:
    """The part of one side that arriving orders reach: in line, until what can be had of it is `wanted` in sum. What is
    over, may not trade any more (`void`), or gives way to its own owner, gives nothing of it."""
    gathered = GATHERED.replace("\n", "\n    ")
    return f"""
    IF {wanted} > 0 AND EXISTS (
        SELECT 1 FROM market_order o WHERE o.instrument_id = p_instrument AND o.status = 'OPEN' AND {where}
    ) THEN
        step := {arriving} * 5 / 4 + 4;
        depth := {wanted};
        LOOP
            SELECT 2, {gathered}, NULL, coalesce(sum(o.quantity), 0), count(*)
            INTO r.kind, r.id, r.wallet, r.price, r.quantity, r.account, r.receiving, r.flags, r.extra, r.word, reached, met
            FROM (
                SELECT b.*, sum(b.quantity) OVER (ORDER BY b.{line}, b.extra ROWS UNBOUNDED PRECEDING) - b.quantity AS ahead
                FROM ({_resting(flags, where, order)} LIMIT step
                ) b
            ) o WHERE o.ahead < depth;
            EXIT WHEN met = 0;
            SELECT coalesce(sum(m.quantity), 0) INTO voided FROM unnest(r.wallet, r.quantity, r.flags)
                AS m (wallet, quantity, flags) LEFT JOIN ledger_wallet w ON NOT ({PLAIN}) AND w.id = m.wallet
            WHERE m.flags & 512 <> 0 OR w.frozen_at IS NOT NULL{void}
                OR coalesce(w.beneficial_owner_id, m.wallet) = ANY (passed_owners);
            EXIT WHEN reached - voided >= {wanted} OR (reached < depth AND met < step);
            IF reached < depth THEN
                step := step * 4;
            ELSE
                depth := {wanted} + voided;
            END IF;
        END LOOP;{ADD}
    END IF;
"""


ENTER = f"""
DROP FUNCTION market_enter;
CREATE FUNCTION market_enter(
    p_instrument bigint, p_block boolean,
    p_wallets bigint[], p_accounts bigint[], p_receivings bigint[],
    p_sides text[], p_prices bigint[], p_quantities bigint[], p_tifs text[], p_clients text[],
    p_options bigint[], p_expires bigint[], p_passing bigint[],
    p_buying bigint, p_buys bigint, p_highest_buy bigint, p_selling bigint, p_sells bigint, p_lowest_sell bigint
) RETURNS SETOF market_rows {SETTINGS}
AS $$
DECLARE
    i market_instrument%ROWTYPE;
    r market_rows;
    accounts bigint[] := p_accounts || p_receivings;
    wallets bigint[] := p_wallets;
    passed_owners bigint[] := '{{}}';
    moment timestamptz;
    step bigint;
    depth bigint;
    reached bigint;
    voided bigint;
    met bigint;
BEGIN
    IF p_block THEN
        SELECT * INTO STRICT i FROM market_instrument WHERE id = p_instrument FOR NO KEY UPDATE;
    ELSE
        SELECT * INTO i FROM market_instrument WHERE id = p_instrument FOR NO KEY UPDATE SKIP LOCKED;
        IF NOT FOUND THEN
            -- Another process is clearing: into the inbox, for it or for us once we have the lock.
            SELECT * INTO STRICT i FROM market_instrument WHERE id = p_instrument;
            PERFORM market_accounts(p_instrument, p_wallets);
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
{HEAD}
    -- The inbox: nearly always empty, and so is its index.
    IF EXISTS (SELECT 1 FROM market_order o WHERE o.instrument_id = p_instrument AND o.status = 'WAITING') THEN
        SELECT 1, {GATHERED}, array_agg(o.word),
            p_buying + count(*) FILTER (WHERE o.flags & 1 = 1), p_selling + count(*) FILTER (WHERE o.flags & 1 = 0),
            p_buys + coalesce(sum(o.quantity) FILTER (WHERE o.flags & 1 = 1), 0),
            greatest(p_highest_buy, max(o.price) FILTER (WHERE o.flags & 1 = 1)),
            p_sells + coalesce(sum(o.quantity) FILTER (WHERE o.flags & 1 = 0), 0),
            least(p_lowest_sell, min(o.price) FILTER (WHERE o.flags & 1 = 0)),
            p_passing || coalesce(array_agg(o.wallet) FILTER (WHERE o.flags & 384 <> 0), '{{}}')
        INTO r.kind, r.id, r.wallet, r.price, r.quantity, r.account, r.receiving, r.flags, r.extra, r.word,
            p_buying, p_selling, p_buys, p_highest_buy, p_sells, p_lowest_sell, p_passing
        FROM (
            SELECT o.id, o.wallet_id AS wallet, o.limit_price AS price, o.quantity - o.filled_quantity AS quantity,
                o.account_id AS account, o.receiving_account_id AS receiving,
                market_traits(o) + CASE WHEN o.expires_at <= moment THEN 512 ELSE 0 END AS flags,
                0::bigint AS extra, o.client_order_id AS word
            FROM market_order o WHERE o.instrument_id = p_instrument AND o.status = 'WAITING' ORDER BY o.id LIMIT 2000
        ) o;{ADD}
    END IF;
    IF cardinality(p_passing) > 0 THEN
        passed_owners := ARRAY(
            SELECT coalesce(w.beneficial_owner_id, w.id) FROM ledger_wallet w WHERE w.id = ANY (p_passing));
    END IF;

    -- The caller's own: their ids; in `extra` those of orders asked for before, which are answered as they are.
    IF cardinality(p_wallets) > 0 THEN
        RETURN QUERY SELECT 4::smallint, array_agg(coalesce(k.id, nextval('market_order_id_seq'))), NULL::bigint[],
            NULL::bigint[], NULL::bigint[], NULL::bigint[], NULL::bigint[], NULL::bigint[], array_agg(k.id), NULL::text[]
        FROM unnest(p_wallets, p_clients) AS o (wallet, client)
        LEFT JOIN market_order k ON k.wallet_id = o.wallet AND k.client_order_id = o.client;
    END IF;

    -- The part of the book that they can cross, up to the sum of their quantities; in an auction they cross nothing yet.
    IF i.phase = 'AUCTION' THEN
        p_buys := 0;
        p_sells := 0;
    END IF;
    {
    _reach(
        wanted="p_buys",
        arriving="p_buying",
        void=" OR NOT w.may_sell",
        flags="market_rates(o.maker_fee_bp, o.taker_fee_bp)",
        where="o.side = 'SELL' AND o.limit_price <= p_highest_buy",
        order="o.limit_price",
        line="price",
    )
}{
    _reach(
        wanted="p_sells",
        arriving="p_selling",
        void="",
        flags="1 + market_rates(o.maker_fee_bp, o.taker_fee_bp)",
        where="o.side = 'BUY' AND o.limit_price >= p_lowest_sell",
        order="o.limit_price DESC",
        line="price DESC",
    )
}{LOCKED}
END $$;
"""
# Both accounts of each wallet, opened where they are not there yet: once in a wallet's life.
ACCOUNTS = """
CREATE FUNCTION market_accounts(p_instrument bigint, p_wallets bigint[])
RETURNS TABLE (wallet bigint, base bigint, price bigint) LANGUAGE plpgsql AS $$
DECLARE
    i market_instrument%ROWTYPE;
BEGIN
    SELECT * INTO STRICT i FROM market_instrument WHERE id = p_instrument;
    PERFORM market_account(w.id, a.id)
    FROM ledger_wallet w, (VALUES (i.asset_id), (i.price_asset_id)) a (id)
    WHERE w.id = ANY (p_wallets)
        AND NOT EXISTS (SELECT 1 FROM ledger_account k WHERE k.wallet_id = w.id AND k.asset_id = a.id)
    ORDER BY w.id, a.id;
    RETURN QUERY SELECT b.wallet_id, b.id, p.id FROM ledger_account b JOIN ledger_account p ON p.wallet_id = b.wallet_id
    WHERE b.wallet_id = ANY (p_wallets) AND b.asset_id = i.asset_id AND p.asset_id = i.price_asset_id;
END $$;
"""
ACCOUNTS_REVERSE = "DROP FUNCTION market_accounts;"


def _all_of(flags: str, where: str, order: str) -> str:
    return f"""
    SELECT 2, {GATHERED}, NULL
    INTO r.kind, r.id, r.wallet, r.price, r.quantity, r.account, r.receiving, r.flags, r.extra, r.word FROM ({_resting(flags, where, order)} LIMIT p_limit) o;{ADD}
"""


AUCTION = f"""
DROP FUNCTION market_auction;
CREATE FUNCTION market_auction(p_instrument bigint, p_lowest_buy bigint, p_highest_sell bigint, p_limit bigint)
RETURNS SETOF market_rows {SETTINGS}
AS $$
DECLARE
    i market_instrument%ROWTYPE;
    r market_rows;
    accounts bigint[] := '{{}}';
    wallets bigint[] := '{{}}';
    moment timestamptz;
BEGIN
    SELECT * INTO STRICT i FROM market_instrument WHERE id = p_instrument FOR NO KEY UPDATE;
{HEAD}
{_all_of("market_traits(o)", "o.side = 'BUY' AND o.limit_price >= p_lowest_buy", "o.limit_price DESC")}
{_all_of("market_traits(o)", "o.side = 'SELL' AND o.limit_price <= p_highest_sell", "o.limit_price")}
{LOCKED}
END $$;
"""


def _reversed(function: str, sql: str) -> str:
    return f"DROP FUNCTION {function};" + sql.replace(f"DROP FUNCTION {function};", "", 1)


class Migration(migrations.Migration):
    dependencies = [("market", "0010_circles")]

    operations = [
        migrations.RunSQL(ROWS, ROWS_REVERSE),
        migrations.RunSQL(ACCOUNTS, ACCOUNTS_REVERSE),
        migrations.RunSQL(ENTER, _reversed("market_enter", _before.ENTER)),
        migrations.RunSQL(AUCTION, _reversed("market_auction", _before.AUCTION)),
    ]
