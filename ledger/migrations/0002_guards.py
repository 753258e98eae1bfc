"""What Postgres itself enforces: sums, balances, immutable history, and what the application's role may do."""

from django.db import migrations

GROUP = "hourglass_app"

# Which transaction wrote an entry. Only the default may fill it: the posting guard and the sealer rely on it.
XID = """
ALTER TABLE ledger_entry ADD COLUMN xid xid8 NOT NULL DEFAULT pg_current_xact_id();
CREATE INDEX ledger_entry_xid ON ledger_entry (xid, id);
"""
XID_REVERSE = "ALTER TABLE ledger_entry DROP COLUMN xid;"

# Balances change by postings alone: the trigger checks the sums and that the transfer was made in this very
# transaction, and applies the net change to each account once. It takes the place of two foreign keys.
POSTINGS = """
CREATE FUNCTION ledger_apply_postings() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT 1 FROM new_rows p LEFT JOIN ledger_account a ON a.id = p.account_id
        GROUP BY p.transfer_id, a.asset_id HAVING sum(p.amount) <> 0 OR a.asset_id IS NULL
    ) THEN
        RAISE EXCEPTION 'postings of a transfer must sum to zero in every asset'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'posting_sums_zero';
    END IF;
    IF EXISTS (
        SELECT 1 FROM (SELECT DISTINCT transfer_id FROM new_rows) p
        LEFT JOIN ledger_entry e ON e.id = p.transfer_id
            AND e.xid = pg_current_xact_id() AND e.kind = 'TRANSFER'
        WHERE e.id IS NULL
    ) THEN
        RAISE EXCEPTION 'postings need a transfer made in the same transaction'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'posting_of_new_transfer';
    END IF;
    UPDATE ledger_account a SET balance = a.balance + net.amount
    FROM (SELECT account_id, sum(amount)::bigint AS amount FROM new_rows GROUP BY account_id) net
    WHERE a.id = net.account_id AND net.amount <> 0;
    RETURN NULL;
END $$;
CREATE TRIGGER ledger_posting_apply AFTER INSERT ON ledger_posting
    REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION ledger_apply_postings();
"""
POSTINGS_REVERSE = """
DROP TRIGGER ledger_posting_apply ON ledger_posting;
DROP FUNCTION ledger_apply_postings();
"""

ACCOUNTS = """
CREATE FUNCTION ledger_check_new_account() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.balance <> 0 OR NEW.held <> 0 THEN
        RAISE EXCEPTION 'an account starts empty'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'account_starts_empty';
    END IF;
    NEW.may_go_negative := EXISTS (SELECT 1 FROM ledger_wallet w WHERE w.id = NEW.wallet_id AND w.role = 'ISSUER');
    RETURN NEW;
END $$;
CREATE TRIGGER ledger_account_check BEFORE INSERT ON ledger_account
    FOR EACH ROW EXECUTE FUNCTION ledger_check_new_account();

CREATE FUNCTION ledger_lock_accounts(account_ids bigint[]) RETURNS SETOF ledger_account
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    SELECT * FROM ledger_account WHERE id = ANY (account_ids) ORDER BY id FOR UPDATE
$$;

CREATE FUNCTION ledger_change_held(account_ids bigint[], deltas bigint[]) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp AS $$
    UPDATE ledger_account a SET held = a.held + net.delta
    FROM (
        SELECT id, sum(delta)::bigint AS delta FROM unnest(account_ids, deltas) AS change (id, delta) GROUP BY id
    ) net
    WHERE a.id = net.id AND net.delta <> 0
$$;
"""
ACCOUNTS_REVERSE = """
DROP TRIGGER ledger_account_check ON ledger_account;
DROP FUNCTION ledger_check_new_account();
DROP FUNCTION ledger_lock_accounts(bigint[]);
DROP FUNCTION ledger_change_held(bigint[], bigint[]);
"""

IMMUTABLE = ["entry", "posting", "leaf", "checkpoint", "idempotencykey"]
NEVER_DELETED = ["wallet", "asset", "account", "hold", "tile", "logstate"]

