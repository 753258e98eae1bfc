"""What is offered, and what every bid was given of it. Quantities in lots, prices in ticks."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _


class Offering(models.Model):
    class Status(models.TextChoices):
        OPEN = "OPEN", _("taking bids")
        DONE = "DONE", _("done")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    instrument = models.ForeignKey("market.Instrument", on_delete=models.PROTECT, related_name="offerings")
    wallet = models.ForeignKey("ledger.Wallet", on_delete=models.PROTECT, related_name="offerings")
    # The order that offers it: its limit is the reserve price.
    order = models.OneToOneField("market.Order", on_delete=models.PROTECT, related_name="offering", db_constraint=False)
    quantity = models.BigIntegerField()
    reserve_price = models.BigIntegerField()
    # So many percent of it go first to owners who hold less than so much of all series.
    set_aside_percent = models.SmallIntegerField(default=0)
    small_below = models.BigIntegerField(default=0)
    set_aside_left = models.BigIntegerField(default=0)
    status = models.CharField(max_length=4, choices=Status.choices, default=Status.OPEN)
    price = models.BigIntegerField(null=True)
    sold_quantity = models.BigIntegerField(default=0)
    reason = models.CharField(max_length=200, blank=True)
    offered_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    offered_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                name="offering_one_open_an_instrument", fields=["instrument"], condition=Q(status="OPEN")
            ),
            models.CheckConstraint(
                name="offering_makes_sense",
                condition=Q(quantity__gt=0, reserve_price__gt=0, set_aside_percent__range=(0, 100))
                & Q(small_below__gte=0, set_aside_left__range=(0, F("quantity")))
                & Q(sold_quantity__range=(0, F("quantity"))),
            ),
        ]

    def __str__(self) -> str:
        return f"offering {self.pk}"

    @property
    def set_aside_quantity(self) -> int:
        return self.quantity * self.set_aside_percent // 100


class Allocation(models.Model):
    """A bid that took part at the price, and what it was given: of what was set aside, and of the rest."""

    offering = models.ForeignKey(Offering, on_delete=models.PROTECT, related_name="allocations")
    order = models.ForeignKey("market.Order", on_delete=models.PROTECT, related_name="+", db_constraint=False)
    # What its beneficial owner held of all series when the price was fixed, in GPU-seconds.
    holding = models.BigIntegerField()
    is_small = models.BooleanField()
    asked_quantity = models.BigIntegerField()
    set_aside_quantity = models.BigIntegerField(default=0)
    rest_quantity = models.BigIntegerField(default=0)

    class Meta:
        constraints = [models.UniqueConstraint(name="allocation_once", fields=["offering", "order"])]

    def __str__(self) -> str:
        return f"allocation {self.pk}"
