"""What the ledger's door needs: one call to lock and read, one to write; narrow keys; holds that know their entries."""

import django.db.models.deletion
from django.db import migrations, models

GROUP = "hourglass_app"

# The key is its own primary key, its content one text that is compared only when the key is met again.
KEYS = """
ALTER TABLE ledger_idempotencykey DROP CONSTRAINT ledger_idempotencykey_pkey;
ALTER TABLE ledger_idempotencykey DROP CONSTRAINT idempotency_key_once;
DO $$
DECLARE
    name text;
BEGIN
    FOR name IN SELECT conname FROM pg_constraint
        WHERE conrelid = 'ledger_idempotencykey'::regclass AND contype = 'f' LOOP
        EXECUTE format('ALTER TABLE ledger_idempotencykey DROP CONSTRAINT %I', name);
    END LOOP;
    FOR name IN SELECT indexrelid::regclass::text FROM pg_index
        WHERE indrelid = 'ledger_idempotencykey'::regclass LOOP
        EXECUTE format('DROP INDEX %s', name);
    END LOOP;
END $$;
ALTER TABLE ledger_idempotencykey DROP COLUMN id;
ALTER TABLE ledger_idempotencykey ADD COLUMN hold_id bigint;
ALTER TABLE ledger_idempotencykey ALTER COLUMN entry_id SET NOT NULL;
ALTER TABLE ledger_idempotencykey ALTER COLUMN content TYPE text USING content::text;
ALTER TABLE ledger_idempotencykey DISABLE TRIGGER ledger_idempotencykey_immutable;
UPDATE ledger_idempotencykey k SET content = jsonb_build_array(k.content::jsonb -> 'kind', NULL,
    k.content::jsonb -> 'asset', k.content::jsonb -> 'from', k.content::jsonb -> 'to', k.content::jsonb -> 'amount',
    NULL, e.reference)::text
FROM ledger_entry e WHERE e.id = k.entry_id;
ALTER TABLE ledger_idempotencykey ENABLE TRIGGER ledger_idempotencykey_immutable;
ALTER TABLE ledger_idempotencykey ADD PRIMARY KEY (scope, key);
"""

# A posting is named by its transfer and account: one index less on the busiest table.
POSTINGS = """
ALTER TABLE ledger_posting DROP CONSTRAINT ledger_posting_pkey;
ALTER TABLE ledger_posting DROP COLUMN id;
DROP INDEX posting_by_transfer;
ALTER TABLE ledger_posting ADD PRIMARY KEY (transfer_id, account_id);
"""

# The posting trigger reads accounts by their keys, however few or many they are: with the plan left to a guess it read
# the whole table for every transfer as long as that was small.
TRIGGER = """
ALTER FUNCTION ledger_apply_postings() SET enable_seqscan = off;
ALTER FUNCTION ledger_apply_postings() SET enable_hashjoin = off;
ALTER FUNCTION ledger_apply_postings() SET enable_mergejoin = off;
"""
TRIGGER_REVERSE = """
ALTER FUNCTION ledger_apply_postings() RESET enable_seqscan;
ALTER FUNCTION ledger_apply_postings() RESET enable_hashjoin;
ALTER FUNCTION ledger_apply_postings() RESET enable_mergejoin;
"""

# Nothing of a hold changes but its end.
HOLDS = """
CREATE OR REPLACE FUNCTION ledger_check_hold_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status <> 'OPEN' OR NEW.account_id <> OLD.account_id OR NEW.amount <> OLD.amount
        OR NEW.public_id <> OLD.public_id OR NEW.placed_at <> OLD.placed_at OR NEW.reference <> OLD.reference
        OR NEW.to_account_id IS DISTINCT FROM OLD.to_account_id OR NEW.expires_at IS DISTINCT FROM OLD.expires_at
        OR NEW.placed_entry IS DISTINCT FROM OLD.placed_entry THEN
        RAISE EXCEPTION 'a hold resolves once' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
"""

# The one place that says what time it is where time decides value.
CLOCK = """
CREATE FUNCTION ledger_clock() RETURNS timestamptz LANGUAGE sql VOLATILE AS 'SELECT clock_timestamp()';
"""
CLOCK_REVERSE = "DROP FUNCTION ledger_clock();"

# Open the accounts that are missing, lock every account once in id order, and read, with the locks held, whatever a
# decision needs. Each statement of a volatile function sees what was committed before it; what the first reads beside
# the locked rows never changes. Kinds of rows: 0 the instant, 1 account, 2 asset, 3 hold, 4 key, 5 policy of a wallet
# that has one. Few rows by their keys, whatever the tables' sizes: so the plans are fixed.
FIXED_PLANS = "SET plan_cache_mode = force_generic_plan SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off"
PLAIN = """frozen_at IS NULL AND may_sell AND NOT unlimited AND locked_until IS NULL AND position_limit IS NULL
    AND receivers IS NULL AND beneficial_owner_id IS NULL AND role IS NULL"""
