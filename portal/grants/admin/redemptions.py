"""Redemptions and resource classes, to read. A redemption is cancelled on its own page by who made it."""

from __future__ import annotations

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from portal.people.access import Person, may_found, reads_everything, wallets_governed
from portal.people.admin_base import ScopedAdmin
from portal.people.templatetags import units
from scheduler.models import Redemption, ResourceClass

STATUS = {
    "RUNNING": "success",
    "SETTLED": "success",
    "ENDED": "success",
    "PARKED": "danger",
    "PENDING": "warning",
    "SUBMITTING": "warning",
    "QUEUED": "warning",
    "CANCELLED": "info",
}


@admin.register(Redemption)
class RedemptionAdmin(ScopedAdmin):
    list_display = ("job_name", "wallet", "asset", "gpus", "walltime_shown", "status_shown", "job_id", "created_at")
    list_filter = ("status", "kind")
    search_fields = ("public_id", "job_name", "job_id", "wallet__name")
    ordering = ("-id",)
    fields = (
        "public_id", "job_name", "wallet", "user", "asset", "resource_class", "kind", "gpus", "walltime_shown",
        "status", "reason", "job_id", "outcome", "exit_code", "charged_shown", "created_at", "submitted_at",
        "started_at", "ended_at", "settled_at", "job_script",
    )  # fmt: skip
    readonly_fields = ("walltime_shown", "charged_shown")
    exported = ("public_id", "job_name", "wallet__public_id", "asset__code", "gpus", "walltime_seconds", "status",
                "job_id", "used_seconds", "charged_amount", "created_at", "settled_at")  # fmt: skip

    def visible(self, user: Person) -> QuerySet[Redemption]:
        found = Redemption.objects.select_related("wallet", "asset", "resource_class", "user")
        return found if reads_everything(user) else found.filter(wallet__in=wallets_governed(user).values("id"))

    @display(description=_("status"), label=STATUS, ordering="status")
    def status_shown(self, redemption: Redemption) -> tuple[str, str]:
        return redemption.status, redemption.get_status_display()

    @admin.display(description=_("walltime"), ordering="walltime_seconds")
    def walltime_shown(self, redemption: Redemption) -> str:
        return units.span(redemption.walltime_seconds)

    @admin.display(description=_("charged"))
    def charged_shown(self, redemption: Redemption) -> str:
        return units.gpu_hours(redemption.charged_amount) or "–"


@admin.register(ResourceClass)
class ResourceClassAdmin(ScopedAdmin):
    list_display = ("name", "code", "partition", "gres_type", "total_gpus", "gpus_per_node")
    ordering = ("code",)

    def visible(self, user: Person) -> QuerySet[ResourceClass]:
        return ResourceClass.objects.all()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return may_found(request.user)

    def has_change_permission(self, request: HttpRequest, obj: ResourceClass | None = None) -> bool:
        return may_found(request.user)
