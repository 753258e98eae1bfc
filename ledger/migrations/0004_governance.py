"""Policies with versions, capacity, approvals by two persons, allowances, keys of wallets, corrections."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

# Whoever moves value holds this lock with others from before they read a policy until they commit; whoever changes a
# policy holds it alone. So the log's order of policies and transfers is the order in which they count. A transaction
# that does both changes the policy first: two that wait to change what they read would wait for each other.
LOCKS = """
CREATE FUNCTION ledger_read_policies() RETURNS void LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock_shared(1213158738)
$$;
CREATE FUNCTION ledger_change_policies() RETURNS void LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock(1213158738)
$$;
CREATE OR REPLACE FUNCTION ledger_lock_accounts(account_ids bigint[]) RETURNS SETOF ledger_account
LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp AS $$
BEGIN
    PERFORM pg_advisory_xact_lock_shared(1213158738);
    RETURN QUERY SELECT * FROM ledger_account WHERE id = ANY (account_ids) ORDER BY id FOR UPDATE;
END $$;
"""
LOCKS_REVERSE = "DROP FUNCTION ledger_read_policies(); DROP FUNCTION ledger_change_policies();"


class Migration(migrations.Migration):
    dependencies = [
        ("ledger", "0003_accounts_keys_checked_when_opened"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="asset",
            name="locked_until",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="asset",
            name="position_limit",
            field=models.BigIntegerField(help_text="GPU-seconds by beneficial owner.", null=True),
        ),
        migrations.AddField(
            model_name="asset",
            name="receivers",
            field=models.JSONField(null=True),
        ),
        migrations.AddField(
            model_name="asset",
            name="swept_at",
            field=models.DateTimeField(null=True),
        ),
        migrations.AddField(
            model_name="hold",
            name="to_account",
            field=models.ForeignKey(
                null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="ledger.account"
            ),
        ),
        migrations.AddField(
            model_name="wallet",
            name="beneficial_owner",
            field=models.ForeignKey(
                blank=True,
                help_text="The beneficial owner's own wallet, where that is another.",
                null=True,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="owned",
                to="ledger.wallet",
            ),
        ),
        migrations.AddField(
            model_name="wallet",
            name="locked_until",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="wallet",
            name="position_limit",
            field=models.BigIntegerField(blank=True, help_text="GPU-seconds of each series.", null=True),
        ),
        migrations.AddField(
            model_name="wallet",
            name="receivers",
            field=models.JSONField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="wallet",
            name="unlimited",
            field=models.BooleanField(default=False),
        ),
        migrations.AlterField(
            model_name="entry",
            name="kind",
            field=models.CharField(
                choices=[
                    ("ASSET", "asset defined"),
                    ("TRANSFER", "transfer"),
                    ("HOLD", "hold"),
                    ("POLICY", "policy changed"),
                    ("KEY", "key rotated"),
                    ("CAPACITY", "capacity attested"),
                ],
                max_length=10,
            ),
        ),
        migrations.AlterField(
            model_name="entry",
            name="transfer_kind",
            field=models.CharField(
                choices=[
                    ("ISSUE", "issue"),
                    ("GRANT", "grant"),
                    ("SEND", "send"),
                    ("TRADE", "trade"),
                    ("REDEEM", "redeem"),
                    ("EXPIRE", "expire"),
                    ("CORRECT", "correction"),
                    ("FORCE", "forced transfer"),
                    ("RECOVER", "recovery"),
                ],
                max_length=10,
                null=True,
            ),
        ),
        migrations.CreateModel(
            name="Approval",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("ISSUE", "issue"),
                            ("FORCE", "forced transfer"),
                            ("RECOVER", "recovery of a wallet"),
                            ("CAPACITY", "capacity"),
                            ("POLICY", "policy"),
                            ("CORRECT", "correction"),
                        ],
                        max_length=10,
                        verbose_name="kind",
                    ),
                ),
                ("content", models.JSONField()),
                ("reason", models.CharField(max_length=300, verbose_name="reason")),
                (
                    "status",
                    models.CharField(
                        choices=[("WAITING", "waiting"), ("APPROVED", "approved"), ("REJECTED", "rejected")],
                        default="WAITING",
                        max_length=10,
                        verbose_name="status",
                    ),
                ),
                ("requested_at", models.DateTimeField(verbose_name="asked")),
                ("decided_at", models.DateTimeField(null=True, verbose_name="decided")),
                (
                    "approver",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="decided by",
                    ),
                ),
                (
                    "entry",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="ledger.entry"
                    ),
                ),
                (
                    "requester",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                        verbose_name="asked by",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Capacity",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("attestation", models.UUIDField(default=uuid.uuid4)),
                ("version", models.PositiveIntegerField()),
                ("resource_class", models.CharField(max_length=40, verbose_name="resource class")),
                (
                    "gpus",
                    models.PositiveIntegerField(
                        help_text="None of them: the attestation is withdrawn.", verbose_name="GPUs"
                    ),
                ),
                ("starts_at", models.DateTimeField(verbose_name="from")),
                ("ends_at", models.DateTimeField(verbose_name="to")),
                ("made_at", models.DateTimeField()),
                (
                    "approval",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="ledger.approval"
                    ),
                ),
                (
                    "entry",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="capacity", to="ledger.entry"
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "capacities",
            },
        ),
        migrations.CreateModel(
            name="Correction",
            fields=[
                (
                    "entry",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT,
                        primary_key=True,
                        related_name="correction",
                        serialize=False,
                        to="ledger.entry",
                    ),
                ),
                ("reason", models.CharField(max_length=300)),
                (
                    "corrected",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="corrections", to="ledger.entry"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Policy",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("subject", models.CharField(max_length=80)),
                ("version", models.PositiveIntegerField()),
                ("rules", models.JSONField()),
                ("made_at", models.DateTimeField()),
                (
                    "approval",
                    models.ForeignKey(
                        null=True, on_delete=django.db.models.deletion.PROTECT, related_name="+", to="ledger.approval"
                    ),
                ),
                (
                    "entry",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.PROTECT, related_name="policy", to="ledger.entry"
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "policies",
            },
        ),
        migrations.CreateModel(
            name="WalletKey",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_key", models.BinaryField(max_length=32, unique=True)),
                ("added_at", models.DateTimeField()),
                ("revoked_at", models.DateTimeField(null=True)),
                (
                    "wallet",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="keys", to="ledger.wallet"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Allowance",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("public_id", models.UUIDField(default=uuid.uuid4, editable=False, unique=True)),
                ("amount", models.BigIntegerField()),
                ("spent", models.BigIntegerField(default=0)),
                ("expires_at", models.DateTimeField()),
                ("revoked_at", models.DateTimeField(null=True)),
                ("made_at", models.DateTimeField()),
                (
                    "asset",
                    models.ForeignKey(on_delete=django.db.models.deletion.PROTECT, related_name="+", to="ledger.asset"),
                ),
                (
                    "spender",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="allowed", to="ledger.wallet"
                    ),
                ),
                (
                    "wallet",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="allowances", to="ledger.wallet"
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.CheckConstraint(
                        condition=models.Q(("amount__gt", 0), ("spent__gte", 0), ("spent__lte", models.F("amount"))),
                        name="allowance_spent_within",
                    ),
                    models.CheckConstraint(
                        condition=models.Q(("wallet", models.F("spender")), _negated=True), name="allowance_to_another"
                    ),
                ],
            },
        ),
        migrations.AddIndex(
            model_name="approval",
            index=models.Index(condition=models.Q(("status", "WAITING")), fields=["id"], name="approval_waiting"),
        ),
        migrations.AddConstraint(
            model_name="approval",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    ("approver__isnull", True),
                    models.Q(("approver", models.F("requester")), _negated=True),
                    _connector="OR",
                ),
                name="approval_by_two_persons",
            ),
        ),
        migrations.AddConstraint(
            model_name="approval",
            constraint=models.CheckConstraint(
                condition=models.Q(
                    models.Q(("approver__isnull", True), ("decided_at__isnull", True), ("status", "WAITING")),
                    models.Q(
                        models.Q(("status", "WAITING"), _negated=True),
                        ("approver__isnull", False),
                        ("decided_at__isnull", False),
                    ),
                    _connector="OR",
                ),
                name="approval_decided_by_somebody",
            ),
        ),
        migrations.AddIndex(
            model_name="capacity",
            index=models.Index(fields=["resource_class", "attestation", "version"], name="capacity_by_class"),
        ),
        migrations.AddConstraint(
            model_name="capacity",
            constraint=models.UniqueConstraint(fields=("attestation", "version"), name="capacity_version_once"),
        ),
        migrations.AddConstraint(
            model_name="capacity",
            constraint=models.CheckConstraint(
                condition=models.Q(("ends_at__gt", models.F("starts_at"))), name="capacity_ends_after_start"
            ),
        ),
        migrations.AddConstraint(
            model_name="policy",
            constraint=models.UniqueConstraint(fields=("subject", "version"), name="policy_version_once"),
        ),
        migrations.RunSQL(LOCKS, LOCKS_REVERSE),
    ]
