"""Who may do what, as it was decided: policies, capacity, approvals, allowances, keys of wallets, corrections."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from ledger.models.holders import Asset, Wallet
from ledger.models.log import Entry


class Approval(models.Model):
    """What one person asks for and another decides: the database knows that they are two."""

    class Kind(models.TextChoices):
        ISSUE = "ISSUE", _("issue")
        FORCE = "FORCE", _("forced transfer")
        RECOVER = "RECOVER", _("recovery of a wallet")
        CAPACITY = "CAPACITY", _("capacity")
        POLICY = "POLICY", _("policy")
        CORRECT = "CORRECT", _("correction")

    class Status(models.TextChoices):
        WAITING = "WAITING", _("waiting")
        APPROVED = "APPROVED", _("approved")
        REJECTED = "REJECTED", _("rejected")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(_("kind"), max_length=10, choices=Kind.choices)
    # What is asked for, as ledger.governance.approvals carries it out.
    content = models.JSONField()
    reason = models.CharField(_("reason"), max_length=300)
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.WAITING)
    requester = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", verbose_name=_("asked by")
    )
    requested_at = models.DateTimeField(_("asked"))
    approver = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+", verbose_name=_("decided by")
    )
    decided_at = models.DateTimeField(_("decided"), null=True)
    entry = models.ForeignKey(Entry, on_delete=models.PROTECT, null=True, related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="approval_by_two_persons", condition=Q(approver__isnull=True) | ~Q(approver=F("requester"))
            ),
            models.CheckConstraint(
                name="approval_decided_by_somebody",
                condition=Q(status="WAITING", approver__isnull=True, decided_at__isnull=True)
                | (~Q(status="WAITING") & Q(approver__isnull=False, decided_at__isnull=False)),
            ),
        ]
        indexes = [models.Index(name="approval_waiting", fields=["id"], condition=Q(status="WAITING"))]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} {self.public_id}"


class Policy(models.Model):
    """One version of what a wallet or an asset may do. The newest counts; the log has them all."""

    # `wallet:<public id>` or `asset:<code>`, as in the log.
    subject = models.CharField(max_length=80)
    version = models.PositiveIntegerField()
    rules = models.JSONField()
    entry = models.OneToOneField(Entry, on_delete=models.PROTECT, related_name="policy")
    approval = models.ForeignKey(Approval, on_delete=models.PROTECT, null=True, related_name="+")
    made_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "policies"
        constraints = [models.UniqueConstraint(name="policy_version_once", fields=["subject", "version"])]

    def __str__(self) -> str:
        return f"{self.subject} version {self.version}"


class Capacity(models.Model):
    """One version of an attestation: so many GPUs of a class from one instant to another. The newest version counts."""

    attestation = models.UUIDField(default=uuid.uuid4)
    version = models.PositiveIntegerField()
    resource_class = models.CharField(_("resource class"), max_length=40)
    gpus = models.PositiveIntegerField(_("GPUs"), help_text=_("None of them: the attestation is withdrawn."))
    starts_at = models.DateTimeField(_("from"))
    ends_at = models.DateTimeField(_("to"))
    entry = models.OneToOneField(Entry, on_delete=models.PROTECT, related_name="capacity")
    approval = models.ForeignKey(Approval, on_delete=models.PROTECT, related_name="+")
    made_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "capacities"
        constraints = [
            models.UniqueConstraint(name="capacity_version_once", fields=["attestation", "version"]),
            models.CheckConstraint(name="capacity_ends_after_start", condition=Q(ends_at__gt=F("starts_at"))),
        ]
        indexes = [models.Index(name="capacity_by_class", fields=["resource_class", "attestation", "version"])]

    def __str__(self) -> str:
        return f"{self.gpus} GPUs of {self.resource_class}"


class Allowance(models.Model):
    """A wallet lets another spend up to an amount of one asset until an instant (ERC-20's allowance, with an end)."""

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    wallet = models.ForeignKey(Wallet, on_delete=models.PROTECT, related_name="allowances")
    spender = models.ForeignKey(Wallet, on_delete=models.PROTECT, related_name="allowed")
    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="+")
    amount = models.BigIntegerField()
    spent = models.BigIntegerField(default=0)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    made_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="allowance_spent_within", condition=Q(amount__gt=0, spent__gte=0, spent__lte=F("amount"))
            ),
            models.CheckConstraint(name="allowance_to_another", condition=~Q(wallet=F("spender"))),
        ]

    def __str__(self) -> str:
        return f"allowance {self.public_id}"


class WalletKey(models.Model):
    """A public key whose signed permits move what the wallet holds (Ed25519)."""

    wallet = models.ForeignKey(Wallet, on_delete=models.PROTECT, related_name="keys")
    public_key = models.BinaryField(max_length=32, unique=True)
    added_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)

    def __str__(self) -> str:
        return f"key {self.pk}"


class Correction(models.Model):
    """A transfer that puts another right, and why. The log names the corrected entry by its leaf hash."""

    entry = models.OneToOneField(Entry, on_delete=models.PROTECT, primary_key=True, related_name="correction")
    corrected = models.ForeignKey(Entry, on_delete=models.PROTECT, related_name="corrections")
    reason = models.CharField(max_length=300)

    def __str__(self) -> str:
        return f"correction {self.pk}"
