from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class ApiKey(models.Model):
    """What a program shows to act for a person. The secret itself is shown once, when it is made, and never kept."""

    class Scope(models.TextChoices):
        READ = "read", _("read balances, orders, trades and jobs")
        TRADE = "trade", _("place, amend and cancel orders")
        TRANSFER = "transfer", _("send tokens and credits")
        REDEEM = "redeem", _("redeem tokens for jobs, and cancel jobs")

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_keys")
    name = models.CharField(max_length=80)
    scopes = ArrayField(models.CharField(max_length=10, choices=Scope.choices))
    # How the secret begins: enough to tell keys apart, and nothing to guess from.
    prefix = models.CharField(max_length=12)
    digest = models.BinaryField(max_length=32, unique=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    # To the minute: not every request writes.
    last_used_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="api_key_ends_after_it_is_made", condition=Q(expires_at__gt=F("created_at"))),
            models.CheckConstraint(name="api_key_opens_something", condition=~Q(scopes=[])),
        ]
        indexes = [models.Index(name="api_key_by_user", fields=["user", "-id"])]

    def __str__(self) -> str:
        return f"{self.name} ({self.prefix}…)"

    @property
    def scope_names(self) -> list[str]:
        """Its scopes in words."""
        return [str(self.Scope(scope).label) for scope in self.scopes]

    def is_usable(self, now: datetime) -> bool:
        return self.revoked_at is None and now < self.expires_at


class DeviceLogin(models.Model):
    """A program that asks for a key, and a person who says yes on a page of the site (RFC 8628).

    The program keeps the device code, of which only the hash is kept here; the person types the short user code.
    """

    class Status(models.TextChoices):
        PENDING = "PENDING", _("waiting for a person")
        APPROVED = "APPROVED", _("approved")
        DENIED = "DENIED", _("denied")
        TAKEN = "TAKEN", _("done")

    digest = models.BinaryField(max_length=32, unique=True)
    user_code = models.CharField(max_length=8, unique=True)
    # What the program says it is, and what it wants to do.
    name = models.CharField(max_length=80)
    scopes = ArrayField(models.CharField(max_length=10, choices=ApiKey.Scope.choices))
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.PENDING)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, null=True, related_name="+")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    asked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="device_login_asks_for_something", condition=~Q(scopes=[])),
            models.CheckConstraint(
                name="device_login_approved_by_somebody",
                condition=Q(user__isnull=False) | Q(status__in=["PENDING", "DENIED"]),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.name} ({self.get_status_display()})"

    @property
    def shown_code(self) -> str:
        return f"{self.user_code[:4]}-{self.user_code[4:]}"

    @property
    def scope_names(self) -> list[str]:
        """What it wants, in words."""
        return [str(ApiKey.Scope(scope).label) for scope in self.scopes]
