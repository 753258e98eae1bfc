"""The posting trigger in two statements rather than three, and fit for a thousand transfers at once.

It reads no account a second time: the update that applies the net change of each account answers which asset it is of.
Of many postings the sums and the transfers are joined by hashing; of few by their keys, which is cheaper to start. The
accounts themselves are always had by their keys: with that plan left to a guess it once read the whole table. Nothing is
planned anew from call to call.
"""

from django.db import migrations

# From about so many postings on, hashing beats a lookup each.
MANY = 100

TRIGGER = f"""
CREATE OR REPLACE FUNCTION ledger_apply_postings() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    accounts bigint[];
    assets bigint[];
    rows integer;
    unbalanced boolean;
    of_others boolean;
BEGIN
    WITH net AS (
        SELECT account_id, sum(amount)::bigint AS amount, count(*) AS rows FROM new_rows GROUP BY account_id
    ), applied AS (
        UPDATE ledger_account a SET balance = a.balance + net.amount FROM net WHERE a.id = net.account_id
        RETURNING a.id, a.asset_id, net.rows
    )
    SELECT array_agg(a.id), array_agg(a.asset_id), sum(a.rows) INTO accounts, assets, rows FROM applied a;
    IF rows > {MANY} THEN
        -- Until this function returns: what it sets itself is set back then.
        PERFORM set_config('enable_hashjoin', 'on', true), set_config('enable_nestloop', 'off', true);
        SELECT EXISTS (
            SELECT 1 FROM new_rows p LEFT JOIN unnest(accounts, assets) AS a (id, asset_id) ON a.id = p.account_id
            GROUP BY p.transfer_id, a.asset_id HAVING sum(p.amount) <> 0 OR a.asset_id IS NULL
        ), EXISTS (
            SELECT 1 FROM (SELECT DISTINCT transfer_id FROM new_rows) p LEFT JOIN (
                SELECT e.id FROM ledger_entry e
                WHERE e.id BETWEEN (SELECT min(transfer_id) FROM new_rows) AND (SELECT max(transfer_id) FROM new_rows)
                    AND e.xid = pg_current_xact_id() AND e.kind = 'TRANSFER'
            ) e ON e.id = p.transfer_id WHERE e.id IS NULL
        ) INTO unbalanced, of_others;
    ELSE
        SELECT EXISTS (
            SELECT 1 FROM new_rows p LEFT JOIN unnest(accounts, assets) AS a (id, asset_id) ON a.id = p.account_id
            GROUP BY p.transfer_id, a.asset_id HAVING sum(p.amount) <> 0 OR a.asset_id IS NULL
        ), EXISTS (
            SELECT 1 FROM new_rows p LEFT JOIN ledger_entry e ON e.id = p.transfer_id
                AND e.xid = pg_current_xact_id() AND e.kind = 'TRANSFER'
            WHERE e.id IS NULL
        ) INTO unbalanced, of_others;
    END IF;
    IF unbalanced THEN
        RAISE EXCEPTION 'postings of a transfer must sum to zero in every asset'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'posting_sums_zero';
    END IF;
    IF of_others THEN
        RAISE EXCEPTION 'postings need a transfer made in the same transaction'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'posting_of_new_transfer';
    END IF;
    RETURN NULL;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0007_governance_is_history")]

    operations = [migrations.RunSQL(TRIGGER, migrations.RunSQL.noop)]
