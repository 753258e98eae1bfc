"""Issuing, granting, and granting by file: each shows what it will do before it does it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import display

from ledger.clock import database_now
from ledger.errors import Refusal
from ledger.governance.approvals import ask_approval
from ledger.models import Account, Approval, Wallet
from ledger.transfers import grant, issue
from portal.grants.errors import BadUpload, Problem
from portal.grants.forms import AmountForm, GrantForm, IssueForm, UploadForm
from portal.grants.models import GrantUpload
from portal.grants.uploads import discard_upload, grant_upload, outcome, upload_grants, uploads_of
from portal.people.access import Person, departments_administered, may_govern
from portal.people.admin_base import ScopedAdmin
from portal.people.forms import posted
from portal.people.models import User

STATUS = {"DRAFT": "warning", "GRANTED": "success", "DISCARDED": "info"}


@admin.register(GrantUpload)
class GrantUploadAdmin(ScopedAdmin):
    list_display = ("file_name", "wallet", "user", "line_count", "status_shown", "uploaded_at")
    list_filter = ("status",)
    ordering = ("-id",)

    def visible(self, user: Person) -> QuerySet[GrantUpload]:
        return uploads_of(user).select_related("wallet", "user")

    @display(description=_("status"), label=STATUS)
    def status_shown(self, upload: GrantUpload) -> tuple[str, str]:
        return upload.status, upload.get_status_display()

    @admin.display(description=_("lines"))
    def line_count(self, upload: GrantUpload) -> int:
        return len(upload.lines)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return may_govern(request.user)

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        return [
            path("issue/", wrap(self.issue_view), name="issue_tokens"),
            path("grant/", wrap(self.grant_view), name="grant_tokens"),
            *super().get_urls(),
        ]

    # Singly

    def issue_view(self, request: HttpRequest) -> HttpResponse:
        """Make new tokens, or credits, in a department's wallet."""
        form = IssueForm(posted(request), user=request.user, now=database_now())

        def act(key: str) -> HttpResponse:
            wallet, asset = form.cleaned_data["wallet"], form.cleaned_data["asset"]
            if form.takes_two():
                return self.ask_to_issue(request, form, key)
            transfer = issue(
                asset_id=asset.id, wallet_id=wallet.id, amount=form.units(), now=database_now(),
                scope=f"admin-issue:{request.user.pk}", key=key,
            )  # fmt: skip
            return self.moved(request, transfer.id)

        explain = gettext(
            "New tokens are made in a department's wallet. Above %(hours)s GPU-hours or %(credits)s credits another"
            " person must approve it."
        ) % {"hours": settings.ISSUE_LIMIT_GPU_HOURS, "credits": settings.ISSUE_LIMIT_CREDITS}
        words = (gettext("Issue tokens"), gettext("Issue"), explain)
        return self.two_steps(request, form, act, words, gives=False)

    def grant_view(self, request: HttpRequest) -> HttpResponse:
        """Give what a department holds to a person, an institute or a cohort of it."""
        form = GrantForm(posted(request), user=request.user, now=database_now())

        def act(key: str) -> HttpResponse:
            data = form.cleaned_data
            transfer = grant(
                asset_id=data["asset"].id, from_wallet_id=data["wallet"].id, to_wallet_id=data["to_wallet"].id,
                amount=form.units(), now=database_now(), scope=f"admin-grant:{request.user.pk}", key=key,
            )  # fmt: skip
            return self.moved(request, transfer.id)

        words = (
            gettext("Grant tokens"),
            gettext("Grant"),
            gettext("What a department holds is given to somebody of it."),
        )
        return self.two_steps(request, form, act, words, gives=True)

    def two_steps(
        self,
        request: HttpRequest,
        form: AmountForm,
        act: Callable[[str], HttpResponse],
        words: tuple[str, str, str],
        *,
        gives: bool,
    ) -> HttpResponse:
        """First what would happen, then, confirmed, what did."""
        if not may_govern(request.user):
            raise PermissionDenied
        title, button, explain = words
        rows: list[tuple[str, Any]] = []
        if request.method == "POST" and form.is_valid():
            if "confirm" in request.POST:
                try:
                    return act(str(form.cleaned_data["key"]))
                except Refusal as refusal:
                    form.add_error(refusal.field if refusal.field in form.fields else None, refusal.message)
            else:
                rows = self.before_and_after(form, gives=gives)
        return self.page(
            request,
            "admin/amount.html",
            status=422 if form.errors else 200,
            title=title,
            explain=explain,
            form=form,
            rows=rows,
            button=button,
        )

    def moved(self, request: HttpRequest, entry_id: int) -> HttpResponse:
        messages.success(request, gettext("Done: entry %(id)d of the ledger.") % {"id": entry_id})
        return redirect("admin:ledger_entry_change", entry_id)

    def ask_to_issue(self, request: HttpRequest, form: IssueForm, key: str) -> HttpResponse:
        assert isinstance(request.user, User)
        wallet = form.cleaned_data["wallet"]
        content = {
            "asset": form.cleaned_data["asset"].id, "wallet": wallet.id, "of": wallet.id, "amount": form.units(),
        }  # fmt: skip
        asked = ask_approval(
            kind=Approval.Kind.ISSUE, content=content, reason=form.cleaned_data["reason"],
            requester_id=request.user.id, now=database_now(), public_id=UUID(key),
        )  # fmt: skip
        messages.success(request, gettext("Asked for. Nothing happens until another person approves it."))
        return redirect("admin:ledger_approval_change", asked.id)

    def before_and_after(self, form: AmountForm, *, gives: bool) -> list[tuple[str, Any]]:
        data, amount = form.cleaned_data, form.units()
        sides: list[tuple[Wallet, int]] = [(data["wallet"], -amount if gives else amount)]
        if gives:
            sides.append((data["to_wallet"], amount))
        rows = []
        for wallet, change in sides:
            account = Account.objects.filter(wallet=wallet, asset=data["asset"]).first()
            available = account.available if account else 0
            row = {"asset": data["asset"], "before": available, "change": change, "after": available + change}
            rows.append((wallet.name, row))
            if available + change < 0:
                form.add_error("amount", gettext("%(name)s has less available than this.") % {"name": wallet.name})
                return []
        return rows

    # By file

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Upload a file; it is checked, and waits to be confirmed."""
        if not may_govern(request.user):
            raise PermissionDenied
        assert isinstance(request.user, User)
        form = UploadForm(posted(request), request.FILES or None, user=request.user)
        problems: list[Problem] = []
        if request.method == "POST" and form.is_valid():
            file = form.cleaned_data["file"]
            try:
                upload = upload_grants(
                    user=request.user, wallet=form.cleaned_data["wallet"], file_name=file.name, data=file.read(),
                    now=timezone.now(),
                )  # fmt: skip
            except BadUpload as refusal:
                form.add_error("file", refusal.message)
                problems = refusal.problems
            else:
                return redirect("admin:grants_grantupload_change", upload.id)
        return self.page(
            request,
            "admin/upload.html",
            status=422 if form.errors else 200,
            title=gettext("Grant by CSV upload"),
            form=form,
            problems=problems,
        )

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        """What the file would do; confirmed, it is granted whole or not at all."""
        upload: GrantUpload = self.one_or_404(request, object_id)
        decides = may_govern(request.user) and self.is_own(request.user, upload)
        if request.method == "POST":
            if not decides:
                raise PermissionDenied
            return self.decide(request, upload)
        rows = outcome(upload)
        return self.page(
            request,
            "admin/upload_preview.html",
            title=upload.file_name,
            upload=upload,
            rows=rows,
            short=[row for row in rows if row["after"] < 0],
            decides=decides and upload.status == GrantUpload.Status.DRAFT,
        )

    def decide(self, request: HttpRequest, upload: GrantUpload) -> HttpResponse:
        try:
            if "discard" in request.POST:
                discard_upload(upload_id=upload.id, now=timezone.now())
                messages.info(request, gettext("The upload is discarded. Nothing has moved."))
            else:
                done = grant_upload(upload_id=upload.id)
                self.log_change(request, upload, f"Granted {len(done.lines)} lines")
                messages.success(request, gettext("All %(count)d lines are granted.") % {"count": len(done.lines)})
        except Refusal as refusal:
            messages.error(request, refusal.message)
        return redirect(reverse("admin:grants_grantupload_change", args=[upload.id]))

    def is_own(self, user: Person, upload: GrantUpload) -> bool:
        return departments_administered(user).filter(wallet=upload.wallet).exists()
