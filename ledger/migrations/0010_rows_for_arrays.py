"""What the door writes comes as rows rather than as an array for each column.

`unnest` of nineteen arrays takes 150 microseconds before the first row, and each of them is a parameter and a copy; a
row of nineteen columns takes a few. All else is as 0006 has it.
"""

from importlib import import_module

from django.db import migrations

_before = import_module("ledger.migrations.0006_door")

# `place` is an entry's among those written with it, from 1. A hold below zero is one that is placed here, by its own.
ROWS = """
CREATE TYPE ledger_logged AS (kind text, transfer_kind text, reference text, body bytea, hash bytea);
CREATE TYPE ledger_posted AS (place bigint, account bigint, amount bigint);
CREATE TYPE ledger_keyed AS (scope text, key text, content text, place bigint, hold bigint);
CREATE TYPE ledger_placed AS (
    name uuid, account bigint, target bigint, amount bigint, captured bigint, reference text, status text,
    expires timestamptz, placed bigint, resolved bigint
);
CREATE TYPE ledger_resolved AS (id bigint, status text, captured bigint, place bigint);
"""
ROWS_REVERSE = "DROP TYPE ledger_logged, ledger_posted, ledger_keyed, ledger_placed, ledger_resolved;"

WRITE = """
DROP FUNCTION ledger_write;
CREATE FUNCTION ledger_write(
    p_now timestamptz, p_entries ledger_logged[], p_postings ledger_posted[], p_keys ledger_keyed[],
    p_before_accounts bigint[] DEFAULT '{}', p_before bigint[] DEFAULT '{}',
    p_after_accounts bigint[] DEFAULT '{}', p_after bigint[] DEFAULT '{}',
    p_placed ledger_placed[] DEFAULT '{}', p_resolved ledger_resolved[] DEFAULT '{}',
    OUT ids bigint[], OUT hold_ids bigint[]
) LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    IF cardinality(p_before) > 0 THEN
        PERFORM ledger_change_held(p_before_accounts, p_before);
    END IF;
    ids := ARRAY(SELECT nextval('ledger_entry_id_seq') FROM generate_series(1, cardinality(p_entries)));
    INSERT INTO ledger_entry (id, kind, transfer_kind, reference, body, leaf_hash, recorded_at)
    SELECT ids[e.place], e.kind, e.transfer_kind, e.reference, e.body, e.hash, p_now
    FROM unnest(p_entries) WITH ORDINALITY AS e (kind, transfer_kind, reference, body, hash, place);
    IF cardinality(p_postings) > 0 THEN
        INSERT INTO ledger_posting (transfer_id, account_id, amount)
        SELECT ids[p.place], p.account, p.amount FROM unnest(p_postings) AS p;
    END IF;
    IF cardinality(p_placed) > 0 THEN
        hold_ids := ARRAY(SELECT nextval('ledger_hold_id_seq') FROM generate_series(1, cardinality(p_placed)));
        INSERT INTO ledger_hold (id, public_id, account_id, to_account_id, amount, captured_amount, reference, status,
            placed_at, expires_at, resolved_at, placed_entry, resolved_entry)
        SELECT hold_ids[h.place], h.name, h.account, h.target, h.amount, h.captured, h.reference, h.status, p_now,
            h.expires, CASE WHEN h.status <> 'OPEN' THEN p_now END, ids[h.placed], ids[h.resolved]
        FROM unnest(p_placed) WITH ORDINALITY
            AS h (name, account, target, amount, captured, reference, status, expires, placed, resolved, place);
    END IF;
    IF cardinality(p_resolved) > 0 THEN
        UPDATE ledger_hold h SET status = r.status, captured_amount = r.captured, resolved_entry = ids[r.place],
            resolved_at = greatest(p_now, h.placed_at)
        FROM unnest(p_resolved) AS r
        WHERE h.id = r.id;
    END IF;
    IF cardinality(p_keys) > 0 THEN
        INSERT INTO ledger_idempotencykey (scope, key, content, entry_id, hold_id, created_at)
        SELECT k.scope, k.key, k.content, ids[k.place], CASE WHEN k.hold < 0 THEN hold_ids[-k.hold] ELSE k.hold END, p_now
        FROM unnest(p_keys) AS k;
    END IF;
    IF cardinality(p_after) > 0 THEN
        PERFORM ledger_change_held(p_after_accounts, p_after);
    END IF;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0009_hash_from_few_postings")]

    operations = [
        migrations.RunSQL(ROWS, ROWS_REVERSE),
        migrations.RunSQL(WRITE, "DROP FUNCTION ledger_write;" + _before.WRITE),
    ]
