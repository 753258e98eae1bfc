"""Wallets and their accounts. A wallet is frozen by one person; what else changes about it takes two."""

from __future__ import annotations

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from unfold.decorators import action, display

from ledger.clock import database_now
from ledger.errors import Refusal
from ledger.governance.governing import subject_of
from ledger.models import Account, Approval, Wallet
from ledger.wallets import freeze_wallet
from portal.grants.admin.asking import Asking, policy_history
from portal.grants.asking_forms import ForceForm, RecoverForm, UnfreezeForm, WalletRulesForm
from portal.grants.forms import ReasonForm
from portal.people.access import (
    Person,
    may_ask,
    may_govern,
    reads_everything,
    wallets_governed,
    wallets_listed,
    wallets_of_concern,
)
from portal.people.admin_base import ScopedAdmin, ScopedFilter
from portal.people.forms import posted
from portal.people.templatetags import units

STATE = {"frozen": "danger", "open": "success"}


@admin.register(Wallet)
class WalletAdmin(Asking, ScopedAdmin):
    list_display = ("name", "kind", "state", "may_sell", "created_at")
    list_filter = ("kind", "may_sell", ("frozen_at", admin.EmptyFieldListFilter))
    search_fields = ("name", "owner__email", "public_id")
    ordering = ("kind", "name", "id")
    fields = (
        "name",
        "kind",
        "public_id",
        "frozen_at",
        "frozen_reason",
        "may_sell",
        "beneficial_owner",
        "locked_until",
        "position_limit",
        "created_at",
        "balances",
        "history",
    )
    readonly_fields = ("balances", "history")
    actions_detail = ("freeze", "unfreeze", "change_policy", "force", "recover")
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

    @admin.display(description=_("policies"))
    def history(self, wallet: Wallet) -> SafeString:
        return policy_history(subject_of(wallet))

    def has_ask_permission(self, request: HttpRequest, object_id: Any = None) -> bool:
        return may_ask(request.user)

    @action(description=_("Ask to unfreeze"), url_path="unfreeze", permissions=["ask"], icon="lock_open")
    def unfreeze(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """One person freezes, two let go again."""
        wallet = self.of_concern_or_404(request, object_id)
        return self.ask(
            request,
            UnfreezeForm(posted(request), wallet=wallet),
            Approval.Kind.POLICY,
            gettext("Unfreeze %(name)s") % {"name": wallet.name},
            gettext("It was frozen because: %(why)s") % {"why": wallet.frozen_reason or "–"},
        )

    @action(description=_("Ask for other rules"), url_path="rules", permissions=["ask"], icon="policy")
    def change_policy(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """What the wallet may do: a new version of its policy."""
        wallet = self.of_concern_or_404(request, object_id)
        return self.ask(
            request,
            WalletRulesForm(posted(request), wallet=wallet),
            Approval.Kind.POLICY,
            gettext("Rules of %(name)s") % {"name": wallet.name},
            gettext("Each change is a new version, and an entry of the ledger that everybody can read."),
        )

    @action(description=_("Ask for a forced transfer"), url_path="force", permissions=["ask"], icon="gavel")
    def force(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """Take from the wallet what a decision says, whatever its own rules are."""
        wallet = self.of_concern_or_404(request, object_id)
        choices = wallets_of_concern(request.user)
        return self.ask(
            request,
            ForceForm(posted(request), wallet=wallet, choices=choices, user=request.user, now=database_now()),
            Approval.Kind.FORCE,
            gettext("Forced transfer from %(name)s") % {"name": wallet.name},
            gettext(
                "It moves even what a frozen wallet has. The ledger says that it was forced, and by which approval."
            ),
        )

    @action(description=_("Ask to recover"), url_path="recover", permissions=["ask"], icon="key_off")
    def recover(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """A lost wallet: all that it has available goes to its holder's new one."""
        wallet = self.of_concern_or_404(request, object_id)
        return self.ask(
            request,
            RecoverForm(posted(request), wallet=wallet, choices=wallets_of_concern(request.user)),
            Approval.Kind.RECOVER,
            gettext("Recover %(name)s") % {"name": wallet.name},
            gettext("The wallet is frozen, and all that it has available goes to the holder's new wallet."),
        )

    def of_concern_or_404(self, request: HttpRequest, object_id: str) -> Wallet:
        wallet: Wallet = self.one_or_404(request, object_id)
        if not wallets_of_concern(request.user).filter(id=wallet.id).exists():
            self.one_or_404(request, "0")
        return wallet

    def governed_or_404(self, request: HttpRequest, object_id: str) -> Wallet:
        """One's own departments' wallets only, even where the list shows more."""
        wallet: Wallet = self.one_or_404(request, object_id)
        if not wallets_governed(request.user).filter(id=wallet.id).exists():
            self.one_or_404(request, "0")
        return wallet


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
