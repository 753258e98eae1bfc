"""Amounts set aside, and the keys that make a request have one effect."""

from __future__ import annotations

import uuid

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from ledger.models.holders import Account
from ledger.models.log import Entry


class Hold(models.Model):
    """An amount set aside: placed, then captured, released or expired, once. An order's row is its own hold instead."""

    class Status(models.TextChoices):
        OPEN = "OPEN", _("open")
        CAPTURED = "CAPTURED", _("captured")
        RELEASED = "RELEASED", _("released")
        EXPIRED = "EXPIRED", _("expired")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="holds")
    # Who gets what is captured, where that is known already.
    to_account = models.ForeignKey(Account, on_delete=models.PROTECT, null=True, related_name="+")
    amount = models.BigIntegerField()
    captured_amount = models.BigIntegerField(default=0)
    # What it is for, in words a person reads: "redemption:<uuid>".
    reference = models.CharField(max_length=80)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OPEN)
    placed_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    resolved_at = models.DateTimeField(null=True)
    # Its entries in the log, by id: who reads an account's history finds them here.
    placed_entry = models.BigIntegerField(null=True)
    resolved_entry = models.BigIntegerField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="hold_amount_positive", condition=Q(amount__gt=0)),
            models.CheckConstraint(
                name="hold_captures_within_amount",
                condition=Q(captured_amount__gte=0) & Q(captured_amount__lte=F("amount")),
            ),
            models.CheckConstraint(
                name="hold_captured_only_when_captured",
                condition=Q(captured_amount=0) | Q(status="CAPTURED"),
            ),
        ]
        indexes = [
            models.Index(name="hold_open_by_account", fields=["account", "id"], condition=Q(status="OPEN")),
            models.Index(name="hold_open_by_expiry", fields=["expires_at"], condition=Q(status="OPEN")),
            models.Index(name="hold_by_reference", fields=["reference"]),
        ]

    def __str__(self) -> str:
        return f"hold {self.pk}"


class IdempotencyKey(models.Model):
    """A caller's key for one request: the same key and content answer the same for as long as the ledger lasts."""

    pk = models.CompositePrimaryKey("scope", "key")
    # Whose keys these are: different callers never meet.
    scope = models.CharField(max_length=80)
    key = models.CharField(max_length=120)
    # The request's fields in a stated order (ledger.door.idempotency).
    content = models.TextField()
    # What it made. No constraint: it is written in the same statement as the entry, which is never deleted.
    entry = models.ForeignKey(Entry, on_delete=models.PROTECT, db_constraint=False, db_index=False, related_name="+")
    hold_id = models.BigIntegerField(null=True)
    created_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.key
