"""What takes two persons: asked for here and elsewhere, decided here; and the capacity that bounds issuing."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from ledger.clock import database_now
from ledger.errors import Refusal
from ledger.governance.approvals import approve, reject
from ledger.models import Approval, Capacity, Policy
from portal.grants.admin.asking import Asking
from portal.grants.approving import approvals_of, may_decide, what_it_does
from portal.grants.asking_forms import CapacityForm
from portal.people.access import Person, may_ask
from portal.people.admin_base import ScopedAdmin
from portal.people.forms import posted

STATUS = {"WAITING": "warning", "APPROVED": "success", "REJECTED": "danger"}


@admin.register(Approval)
class ApprovalAdmin(ScopedAdmin):
    list_display = ("kind", "status_shown", "requester", "reason", "requested_at", "approver", "decided_at")
    list_filter = ("status", "kind")
    search_fields = ("reason", "requester__email", "public_id")
    ordering = ("-id",)
    exported = ("public_id", "kind", "status", "reason", "requester__email", "requested_at", "approver__email",
                "decided_at", "entry")  # fmt: skip

    def visible(self, user: Person) -> QuerySet[Approval]:
        return approvals_of(user)

    @display(description=_("status"), label=STATUS, ordering="status")
    def status_shown(self, approval: Approval) -> tuple[str, str]:
        return approval.status, approval.get_status_display()

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """What was asked for and what it will do; another person approves or rejects it."""
        approval: Approval = self.one_or_404(request, object_id)
        decides = may_decide(request.user, approval)
        if request.method == "POST":
            if not decides:
                raise PermissionDenied
            return self.decide(request, approval)
        return self.page(
            request,
            "admin/approval.html",
            title=approval.get_kind_display().capitalize(),
            approval=approval,
            lines=what_it_does(approval),
            decides=decides,
        )

    def decide(self, request: HttpRequest, approval: Approval) -> HttpResponse:
        action = reject if "reject" in request.POST else approve
        assert request.user.pk is not None
        try:
            done = action(approval_id=approval.id, approver_id=request.user.pk, now=database_now())
        except Refusal as refusal:
            messages.error(request, refusal.message)
        else:
            self.log_change(request, approval, done.status.capitalize())
            messages.success(request, gettext("It is %(status)s.") % {"status": done.get_status_display()})
        return redirect("admin:ledger_approval_change", approval.id)


@admin.register(Capacity)
class CapacityAdmin(Asking, ScopedAdmin):
    list_display = ("resource_class", "gpus", "starts_at", "ends_at", "version", "made_at")
    list_filter = ("resource_class",)
    ordering = ("resource_class", "starts_at", "attestation", "-version")
    fields = ("attestation", "version", "resource_class", "gpus", "starts_at", "ends_at", "made_at", "entry")
    exported = ("attestation", "version", "resource_class", "gpus", "starts_at", "ends_at", "made_at")

    def visible(self, user: Person) -> QuerySet[Capacity]:
        return Capacity.objects.all()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return may_ask(request.user)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Attest what a resource class can deliver; tokens are issued against it."""
        if not may_ask(request.user):
            raise PermissionDenied
        return self.ask(
            request,
            CapacityForm(posted(request)),
            Approval.Kind.CAPACITY,
            gettext("Attest capacity"),
            gettext("So many GPUs of the class will serve on these days. No more is issued than they can deliver."),
        )


@admin.register(Policy)
class PolicyAdmin(ScopedAdmin):
    list_display = ("subject", "version", "rules", "made_at")
    search_fields = ("subject",)
    ordering = ("-id",)
    fields = ("subject", "version", "rules", "made_at", "entry", "approval")

    def visible(self, user: Person) -> QuerySet[Policy]:
        return Policy.objects.all()
