"""Amendments that lose an order its place: counted as orders are, and history."""

import django.db.models.deletion
from django.db import migrations, models

GUARD = """
CREATE TRIGGER market_amendment_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON market_amendment
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
REVOKE UPDATE, DELETE, TRUNCATE ON market_amendment FROM hourglass_app;
"""


class Migration(migrations.Migration):
    dependencies = [("market", "0008_offerings")]

    operations = [
        migrations.CreateModel(
            name="Amendment",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("limit_price", models.BigIntegerField()),
                ("quantity", models.BigIntegerField()),
                ("filled_quantity", models.BigIntegerField()),
                ("amended_at", models.DateTimeField()),
                (
                    "order",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="amendments",
                        to="market.order",
                    ),
                ),
                (
                    "wallet",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="ledger.wallet",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["wallet", "-id"], name="amendment_by_wallet")],
            },
        ),
        # The table goes with its trigger.
        migrations.RunSQL(GUARD, migrations.RunSQL.noop),
    ]
