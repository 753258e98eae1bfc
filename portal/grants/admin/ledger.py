"""The ledger, as rows to read: nothing here is edited, and Postgres would refuse it."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action

from ledger.models import Approval, Checkpoint, Entry, Hold, Posting
from portal.grants.admin.asking import Asking
from portal.grants.asking_forms import CorrectForm
from portal.people.access import (
    Person,
    may_ask,
    reads_everything,
    wallets_governed,
)
from portal.people.admin_base import ScopedAdmin
from portal.people.forms import posted
from portal.people.templatetags import units


@admin.register(Entry)
class EntryAdmin(Asking, ScopedAdmin):
    list_display = ("id", "kind", "transfer_kind", "reference", "recorded_at")
    list_filter = ("kind", "transfer_kind")
    search_fields = ("=id", "reference")
    ordering = ("-id",)
    actions_detail = ("correct",)
    show_full_result_count = False
    fields = ("id", "kind", "transfer_kind", "reference", "recorded_at", "moves", "leaf_hash_hex", "public_page")
    readonly_fields = ("moves", "leaf_hash_hex", "public_page")
    exported = ("id", "kind", "transfer_kind", "reference", "recorded_at")

    def visible(self, user: Person) -> QuerySet[Entry]:
        if reads_everything(user):
            return Entry.objects.all()
        theirs = Posting.objects.filter(
            transfer_id=OuterRef("pk"), account__wallet__in=wallets_governed(user).values("id")
        )
        return Entry.objects.filter(Exists(theirs))

    @admin.display(description=_("postings"))
    def moves(self, entry: Entry) -> SafeString:
        postings = Posting.objects.filter(transfer_id=entry.id).select_related("account__wallet", "account__asset")
        rows = (
            (p.account.wallet.name, units.signed_amount(p.amount, p.account.asset), p.account.asset.code)
            for p in postings.order_by("amount", "account_id")
        )
        return format_html_join("", "<div>{}: {} {}</div>", rows) or SafeString("–")

    @admin.display(description=_("leaf hash"))
    def leaf_hash_hex(self, entry: Entry) -> str:
        return bytes(entry.leaf_hash).hex()

    @admin.display(description=_("in the explorer"))
    def public_page(self, entry: Entry) -> SafeString:
        return format_html('<a href="{}">{}</a>', reverse("entry", args=[entry.id]), gettext("Entry and receipt"))

    def has_ask_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return may_ask(request.user)

    @action(description=_("Ask to correct"), url_path="correct", permissions=["ask"], icon="undo")
    def correct(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Take a transfer back by another one that names it."""
        entry: Entry = self.one_or_404(request, object_id)
        posting = Posting.objects.filter(transfer_id=entry.id, amount__gt=0).select_related("account").first()
        return self.ask(
            request,
            CorrectForm(posted(request), transfer_id=entry.id, of=posting.account.wallet_id if posting else None),
            Approval.Kind.CORRECT,
            gettext("Correct entry %(id)s") % {"id": entry.id},
            gettext("A new transfer takes back what this one moved, and names it. History stays as it was."),
        )


@admin.register(Hold)
class HoldAdmin(ScopedAdmin):
    list_display = ("reference", "account", "amount_shown", "status", "placed_at", "expires_at")
    list_filter = ("status",)
    search_fields = ("reference",)
    ordering = ("-id",)
    fields = ("public_id", "reference", "account", "amount_shown", "status", "placed_at", "expires_at", "resolved_at")
    readonly_fields = ("amount_shown",)

    def visible(self, user: Person) -> QuerySet[Hold]:
        found = Hold.objects.select_related("account__wallet", "account__asset")
        return (
            found if reads_everything(user) else found.filter(account__wallet__in=wallets_governed(user).values("id"))
        )

    @admin.display(description=_("amount"), ordering="amount")
    def amount_shown(self, hold: Hold) -> str:
        return units.amount(hold.amount, hold.account.asset)


@admin.register(Checkpoint)
class CheckpointAdmin(ScopedAdmin):
    list_display = ("size", "signed_at")
    ordering = ("-size",)
    fields = ("size", "signed_at", "note")

    def visible(self, user: Person) -> QuerySet[Checkpoint]:
        return Checkpoint.objects.all()
