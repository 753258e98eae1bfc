"""An account's wallet and asset are checked by the trigger that opens it, in place of two foreign keys.

Wallets and assets are never deleted and an account's keys never change; but Postgres checks the keys of a row anew when
one transaction changes it twice, as a clearing does, a tenth of a large batch's time.
"""

import django.db.models.deletion
from django.db import migrations, models

CHECK = """
CREATE OR REPLACE FUNCTION ledger_check_new_account() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp AS $$
BEGIN
    IF NEW.balance <> 0 OR NEW.held <> 0 THEN
        RAISE EXCEPTION 'an account starts empty'
            USING ERRCODE = 'check_violation', CONSTRAINT = 'account_starts_empty';
    END IF;
    IF NOT EXISTS (SELECT 1 FROM ledger_wallet w WHERE w.id = NEW.wallet_id)
        OR NOT EXISTS (SELECT 1 FROM ledger_asset a WHERE a.id = NEW.asset_id) THEN
        RAISE EXCEPTION 'an account needs a wallet and an asset'
            USING ERRCODE = 'foreign_key_violation', CONSTRAINT = 'account_of_wallet_and_asset';
    END IF;
    NEW.may_go_negative := EXISTS (SELECT 1 FROM ledger_wallet w WHERE w.id = NEW.wallet_id AND w.role = 'ISSUER');
    RETURN NEW;
END $$;
"""


class Migration(migrations.Migration):
    dependencies = [("ledger", "0002_guards")]

    operations = [
        migrations.RunSQL(CHECK, migrations.RunSQL.noop),
        migrations.AlterField(
            model_name="account",
            name="asset",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="accounts",
                to="ledger.asset",
            ),
        ),
        migrations.AlterField(
            model_name="account",
            name="wallet",
            field=models.ForeignKey(
                db_constraint=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="accounts",
                to="ledger.wallet",
            ),
        ),
    ]
