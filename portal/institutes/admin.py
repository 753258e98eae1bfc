"""Cohorts, join codes and enrolments in the admin, to read: leads make them on the institute's own pages."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.utils.translation import gettext_lazy as _

from portal.institutes.models import Cohort, Enrolment, JoinCode
from portal.people.access import Person, organisations_read
from portal.people.admin_base import ScopedAdmin, ScopedFilter
from portal.people.templatetags import units


@admin.register(Cohort)
class CohortAdmin(ScopedAdmin):
    list_display = ("name", "institute", "asset", "allowance_shown", "starts_at", "ends_at")
    list_filter = (("institute", ScopedFilter),)
    search_fields = ("name",)
    ordering = ("-starts_at", "-id")
    fields = ("name", "institute", "wallet", "asset", "allowance_shown", "starts_at", "ends_at", "created_at")
    readonly_fields = ("allowance_shown",)
    exported = ("institute__name", "name", "asset__code", "allowance", "starts_at", "ends_at")

    def visible(self, user: Person) -> QuerySet[Cohort]:
        found = Cohort.objects.select_related("institute", "asset")
        return found.filter(institute__in=organisations_read(user).values("id"))

    @admin.display(description=_("allowance"), ordering="allowance")
    def allowance_shown(self, cohort: Cohort) -> str:
        return units.gpu_hours(cohort.allowance)


@admin.register(JoinCode)
class JoinCodeAdmin(ScopedAdmin):
    list_display = ("cohort", "uses", "max_uses", "expires_at", "revoked_at")
    list_filter = (("cohort", ScopedFilter),)
    ordering = ("-id",)
    # The code itself lets somebody in: it is shown to the lead who gives it out, not here.
    fields = ("cohort", "uses", "max_uses", "expires_at", "revoked_at", "created_at")

    def visible(self, user: Person) -> QuerySet[JoinCode]:
        found = JoinCode.objects.select_related("cohort")
        return found.filter(cohort__institute__in=organisations_read(user).values("id"))


@admin.register(Enrolment)
class EnrolmentAdmin(ScopedAdmin):
    list_display = ("user", "cohort", "enrolled_at", "grant")
    list_filter = (("cohort", ScopedFilter),)
    search_fields = ("user__email", "user__name")
    ordering = ("-id",)
    fields = ("user", "cohort", "grant", "enrolled_at")
    exported = ("user__email", "user__name", "cohort__name", "enrolled_at")

    def visible(self, user: Person) -> QuerySet[Enrolment]:
        found = Enrolment.objects.select_related("user", "cohort", "grant")
        return found.filter(cohort__institute__in=organisations_read(user).values("id"))
