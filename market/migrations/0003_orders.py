"""Orders of every kind, and the dead man's switch."""

import django.db.models.deletion
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("ledger", "0006_door"),
        ("market", "0002_clearing"),
    ]

    operations = [
        migrations.AddField(model_name="order", name="first_price", field=models.BigIntegerField(null=True)),
        migrations.AddField(model_name="order", name="first_quantity", field=models.BigIntegerField(null=True)),
        migrations.CreateModel(
            name="CancelTimer",
            fields=[
                (
                    "wallet",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="cancel_timer",
                        serialize=False,
                        to="ledger.wallet",
                    ),
                ),
                ("cancel_at", models.DateTimeField(db_index=True)),
            ],
        ),
        migrations.RemoveConstraint(
            model_name="order",
            name="order_status_says_what_is_filled",
        ),
        migrations.AddField(
            model_name="order",
            name="expires_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="order",
            name="kind",
            field=models.CharField(
                choices=[("LIMIT", "limit"), ("MARKET", "market")], db_default="LIMIT", default="LIMIT", max_length=6
            ),
        ),
        migrations.AddField(
            model_name="order",
            name="post_only",
            field=models.BooleanField(db_default=False, default=False),
        ),
        migrations.AddField(
            model_name="order",
            name="self_trade",
            field=models.CharField(
                choices=[
                    ("CANCEL_NEWEST", "cancel the newest"),
                    ("CANCEL_OLDEST", "cancel the oldest"),
                    ("CANCEL_BOTH", "cancel both"),
                    ("DECREMENT", "reduce both"),
                ],
                db_default="CANCEL_NEWEST",
                default="CANCEL_NEWEST",
                max_length=13,
            ),
        ),
        migrations.AlterField(
            model_name="order",
            name="time_in_force",
            field=models.CharField(
                choices=[
                    ("GTC", "until cancelled"),
                    ("GTD", "until a date"),
                    ("IOC", "immediate or cancel"),
                    ("FOK", "fill or kill"),
                ],
                default="GTC",
                max_length=3,
            ),
        ),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(
                condition=models.Q(("expires_at__isnull", False), ("status", "OPEN")),
                fields=["expires_at"],
                name="order_open_by_expiry",
            ),
        ),
        migrations.AddIndex(
            model_name="order",
            index=models.Index(
                condition=models.Q(("status", "OPEN")), fields=["wallet", "instrument"], name="order_open_by_wallet"
            ),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("expires_at__isnull", False), ("time_in_force", "GTD")),
                    models.Q(models.Q(("time_in_force", "GTD"), _negated=True), ("expires_at__isnull", True)),
                    _connector="OR",
                ),
                name="order_until_a_date_has_one",
            ),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("post_only", False),
                    models.Q(("kind", "LIMIT"), ("time_in_force__in", ["GTC", "GTD"])),
                    _connector="OR",
                ),
                name="order_that_may_not_trade_rests",
            ),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.CheckConstraint(
                condition=models.Q(("kind", "LIMIT"), ("time_in_force__in", ["IOC", "FOK"]), _connector="OR"),
                name="order_at_market_never_rests",
            ),
        ),
        migrations.AddConstraint(
            model_name="order",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("filled_quantity", models.F("quantity")), ("status", "FILLED")),
                    models.Q(
                        ("filled_quantity__lt", models.F("quantity")), ("priority__isnull", False), ("status", "OPEN")
                    ),
                    models.Q(("filled_quantity__lte", models.F("quantity")), ("status", "CANCELLED")),
                    models.Q(("filled_quantity__lt", models.F("quantity")), ("status", "WAITING")),
                    models.Q(("filled_quantity", 0), ("status", "REJECTED")),
                    _connector="OR",
                ),
                name="order_status_says_what_is_filled",
            ),
        ),
    ]