LOCKED = """SELECT 1, acc.id, acc.wallet_id, acc.asset_id, acc.balance, acc.held, acc.may_go_negative::int::bigint,
            NULL::text, NULL::text, NULL::text, uuid_send(w.public_id)"""
ENTER = f"""
CREATE INDEX ledger_wallet_with_policy ON ledger_wallet (id) WHERE NOT ({PLAIN});
CREATE FUNCTION ledger_enter(
    p_wallets bigint[], p_assets bigint[], p_accounts bigint[], p_holds bigint[], p_hold_names uuid[],
    p_scopes text[], p_keys text[]
) RETURNS TABLE (
    kind integer, a bigint, b bigint, c bigint, d bigint, e bigint, f bigint, t text, u text, v text, x bytea
) LANGUAGE plpgsql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp {FIXED_PLANS} AS $$
DECLARE
    wanted bigint[];
    others bigint[] := p_accounts;
    locked integer;
BEGIN
    IF 0 = ANY (p_wallets) THEN
        p_wallets := array_replace(p_wallets, 0, (SELECT w.id FROM ledger_wallet w WHERE w.role = 'ISSUER'));
    END IF;
    IF cardinality(p_holds) > 0 OR cardinality(p_hold_names) > 0 THEN
        -- A hold's accounts never change, so they can be read before the locks.
        others := others || ARRAY(
            SELECT unnest(ARRAY[h.account_id, h.to_account_id]) FROM ledger_hold h
            WHERE h.id = ANY (p_holds) OR h.public_id = ANY (p_hold_names)
        );
    END IF;
    locked := 0;
    IF cardinality(others) = 0 THEN
        RETURN QUERY {LOCKED} FROM unnest(p_wallets, p_assets) AS pair (wallet, asset)
            JOIN ledger_account acc ON acc.wallet_id = pair.wallet AND acc.asset_id = pair.asset
            JOIN ledger_wallet w ON w.id = acc.wallet_id ORDER BY acc.id FOR NO KEY UPDATE OF acc;
        GET DIAGNOSTICS locked = ROW_COUNT;
    END IF;
    IF cardinality(others) > 0 OR locked < cardinality(p_wallets) THEN
        -- The rarer way: accounts to open, or to be had by their ids.
        INSERT INTO ledger_account (wallet_id, asset_id, balance, held, may_go_negative)
        SELECT DISTINCT pair.wallet, pair.asset, 0, 0, false
        FROM unnest(p_wallets, p_assets) AS pair (wallet, asset)
        JOIN ledger_wallet w ON w.id = pair.wallet JOIN ledger_asset s ON s.id = pair.asset
        WHERE NOT EXISTS (
            SELECT 1 FROM ledger_account acc WHERE acc.wallet_id = pair.wallet AND acc.asset_id = pair.asset
        )
        ORDER BY 1, 2 ON CONFLICT DO NOTHING;
        wanted := others || ARRAY(
            SELECT acc.id FROM unnest(p_wallets, p_assets) AS pair (wallet, asset)
            JOIN ledger_account acc ON acc.wallet_id = pair.wallet AND acc.asset_id = pair.asset
        );
        RETURN QUERY {LOCKED} FROM ledger_account acc JOIN ledger_wallet w ON w.id = acc.wallet_id
            WHERE acc.id = ANY (wanted) ORDER BY acc.id FOR NO KEY UPDATE OF acc;
    END IF;
    RETURN QUERY SELECT 0, (extract(epoch FROM ledger_clock()) * 1000000)::bigint, 0::bigint, 0::bigint, 0::bigint,
        0::bigint, 0::bigint, NULL::text, NULL::text, NULL::text, NULL::bytea;
    RETURN QUERY
        SELECT 5, w.id, w.beneficial_owner_id, 0::bigint, 0::bigint, 0::bigint, 0::bigint,
            jsonb_strip_nulls(jsonb_build_object('frozen', w.frozen_at IS NOT NULL, 'may_sell', w.may_sell,
                'locked_until', w.locked_until, 'position_limit', w.position_limit, 'unlimited', w.unlimited,
                'receivers', w.receivers))::text,
            w.role::text, NULL::text, NULL::bytea
        FROM ledger_wallet w WHERE NOT ({PLAIN}) AND w.id = ANY (
            p_wallets || ARRAY(SELECT acc.wallet_id FROM ledger_account acc
                WHERE acc.id = ANY (others)));
    RETURN QUERY
        SELECT 2, s.id, (s.kind = 'CREDITS')::int::bigint, 0::bigint, 0::bigint, 0::bigint, 0::bigint,
            jsonb_strip_nulls(jsonb_build_object('paused', s.paused_at IS NOT NULL, 'locked_until', s.locked_until,
                'position_limit', s.position_limit, 'receivers', s.receivers))::text,
            s.code || chr(31) || s.resource_class, s.expires_at::text, s.definition_hash
        FROM ledger_asset s WHERE s.id = ANY (
            p_assets || ARRAY(SELECT acc.asset_id FROM ledger_account acc
                WHERE acc.id = ANY (others)));
    IF cardinality(p_holds) > 0 OR cardinality(p_hold_names) > 0 THEN
        RETURN QUERY
            SELECT 3, h.id, h.account_id, h.to_account_id, h.amount, h.captured_amount,
                (extract(epoch FROM h.expires_at) * 1000000)::bigint, h.status::text, h.reference::text,
                NULL::text, uuid_send(h.public_id)
            FROM ledger_hold h WHERE h.id = ANY (p_holds) OR h.public_id = ANY (p_hold_names);
    END IF;
    IF cardinality(p_keys) > 0 THEN
        RETURN QUERY
            SELECT 4, k.entry_id, k.hold_id, 0::bigint, 0::bigint, 0::bigint, 0::bigint, k.scope::text, k.key::text,
                k.content, NULL::bytea
            FROM unnest(p_scopes, p_keys) AS asked (scope, key)
            JOIN ledger_idempotencykey k ON k.scope = asked.scope AND k.key = asked.key;
    END IF;
END $$;
"""
ENTER_REVERSE = "DROP FUNCTION ledger_enter; DROP INDEX ledger_wallet_with_policy;"

