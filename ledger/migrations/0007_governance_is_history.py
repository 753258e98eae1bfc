"""What was decided stays decided: policies, capacity and corrections never change, the rest changes only as it may."""

from django.db import migrations

ROWS = """
CREATE OR REPLACE FUNCTION ledger_check_asset_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF to_jsonb(NEW) - ARRAY['paused_at', 'locked_until', 'position_limit', 'receivers', 'swept_at']
        IS DISTINCT FROM to_jsonb(OLD) - ARRAY['paused_at', 'locked_until', 'position_limit', 'receivers', 'swept_at']
    THEN
        RAISE EXCEPTION 'an asset''s definition may not be changed' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;

CREATE FUNCTION ledger_check_approval_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.status <> 'WAITING' OR to_jsonb(NEW) - ARRAY['status', 'approver_id', 'decided_at', 'entry_id']
        IS DISTINCT FROM to_jsonb(OLD) - ARRAY['status', 'approver_id', 'decided_at', 'entry_id']
    THEN
        RAISE EXCEPTION 'an approval is decided once, and as it was asked for' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER ledger_approval_change BEFORE UPDATE ON ledger_approval
    FOR EACH ROW EXECUTE FUNCTION ledger_check_approval_change();

CREATE FUNCTION ledger_check_allowance_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.spent < OLD.spent OR OLD.revoked_at IS NOT NULL
        OR to_jsonb(NEW) - ARRAY['spent', 'revoked_at'] IS DISTINCT FROM to_jsonb(OLD) - ARRAY['spent', 'revoked_at']
    THEN
        RAISE EXCEPTION 'an allowance is only spent or revoked' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER ledger_allowance_change BEFORE UPDATE ON ledger_allowance
    FOR EACH ROW EXECUTE FUNCTION ledger_check_allowance_change();

CREATE FUNCTION ledger_check_key_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.revoked_at IS NOT NULL OR to_jsonb(NEW) - 'revoked_at' IS DISTINCT FROM to_jsonb(OLD) - 'revoked_at' THEN
        RAISE EXCEPTION 'a wallet''s key is only revoked' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER ledger_walletkey_change BEFORE UPDATE ON ledger_walletkey
    FOR EACH ROW EXECUTE FUNCTION ledger_check_key_change();
"""
ROWS_REVERSE = "".join(
    f"DROP TRIGGER ledger_{table}_change ON ledger_{table}; DROP FUNCTION ledger_check_{word}_change();"
    for table, word in (("approval", "approval"), ("allowance", "allowance"), ("walletkey", "key"))
)

GROUP = "hourglass_app"
IMMUTABLE = ["policy", "capacity", "correction"]
NEVER_DELETED = ["approval", "allowance", "walletkey"]
HISTORY = "".join(
    f"""
CREATE TRIGGER ledger_{table}_immutable BEFORE {events} ON ledger_{table}
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
"""
    for tables, events in ((IMMUTABLE, "UPDATE OR DELETE OR TRUNCATE"), (NEVER_DELETED, "DELETE OR TRUNCATE"))
    for table in tables
)
HISTORY_REVERSE = "".join(
    f"DROP TRIGGER ledger_{table}_immutable ON ledger_{table};" for table in IMMUTABLE + NEVER_DELETED
)
RIGHTS = "".join(f"REVOKE UPDATE ON ledger_{table} FROM {GROUP};" for table in IMMUTABLE) + "".join(
    f"REVOKE DELETE, TRUNCATE ON ledger_{table} FROM {GROUP};" for table in IMMUTABLE + NEVER_DELETED
)


class Migration(migrations.Migration):
    dependencies = [("ledger", "0006_door")]

    operations = [
        migrations.RunSQL(ROWS, ROWS_REVERSE),
        migrations.RunSQL(HISTORY, HISTORY_REVERSE),
        migrations.RunSQL(RIGHTS, migrations.RunSQL.noop),
    ]