HISTORY = """
CREATE FUNCTION ledger_refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% may not be changed: history is only added to', TG_TABLE_NAME
        USING ERRCODE = 'insufficient_privilege';
END $$;
""" + "".join(
    f"""
CREATE TRIGGER ledger_{table}_immutable BEFORE {events} ON ledger_{table}
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
"""
    for tables, events in ((IMMUTABLE, "UPDATE OR DELETE OR TRUNCATE"), (NEVER_DELETED, "DELETE OR TRUNCATE"))
    for table in tables
)
HISTORY_REVERSE = (
    "".join(f"DROP TRIGGER ledger_{table}_immutable ON ledger_{table};" for table in IMMUTABLE + NEVER_DELETED)
    + "DROP FUNCTION ledger_refuse_change();"
)

# A definition is part of an asset's identity; a hold resolves once.
ROWS = """
CREATE FUNCTION ledger_check_asset_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(NEW) - 'paused_at' IS DISTINCT FROM to_jsonb(OLD) - 'paused_at' THEN
        RAISE EXCEPTION 'an asset''s definition may not be changed' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER ledger_asset_change BEFORE UPDATE ON ledger_asset
    FOR EACH ROW EXECUTE FUNCTION ledger_check_asset_change();

CREATE FUNCTION ledger_check_hold_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status <> 'OPEN' OR NEW.account_id <> OLD.account_id OR NEW.amount <> OLD.amount
        OR NEW.public_id <> OLD.public_id OR NEW.placed_at <> OLD.placed_at THEN
        RAISE EXCEPTION 'a hold resolves once' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER ledger_hold_change BEFORE UPDATE ON ledger_hold
    FOR EACH ROW EXECUTE FUNCTION ledger_check_hold_change();
"""
ROWS_REVERSE = """
DROP TRIGGER ledger_asset_change ON ledger_asset;
DROP FUNCTION ledger_check_asset_change();
DROP TRIGGER ledger_hold_change ON ledger_hold;
DROP FUNCTION ledger_check_hold_change();
"""

# The application's role reads and writes every table, later ones included, except as said below.
RIGHTS = (
    f"""
DO $$ BEGIN
    IF NOT EXISTS (SELECT 1 FROM pg_roles WHERE rolname = '{GROUP}') THEN
        RAISE EXCEPTION 'role {GROUP} is missing: make it first (docs/operations.md)';
    END IF;
END $$;
GRANT USAGE ON SCHEMA public TO {GROUP};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA public TO {GROUP};
GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA public TO {GROUP};
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO {GROUP};
ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT USAGE, SELECT ON SEQUENCES TO {GROUP};
REVOKE INSERT ON ledger_entry FROM {GROUP};
GRANT INSERT (id, kind, transfer_kind, reference, body, leaf_hash, recorded_at) ON ledger_entry TO {GROUP};
REVOKE UPDATE ON ledger_account FROM {GROUP};
REVOKE ALL ON FUNCTION ledger_lock_accounts(bigint[]), ledger_change_held(bigint[], bigint[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION ledger_lock_accounts(bigint[]), ledger_change_held(bigint[], bigint[]) TO {GROUP};
"""
    + "".join(f"REVOKE UPDATE ON ledger_{table} FROM {GROUP};" for table in IMMUTABLE)
    + "".join(f"REVOKE DELETE, TRUNCATE ON ledger_{table} FROM {GROUP};" for table in IMMUTABLE + NEVER_DELETED)
)
RIGHTS_REVERSE = f"""
ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON TABLES FROM {GROUP};
ALTER DEFAULT PRIVILEGES IN SCHEMA public REVOKE ALL ON SEQUENCES FROM {GROUP};
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {GROUP};
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0001_initial")]

    operations = [
        migrations.RunSQL(XID, XID_REVERSE),
        migrations.RunSQL(POSTINGS, POSTINGS_REVERSE),
        migrations.RunSQL(ACCOUNTS, ACCOUNTS_REVERSE),
        migrations.RunSQL(HISTORY, HISTORY_REVERSE),
        migrations.RunSQL(ROWS, ROWS_REVERSE),
        migrations.RunSQL(RIGHTS, RIGHTS_REVERSE),
    ]
