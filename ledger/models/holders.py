"""Who holds what: wallets, assets, and an account for each pair."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class Wallet(models.Model):
    """A holder in the ledger. The portal says who may act for it; the log knows it by `public_id` alone."""

    class Kind(models.TextChoices):
        PERSON = "PERSON", _("person")
        DEPARTMENT = "DEPARTMENT", _("department")
        INSTITUTE = "INSTITUTE", _("institute")
        COHORT = "COHORT", _("cohort")
        SYSTEM = "SYSTEM", _("system")

    class Role(models.TextChoices):
        """What a system wallet is for; there is one of each."""

        ISSUER = "ISSUER", _("issuer")
        REDEEMED = "REDEEMED", _("redeemed")
        EXPIRED = "EXPIRED", _("expired")
        FEES = "FEES", _("fees")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    role = models.CharField(max_length=10, choices=Role.choices, null=True, unique=True)
    name = models.CharField(max_length=200, help_text=_("Shown on pages; never written to the log."))
    frozen_at = models.DateTimeField(null=True, blank=True)
    frozen_reason = models.CharField(max_length=200, blank=True)
    # The newest policy, which these columns only repeat (Policy); ledger.governance.rules says what they mean.
    # Student allowances may be redeemed, not sold.
    may_sell = models.BooleanField(default=True)
    beneficial_owner = models.ForeignKey(
        "self", on_delete=models.PROTECT, null=True, blank=True, related_name="owned",
        help_text=_("The beneficial owner's own wallet, where that is another."),
    )  # fmt: skip
    locked_until = models.DateTimeField(null=True, blank=True)
    position_limit = models.BigIntegerField(null=True, blank=True, help_text=_("GPU-seconds of each series."))
    unlimited = models.BooleanField(default=False)
    receivers = models.JSONField(null=True, blank=True)  # public ids of the wallets it may give to
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="wallet_role_is_a_system_wallets",
                condition=Q(kind="SYSTEM", role__isnull=False) | (~Q(kind="SYSTEM") & Q(role__isnull=True)),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Asset(models.Model):
    """What an account holds: credits, or one compute series. Its definition is hashed, and the hash is its identity."""

    class Kind(models.TextChoices):
        CREDITS = "CREDITS", _("credits")
        POOL = "POOL", _("pool series")

    code = models.CharField(max_length=40, unique=True, help_text=_("Such as H100-2026Q4."))
    kind = models.CharField(max_length=10, choices=Kind.choices)
    # Canonical JSON and its SHA-256: the columns below only repeat it, so that the database can search.
    definition = models.BinaryField()
    definition_hash = models.BinaryField(unique=True, max_length=32)
    resource_class = models.CharField(max_length=40, blank=True, help_text=_("Such as h100-sxm-80gb."))
    gpu_type = models.CharField(max_length=20, blank=True)
    gpu_memory_gb = models.PositiveIntegerField(null=True)
    network_gbps = models.PositiveIntegerField(null=True)
    priority = models.CharField(max_length=20, blank=True)
    dense_bf16_tflops = models.PositiveIntegerField(null=True)
    starts_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    # The newest policy, which these columns only repeat (Policy).
    paused_at = models.DateTimeField(null=True)
    locked_until = models.DateTimeField(null=True)
    position_limit = models.BigIntegerField(null=True, help_text=_("GPU-seconds by beneficial owner."))
    receivers = models.JSONField(null=True)  # public ids of the wallets that may receive it
    # Expired, and nothing of it is left in any wallet.
    swept_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="asset_series_has_class_and_expiry",
                condition=Q(kind="CREDITS", expires_at__isnull=True)
                | Q(kind="POOL", expires_at__isnull=False, gpu_memory_gb__isnull=False, network_gbps__isnull=False)
                & ~Q(gpu_type=""),
            ),
        ]

    def __str__(self) -> str:
        return self.code


class Account(models.Model):
    """One wallet's balance of one asset, in the asset's smallest unit (GPU-seconds, or 1/10,000 credit).

    The application's role cannot write `balance` or `held`: postings and the hold functions of
    the ledger's migrations do. Its two keys are checked when it is opened, by a trigger: wallets and assets are never
    deleted, and a foreign key would be checked anew whenever a clearing changes an account twice.
    """

    wallet = models.ForeignKey(Wallet, on_delete=models.PROTECT, related_name="accounts", db_constraint=False)
    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="accounts", db_constraint=False)
    balance = models.BigIntegerField(default=0)
    held = models.BigIntegerField(default=0)
    may_go_negative = models.BooleanField(default=False)  # true of the issuer's only

    class Meta:
        constraints = [
            models.UniqueConstraint(name="account_one_per_wallet_and_asset", fields=["wallet", "asset"]),
            models.CheckConstraint(name="account_held_not_negative", condition=Q(held__gte=0)),
            models.CheckConstraint(
                name="account_available_not_negative",
                condition=Q(may_go_negative=True) | Q(balance__gte=F("held")),
            ),
        ]

    def __str__(self) -> str:
        return f"account {self.pk}"

    @property
    def available(self) -> int:
        """Balance less holds."""
        return self.balance - self.held
