"""Cosignatures of witnesses; the sealer goes by ids and a snapshot; the entries that name keys are found at once."""

import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

GROUP = "hourglass_app"

# What is sealed already was taken by transactions: the next sealer asks of each entry once, by its leaf.
POSITION = """
UPDATE ledger_logstate SET sealed_to_id = coalesce((SELECT max(entry_id) FROM ledger_leaf), 0);
"""

HISTORY = f"""
CREATE TRIGGER ledger_cosignature_immutable BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger_cosignature
    FOR EACH STATEMENT EXECUTE FUNCTION ledger_refuse_change();
REVOKE UPDATE, DELETE, TRUNCATE ON ledger_cosignature FROM {GROUP};
"""
HISTORY_REVERSE = "DROP TRIGGER ledger_cosignature_immutable ON ledger_cosignature;"


class Migration(migrations.Migration):
    dependencies = [("ledger", "0004_governance")]

    operations = [
        migrations.CreateModel(
            name="Cosignature",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("witness", models.CharField(max_length=200)),
                ("key_id", models.CharField(max_length=8)),
                ("timestamp", models.BigIntegerField()),
                ("line", models.TextField()),
                (
                    "checkpoint",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="cosignatures",
                        to="ledger.checkpoint",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("checkpoint", "witness", "key_id"), name="cosignature_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="WitnessState",
            fields=[
                ("witness", models.CharField(max_length=200, primary_key=True, serialize=False)),
                ("size", models.BigIntegerField(default=0)),
                ("ask_again_at", models.DateTimeField(null=True)),
                ("answered_at", models.DateTimeField(null=True)),
                ("problem", models.CharField(blank=True, max_length=30)),
                ("detail", models.CharField(blank=True, max_length=300)),
            ],
        ),
        migrations.AddField("logstate", "sealed_to_id", models.BigIntegerField(default=0)),
        migrations.AddField("logstate", "snapshot", models.TextField(blank=True, default=""), preserve_default=False),
        migrations.AddField("logstate", "published_size", models.BigIntegerField(default=0)),
        migrations.RunSQL(POSITION, migrations.RunSQL.noop),
        migrations.RemoveField("logstate", "sealed_before_xid"),
        migrations.AddIndex(
            model_name="entry", index=models.Index(condition=Q(kind="KEY"), fields=["id"], name="entry_of_key")
        ),
        migrations.RunSQL(HISTORY, HISTORY_REVERSE),
    ]
