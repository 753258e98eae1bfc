from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ledger.models import Wallet


class GrantUpload(models.Model):
    """Grants uploaded as CSV: a draft is shown before anything moves, and then granted whole or not at all, once."""

    class Status(models.TextChoices):
        DRAFT = "DRAFT", _("waits for confirmation")
        GRANTED = "GRANTED", _("granted")
        DISCARDED = "DISCARDED", _("discarded")

    wallet = models.ForeignKey(Wallet, on_delete=models.PROTECT, related_name="+", verbose_name=_("from"))
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+", verbose_name=_("by"))
    file_name = models.CharField(_("file"), max_length=100)
    # Checked lines: {"line", "email", "name", "wallet_id", "asset_id", "code", "amount"}; entries once granted.
    lines = models.JSONField()
    status = models.CharField(_("status"), max_length=10, choices=Status.choices, default=Status.DRAFT)
    uploaded_at = models.DateTimeField(_("uploaded"))
    decided_at = models.DateTimeField(_("decided"), null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="grant_upload_decided_when_not_draft",
                condition=Q(status="DRAFT", decided_at__isnull=True) | ~Q(status="DRAFT") & Q(decided_at__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return self.file_name
