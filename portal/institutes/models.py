from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from ledger.models import Asset, Entry, Wallet
from portal.people.models import Organisation


class Cohort(models.Model):
    """A year or course of an institute: each student who enrols is granted the same allowance."""

    institute = models.ForeignKey(Organisation, on_delete=models.PROTECT, related_name="cohorts")
    name = models.CharField(_("name"), max_length=150)
    wallet = models.OneToOneField(Wallet, on_delete=models.PROTECT, related_name="cohort")
    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="+", verbose_name=_("series"))
    allowance = models.BigIntegerField(_("allowance"), help_text=_("GPU-seconds for each student."))
    starts_at = models.DateTimeField(_("starts"))
    ends_at = models.DateTimeField(_("ends"))
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(name="cohort_allowance_positive", condition=Q(allowance__gt=0)),
            models.CheckConstraint(name="cohort_ends_after_it_starts", condition=Q(ends_at__gt=F("starts_at"))),
            models.UniqueConstraint(name="cohort_name_once_an_institute", fields=["institute", "name"]),
        ]

    def __str__(self) -> str:
        return self.name


class JoinCode(models.Model):
    """What a lead gives to students. It makes students only: no code gives another role."""

    cohort = models.ForeignKey(Cohort, on_delete=models.PROTECT, related_name="codes")
    code = models.CharField(max_length=20, unique=True)
    expires_at = models.DateTimeField()
    max_uses = models.PositiveIntegerField()
    uses = models.PositiveIntegerField(default=0)
    revoked_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(name="join_code_uses_within_max", condition=Q(uses__lte=F("max_uses"))),
        ]

    def __str__(self) -> str:
        return self.code


class Enrolment(models.Model):
    """A student in a cohort, and the entry that granted their allowance."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="enrolments")
    cohort = models.ForeignKey(Cohort, on_delete=models.PROTECT, related_name="enrolments")
    join_code = models.ForeignKey(JoinCode, on_delete=models.PROTECT, related_name="enrolments")
    grant = models.OneToOneField(Entry, on_delete=models.PROTECT, related_name="enrolment")
    enrolled_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(name="enrolment_once_a_cohort", fields=["user", "cohort"])]

    def __str__(self) -> str:
        return f"{self.user} in {self.cohort}"
