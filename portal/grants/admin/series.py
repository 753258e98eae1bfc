"""Series: defined once, and never changed; their policies take two persons."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action

from ledger.assets import define_pool_series
from ledger.clock import database_now
from ledger.errors import Refusal
from ledger.governance.governing import subject_of
from ledger.models import Approval, Asset
from market.instruments import open_instrument
from portal.grants.admin.asking import Asking, policy_history
from portal.grants.asking_forms import AssetRulesForm
from portal.grants.forms import SeriesForm
from portal.people.access import (
    Person,
    may_ask,
    may_define_series,
)
from portal.people.admin_base import ScopedAdmin
from portal.people.forms import posted
from portal.people.templatetags import units


@admin.register(Asset)
class AssetAdmin(Asking, ScopedAdmin):
    list_display = ("code", "kind", "gpu_type", "gpu_memory_gb", "starts_at", "expires_at", "life")
    list_filter = ("kind", "gpu_type")
    search_fields = ("code", "resource_class")
    ordering = ("kind", "expires_at", "code")
    fields = (
        "code", "kind", "resource_class", "gpu_type", "gpu_memory_gb", "network_gbps", "priority",
        "dense_bf16_tflops", "starts_at", "expires_at", "paused_at", "locked_until", "position_limit",
        "definition_json", "definition_sha256", "history",
    )  # fmt: skip
    readonly_fields = ("definition_json", "definition_sha256", "history")
    actions_detail = ("change_policy",)
    exported = ("code", "kind", "resource_class", "gpu_type", "gpu_memory_gb", "starts_at", "expires_at")

    def visible(self, user: Person) -> QuerySet[Asset]:
        return Asset.objects.all()

    def has_add_permission(self, request: HttpRequest) -> bool:
        return may_define_series(request.user)

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Define a series and open its instrument; tokens of it are issued next."""
        if not may_define_series(request.user):
            raise PermissionDenied
        form = SeriesForm(posted(request))
        if request.method == "POST" and form.is_valid():
            try:
                made = define_pool_series(now=database_now(), **form.values())
                open_instrument(
                    asset_id=made.id, now=database_now(), by_auction=form.cleaned_data["opens_by_auction"],
                    reason=gettext("Opening"), by_id=request.user.pk,
                )  # fmt: skip
            except Refusal as refusal:
                form.add_error("code" if refusal.field == "code" else "ends_on", refusal.message)
            else:
                self.log_addition(request, made, "Defined, and its instrument opened")
                messages.success(request, gettext("%(code)s is defined and can be traded.") % {"code": made.code})
                return redirect("admin:ledger_asset_change", made.id)
        return self.page(
            request,
            "admin/reason.html",
            status=422 if form.errors else 200,
            title=gettext("New series"),
            explain=gettext(
                "Its definition becomes an entry of the ledger and can never be changed. Issue tokens of it next."
            ),
            form=form,
            button=gettext("Define it"),
            back=reverse("admin:ledger_asset_changelist"),
        )

    @admin.display(description=_("life left"))
    def life(self, asset: Asset) -> str:
        if asset.expires_at is None:
            return "–"
        return str(units.life(asset.starts_at or asset.created_at, asset.expires_at, timezone.now())["left"])

    @admin.display(description=_("definition"))
    def definition_json(self, asset: Asset) -> str:
        return bytes(asset.definition).decode()

    @admin.display(description="SHA-256")
    def definition_sha256(self, asset: Asset) -> str:
        return bytes(asset.definition_hash).hex()

    @admin.display(description=_("policies"))
    def history(self, asset: Asset) -> SafeString:
        return policy_history(subject_of(asset))

    def has_ask_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return may_ask(request.user)

    @action(description=_("Ask for other rules"), url_path="rules", permissions=["ask"], icon="policy")
    def change_policy(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Pause it, lock it up, limit positions or name who may receive it: a new version of its policy."""
        asset: Asset = self.one_or_404(request, object_id)
        return self.ask(
            request,
            AssetRulesForm(posted(request), asset=asset),
            Approval.Kind.POLICY,
            gettext("Rules of %(name)s") % {"name": asset.code},
            gettext("Each change is a new version, and an entry of the ledger that everybody can read."),
        )