# Write what was decided, for few rows (COPY takes over for many). Entries get their ids here, with every lock held, so
# that ids agree with the order of conflicts. Falls of `held` go before the postings and rises after, where the rise is
# not available before: balance >= held is checked row by row.
WRITE = """
CREATE FUNCTION ledger_write(
    p_now timestamptz,
    p_kinds text[], p_transfer_kinds text[], p_references text[], p_bodies bytea[], p_hashes bytea[],
    p_places bigint[], p_accounts bigint[], p_amounts bigint[],
    p_scopes text[], p_keys text[], p_contents text[], p_key_places bigint[],
    p_key_holds bigint[] DEFAULT '{}',
    p_before_accounts bigint[] DEFAULT '{}', p_before bigint[] DEFAULT '{}',
    p_after_accounts bigint[] DEFAULT '{}', p_after bigint[] DEFAULT '{}',
    p_hold_names uuid[] DEFAULT '{}', p_hold_accounts bigint[] DEFAULT '{}', p_hold_to bigint[] DEFAULT '{}',
    p_hold_amounts bigint[] DEFAULT '{}', p_hold_references text[] DEFAULT '{}',
    p_hold_expires timestamptz[] DEFAULT '{}', p_hold_statuses text[] DEFAULT '{}',
    p_hold_captured bigint[] DEFAULT '{}', p_hold_placed bigint[] DEFAULT '{}', p_hold_resolved bigint[] DEFAULT '{}',
    p_done bigint[] DEFAULT '{}', p_done_statuses text[] DEFAULT '{}', p_done_captured bigint[] DEFAULT '{}',
    p_done_places bigint[] DEFAULT '{}',
    OUT ids bigint[], OUT hold_ids bigint[]
) LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    IF cardinality(p_before) > 0 THEN
        PERFORM ledger_change_held(p_before_accounts, p_before);
    END IF;
    ids := ARRAY(SELECT nextval('ledger_entry_id_seq') FROM generate_series(1, cardinality(p_kinds)));
    INSERT INTO ledger_entry (id, kind, transfer_kind, reference, body, leaf_hash, recorded_at)
    SELECT ids[e.place], e.kind, e.transfer_kind, e.reference, e.body, e.hash, p_now
    FROM unnest(p_kinds, p_transfer_kinds, p_references, p_bodies, p_hashes)
        WITH ORDINALITY AS e (kind, transfer_kind, reference, body, hash, place);
    IF cardinality(p_places) > 0 THEN
        INSERT INTO ledger_posting (transfer_id, account_id, amount)
        SELECT ids[p.place], p.account, p.amount FROM unnest(p_places, p_accounts, p_amounts) AS p (place, account, amount);
    END IF;
    IF cardinality(p_hold_names) > 0 THEN
        hold_ids := ARRAY(
            SELECT nextval('ledger_hold_id_seq') FROM generate_series(1, cardinality(p_hold_names)));
        INSERT INTO ledger_hold (id, public_id, account_id, to_account_id, amount, captured_amount, reference, status,
            placed_at, expires_at, resolved_at, placed_entry, resolved_entry)
        SELECT hold_ids[h.place], h.name, h.account, h.target, h.amount, h.captured, h.reference, h.status, p_now,
            h.expires, CASE WHEN h.status <> 'OPEN' THEN p_now END, ids[h.placed], ids[h.resolved]
        FROM unnest(p_hold_names, p_hold_accounts, p_hold_to, p_hold_amounts, p_hold_references, p_hold_expires,
            p_hold_statuses, p_hold_captured, p_hold_placed, p_hold_resolved) WITH ORDINALITY
            AS h (name, account, target, amount, reference, expires, status, captured, placed, resolved, place);
    END IF;
    IF cardinality(p_done) > 0 THEN
        UPDATE ledger_hold h SET status = r.status, captured_amount = r.captured, resolved_entry = ids[r.place],
            resolved_at = greatest(p_now, h.placed_at)
        FROM unnest(p_done, p_done_statuses, p_done_captured, p_done_places) AS r (id, status, captured, place)
        WHERE h.id = r.id;
    END IF;
    IF cardinality(p_keys) > 0 THEN
        INSERT INTO ledger_idempotencykey (scope, key, content, entry_id, hold_id, created_at)
        SELECT k.scope, k.key, k.content, ids[k.place], CASE WHEN k.hold < 0 THEN hold_ids[-k.hold] ELSE k.hold END, p_now
        FROM unnest(p_scopes, p_keys, p_contents, p_key_places, p_key_holds) AS k (scope, key, content, place, hold);
    END IF;
    IF cardinality(p_after) > 0 THEN
        PERFORM ledger_change_held(p_after_accounts, p_after);
    END IF;
END $$;
"""
WRITE_REVERSE = "DROP FUNCTION ledger_write;"

