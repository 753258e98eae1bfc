"""Asking for what takes two persons: one page for all kinds, and what came of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext

from ledger.clock import database_now
from ledger.errors import Refusal
from ledger.governance.approvals import ask_approval
from ledger.governance.governing import canonical_json
from ledger.models import Policy
from portal.grants.asking_forms import AskForm
from portal.people.models import User

if TYPE_CHECKING:
    from portal.people.admin_base import ScopedAdmin

    Base = ScopedAdmin
else:
    Base = object


class Asking(Base):
    """Mixed into an admin whose objects somebody may ask to have changed."""

    def ask(self, request: HttpRequest, form: AskForm, kind: str, title: str, explain: str) -> HttpResponse:
        """Show the form; sent, it becomes a request that another person decides."""
        if request.method == "POST" and form.is_valid():
            assert isinstance(request.user, User)
            try:
                asked = ask_approval(
                    kind=kind, content=form.content(), reason=form.cleaned_data["reason"],
                    requester_id=request.user.id, now=database_now(),
                )  # fmt: skip
            except Refusal as refusal:
                form.add_error(refusal.field if refusal.field in form.fields else None, refusal.message)
            else:
                messages.success(request, gettext("Asked for. Nothing happens until another person approves it."))
                return redirect("admin:ledger_approval_change", asked.id)
        return self.page(
            request,
            "admin/reason.html",
            status=422 if form.errors else 200,
            title=title,
            explain=explain + " " + gettext("Another person must approve it."),
            form=form,
            button=gettext("Ask for it"),
            back=reverse(f"admin:{self.opts.app_label}_{self.opts.model_name}_changelist"),
        )


def policy_history(subject: str) -> SafeString:
    """Every version of the subject's policy, the newest first."""
    versions = Policy.objects.filter(subject=subject).order_by("-version")[:20]
    rows = ((p.version, p.made_at.strftime("%Y-%m-%d %H:%M UTC"), canonical_json(p.rules).decode()) for p in versions)
    return format_html_join("", "<div>{} · {} · <code>{}</code></div>", rows) or SafeString("–")
