"""The ledger, as rows to read: nothing here is edited, and Postgres would refuse it. A wallet can be frozen."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import Exists, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display

from ledger.assets import define_pool_series
from ledger.clock import database_now
from ledger.errors import Refusal
from ledger.models import Account, Asset, Checkpoint, Entry, Hold, Posting, Wallet
from ledger.wallets import freeze_wallet, unfreeze_wallet
from market.instruments import open_instrument
from portal.grants.forms import ReasonForm, SeriesForm
from portal.people.access import (
    Person,
    may_define_series,
    may_govern,
    reads_everything,
    wallets_governed,
    wallets_listed,
)
from portal.people.admin_base import ScopedAdmin, ScopedFilter
from portal.people.forms import posted
from portal.people.templatetags import units

STATE = {"frozen": "danger", "open": "success"}


@admin.register(Wallet)
class WalletAdmin(ScopedAdmin):
    list_display = ("name", "kind", "state", "may_sell", "created_at")
    list_filter = ("kind", "may_sell", ("frozen_at", admin.EmptyFieldListFilter))
    search_fields = ("name", "owner__email", "public_id")
    ordering = ("kind", "name", "id")
    fields = ("name", "kind", "public_id", "frozen_at", "frozen_reason", "may_sell", "created_at", "balances")
    readonly_fields = ("balances",)
    actions_detail = ("freeze", "unfreeze")
    exported = ("public_id", "name", "kind", "may_sell", "frozen_at", "created_at")

    def visible(self, user: Person) -> QuerySet[Wallet]:
        return wallets_listed(user)

    @display(description=_("state"), label=STATE)
    def state(self, wallet: Wallet) -> tuple[str, str]:
        return ("frozen", gettext("frozen")) if wallet.frozen_at else ("open", gettext("open"))

    @admin.display(description=_("balances"))
    def balances(self, wallet: Wallet) -> SafeString:
        accounts = Account.objects.filter(wallet=wallet).select_related("asset").order_by("asset__code")
        rows = ((a.asset.code, units.amount(a.balance, a.asset), units.amount(a.held, a.asset)) for a in accounts)
        return format_html_join("", "<div>{}: {}, {} held</div>", rows) or SafeString("–")

    def has_govern_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return may_govern(request.user)

    @action(description=_("Freeze"), url_path="freeze", permissions=["govern"], icon="ac_unit")
    def freeze(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Stop everything that leaves or enters the wallet, with a reason."""
        wallet = self.governed_or_404(request, object_id)
        form = ReasonForm(posted(request))
        if request.method == "POST" and form.is_valid():
            try:
                freeze_wallet(wallet_id=wallet.id, reason=form.cleaned_data["reason"], now=timezone.now())
            except Refusal as refusal:
                messages.error(request, refusal.message)
            else:
                self.log_change(request, wallet, f"Frozen: {form.cleaned_data['reason']}")
                messages.success(request, gettext("%(name)s is frozen.") % {"name": wallet.name})
            return redirect("admin:ledger_wallet_change", wallet.id)
        accounts = Account.objects.filter(wallet=wallet).select_related("asset").order_by("asset__code")
        return self.page(
            request,
            "admin/reason.html",
            status=422 if form.errors else 200,
            title=gettext("Freeze %(name)s") % {"name": wallet.name},
            explain=gettext(
                "Nothing leaves or enters the wallet until it is unfrozen: no trade, grant or redemption. "
                "Running jobs are still settled. The ledger records that it is frozen, not why."
            ),
            accounts=accounts,
            form=form,
            button=gettext("Freeze"),
            back=reverse("admin:ledger_wallet_change", args=[wallet.id]),
        )

    @action(description=_("Unfreeze"), url_path="unfreeze", permissions=["govern"], icon="lock_open")
    def unfreeze(self, request: HttpRequest, object_id: str) -> HttpResponse:
        wallet = self.governed_or_404(request, object_id)
        if request.method == "POST":
            unfreeze_wallet(wallet_id=wallet.id, now=timezone.now())
            self.log_change(request, wallet, "Unfrozen")
            messages.success(request, gettext("%(name)s acts again.") % {"name": wallet.name})
            return redirect("admin:ledger_wallet_change", wallet.id)
        return self.page(
            request,
            "admin/reason.html",
            title=gettext("Unfreeze %(name)s") % {"name": wallet.name},
            explain=gettext("It was frozen because: %(why)s") % {"why": wallet.frozen_reason or "–"},
            button=gettext("Unfreeze"),
            back=reverse("admin:ledger_wallet_change", args=[wallet.id]),
        )

    def governed_or_404(self, request: HttpRequest, object_id: str) -> Wallet:
        """One's own departments' wallets only, even where the list shows more."""
        wallet: Wallet = self.one_or_404(request, object_id)
        if not wallets_governed(request.user).filter(id=wallet.id).exists():
            self.one_or_404(request, "0")
        return wallet


@admin.register(Asset)
class AssetAdmin(ScopedAdmin):
    list_display = ("code", "kind", "gpu_type", "gpu_memory_gb", "starts_at", "expires_at", "life")
    list_filter = ("kind", "gpu_type")
    search_fields = ("code", "resource_class")
    ordering = ("kind", "expires_at", "code")
    fields = (
        "code", "kind", "resource_class", "gpu_type", "gpu_memory_gb", "network_gbps", "priority",
        "dense_bf16_tflops", "starts_at", "expires_at", "paused_at", "definition_json", "definition_sha256",
    )  # fmt: skip
    readonly_fields = ("definition_json", "definition_sha256")
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
                open_instrument(asset_id=made.id, now=database_now())
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


@admin.register(Account)
class AccountAdmin(ScopedAdmin):
    list_display = ("wallet", "asset", "balance_shown", "held_shown")
    list_filter = (("asset", ScopedFilter),)
    search_fields = ("wallet__name", "asset__code")
    ordering = ("wallet__name", "asset__code", "id")
    fields = ("wallet", "asset", "balance_shown", "held_shown")
    readonly_fields = ("balance_shown", "held_shown")
    exported = ("wallet__public_id", "wallet__name", "asset__code", "balance", "held")

    def visible(self, user: Person) -> QuerySet[Account]:
        found = Account.objects.select_related("wallet", "asset")
        return found if reads_everything(user) else found.filter(wallet__in=wallets_governed(user).values("id"))

    @admin.display(description=_("balance"), ordering="balance")
    def balance_shown(self, account: Account) -> str:
        return units.amount(account.balance, account.asset)

    @admin.display(description=_("held"), ordering="held")
    def held_shown(self, account: Account) -> str:
        return units.amount(account.held, account.asset)


@admin.register(Entry)
class EntryAdmin(ScopedAdmin):
    list_display = ("id", "kind", "transfer_kind", "reference", "recorded_at")
    list_filter = ("kind", "transfer_kind")
    search_fields = ("=id", "reference")
    ordering = ("-id",)
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
            for p in postings.order_by("id")
        )
        return format_html_join("", "<div>{}: {} {}</div>", rows) or SafeString("–")

    @admin.display(description=_("leaf hash"))
    def leaf_hash_hex(self, entry: Entry) -> str:
        return bytes(entry.leaf_hash).hex()

    @admin.display(description=_("in the explorer"))
    def public_page(self, entry: Entry) -> SafeString:
        return format_html('<a href="{}">{}</a>', reverse("entry", args=[entry.id]), gettext("Entry and receipt"))


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