RIGHTS = f"""
REVOKE ALL ON FUNCTION ledger_enter FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger_enter TO {GROUP};
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0005_cosignatures")]

    operations = [
        migrations.AddField("hold", "placed_entry", models.BigIntegerField(null=True)),
        migrations.AddField("hold", "resolved_entry", models.BigIntegerField(null=True)),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(KEYS, migrations.RunSQL.noop)],
            state_operations=[
                migrations.DeleteModel("IdempotencyKey"),
                migrations.CreateModel(
                    name="IdempotencyKey",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "scope", "key", blank=True, editable=False, primary_key=True, serialize=False
                            ),
                        ),
                        ("scope", models.CharField(max_length=80)),
                        ("key", models.CharField(max_length=120)),
                        ("content", models.TextField()),
                        ("hold_id", models.BigIntegerField(null=True)),
                        ("created_at", models.DateTimeField()),
                        (
                            "entry",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.PROTECT,
                                related_name="+",
                                to="ledger.entry",
                            ),
                        ),
                    ],
                ),
            ],
        ),
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunSQL(POSTINGS, migrations.RunSQL.noop)],
            state_operations=[
                migrations.DeleteModel("Posting"),
                migrations.CreateModel(
                    name="Posting",
                    fields=[
                        (
                            "pk",
                            models.CompositePrimaryKey(
                                "transfer_id",
                                "account_id",
                                blank=True,
                                editable=False,
                                primary_key=True,
                                serialize=False,
                            ),
                        ),
                        ("amount", models.BigIntegerField()),
                        (
                            "account",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="postings",
                                to="ledger.account",
                            ),
                        ),
                        (
                            "transfer",
                            models.ForeignKey(
                                db_constraint=False,
                                db_index=False,
                                on_delete=django.db.models.deletion.DO_NOTHING,
                                related_name="postings",
                                to="ledger.transfer",
                            ),
                        ),
                    ],
                    options={
                        "indexes": [models.Index(fields=["account", "transfer"], name="posting_by_account")],
                        "constraints": [
                            models.CheckConstraint(
                                condition=models.Q(("amount", 0), _negated=True), name="posting_moves_something"
                            )
                        ],
                    },
                ),
            ],
        ),
        migrations.RunSQL(TRIGGER, TRIGGER_REVERSE),
        migrations.RunSQL(HOLDS, migrations.RunSQL.noop),
        migrations.RunSQL(CLOCK, CLOCK_REVERSE),
        migrations.RunSQL(ENTER, ENTER_REVERSE),
        migrations.RunSQL(WRITE, WRITE_REVERSE),
        migrations.RunSQL(RIGHTS, migrations.RunSQL.noop),
    ]
