from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from market.models import HIGHEST_PRICE, Instrument


class PriceAlert(models.Model):
    """A person wants to be told once a series trades at a price or beyond. It fires once, by the first such trade."""

    class Direction(models.TextChoices):
        ABOVE = "ABOVE", _("at or above")
        BELOW = "BELOW", _("at or below")

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="price_alerts")
    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, related_name="+")
    direction = models.CharField(max_length=5, choices=Direction.choices)
    price = models.BigIntegerField()
    # Trades up to this number do not count any more: they were looked at, or came before the alert.
    looked_at_trade = models.BigIntegerField()
    set_at = models.DateTimeField()
    fired_at = models.DateTimeField(null=True)
    fired_price = models.BigIntegerField(null=True)
    seen_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="alert_price_makes_sense", condition=Q(price__gt=0, price__lte=HIGHEST_PRICE)),
            models.CheckConstraint(
                name="alert_fires_at_a_price",
                condition=Q(fired_at__isnull=True, fired_price__isnull=True, seen_at__isnull=True)
                | Q(fired_at__isnull=False, direction="ABOVE", fired_price__gte=F("price"))
                | Q(fired_at__isnull=False, direction="BELOW", fired_price__lte=F("price")),
            ),
            models.UniqueConstraint(
                name="alert_waits_once",
                fields=["user", "instrument", "direction", "price"],
                condition=Q(fired_at__isnull=True),
            ),
        ]
        indexes = [
            models.Index(name="alert_waiting", fields=["instrument"], condition=Q(fired_at__isnull=True)),
            models.Index(name="alert_by_user", fields=["user", "id"], condition=Q(seen_at__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"price alert {self.pk}"
