"""What is asked for when it takes two persons, drawn with Unfold's widgets. Each says why."""

from __future__ import annotations

from datetime import UTC, datetime, time, timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from ledger.governance.governing import utc_text
from ledger.models import SECONDS_PER_GPU_HOUR, Asset, Wallet
from portal.grants.forms import AmountForm, WalletField
from scheduler.models import ResourceClass

_DATE = {"type": "date"}


class AskForm(forms.Form):
    """Every request says why, for the person who decides."""

    reason = forms.CharField(
        label=_("Why"),
        max_length=300,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("For the person who decides. It is kept beside the ledger, not in it."),
    )

    def content(self) -> dict[str, Any]:
        """What ledger.governance.approvals carries out."""
        return {}


class CapacityForm(AskForm):
    resource_class = forms.ModelChoiceField(
        label=_("Resource class"),
        queryset=ResourceClass.objects.order_by("code"),
        widget=UnfoldAdminSelectWidget(),
        empty_label=None,
    )
    gpus = forms.IntegerField(
        label=_("GPUs"), min_value=0, max_value=1_000_000, widget=UnfoldAdminTextInputWidget({"inputmode": "numeric"})
    )
    starts_on = forms.DateField(label=_("First day"), widget=UnfoldAdminTextInputWidget(attrs=_DATE))
    ends_on = forms.DateField(
        label=_("Last day"), widget=UnfoldAdminTextInputWidget(attrs=_DATE), help_text=_("Both days in UTC.")
    )
    field_order = ["resource_class", "gpus", "starts_on", "ends_on", "reason"]

    def clean(self) -> dict[str, Any]:
        starts, ends = self.cleaned_data.get("starts_on"), self.cleaned_data.get("ends_on")
        if starts and ends and not 0 <= (ends - starts).days <= 3660:
            self.add_error("ends_on", _("Capacity lasts at least a day and at most ten years."))
        return self.cleaned_data

    def content(self) -> dict[str, Any]:
        data = self.cleaned_data
        return {
            "resource_class": data["resource_class"].code,
            "gpus": data["gpus"],
            "starts_at": _day(data["starts_on"]),
            "ends_at": _day(data["ends_on"] + timedelta(days=1)),
        }


class RulesForm(AskForm):
    """Rules that wallets and series have in common. An empty field takes the rule away."""

    locked_until = forms.DateField(
        label=_("Locked up until"),
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs=_DATE),
        help_text=_("Before this day (UTC) it may be redeemed, not traded, sent or granted."),
    )
    position_limit = forms.IntegerField(
        label=_("Position limit"),
        required=False,
        min_value=0,
        max_value=10**9,
        widget=UnfoldAdminTextInputWidget({"inputmode": "numeric"}),
        help_text=_("GPU-hours of one series that a beneficial owner may have and bid for, over all their wallets."),
    )
    receivers = forms.CharField(
        label=_("Allow-list"),
        required=False,
        max_length=20_000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text=_("Wallet ids, a line each: only these may receive. Empty: anybody may."),
    )

    def clean_receivers(self) -> list[str] | None:
        lines = self.cleaned_data["receivers"].split()
        try:
            ids = [str(UUID(line)) for line in lines]
        except ValueError as error:
            raise forms.ValidationError(_("A wallet id looks like 6f0c1d5e-….")) from error
        missing = set(ids) - {
            str(id_) for id_ in Wallet.objects.filter(public_id__in=ids).values_list("public_id", flat=True)
        }
        if missing:
            raise forms.ValidationError(_("No such wallet: %(ids)s.") % {"ids": ", ".join(sorted(missing)[:3])})
        return ids or None

    def content(self) -> dict[str, Any]:
        data = self.cleaned_data
        limit = data["position_limit"]
        return {
            "changes": {
                "locked_until": _day(data["locked_until"]) if data["locked_until"] else None,
                "position_limit": None if limit is None else limit * SECONDS_PER_GPU_HOUR,
                "receivers": data["receivers"],
            }
        }

    @staticmethod
    def initial_of(what: Wallet | Asset) -> dict[str, Any]:
        limit = what.position_limit
        return {
            "locked_until": what.locked_until.date() if what.locked_until else None,
            "position_limit": None if limit is None else limit // SECONDS_PER_GPU_HOUR,
            "receivers": "\n".join(what.receivers or ()),
        }


class WalletRulesForm(RulesForm):
    may_sell = forms.BooleanField(label=_("May sell"), required=False, widget=UnfoldBooleanWidget())
    owner = WalletField(
        label=_("Beneficial owner"),
        queryset=Wallet.objects.none(),
        required=False,
        widget=UnfoldAdminSelectWidget(),
        help_text=_("Whose position it counts towards, where that is somebody else's own wallet."),
    )
    field_order = ["may_sell", "locked_until", "position_limit", "receivers", "owner", "reason"]

    def __init__(self, *args: Any, wallet: Wallet, **kwargs: Any) -> None:
        kwargs["initial"] = self.initial_of(wallet) | {"may_sell": wallet.may_sell, "owner": wallet.beneficial_owner_id}
        super().__init__(*args, **kwargs)
        self.wallet = wallet
        persons = Wallet.objects.filter(kind=Wallet.Kind.PERSON, beneficial_owner=None).exclude(id=wallet.id)
        self.fields["owner"].queryset = persons.select_related("owner").order_by("name", "id")  # type: ignore[attr-defined]

    def content(self) -> dict[str, Any]:
        owner = self.cleaned_data["owner"]
        changes = super().content()["changes"] | {
            "may_sell": self.cleaned_data["may_sell"],
            "owner": None if owner is None else str(owner.public_id),
        }
        return {"wallet": self.wallet.id, "of": self.wallet.id, "changes": changes}


class AssetRulesForm(RulesForm):
    paused = forms.BooleanField(
        label=_("Paused"),
        required=False,
        widget=UnfoldBooleanWidget(),
        help_text=_("Nothing of it moves until that is lifted; running jobs are still settled."),
    )
    field_order = ["paused", "locked_until", "position_limit", "receivers", "reason"]

    def __init__(self, *args: Any, asset: Asset, **kwargs: Any) -> None:
        kwargs["initial"] = self.initial_of(asset) | {"paused": asset.paused_at is not None}
        super().__init__(*args, **kwargs)
        self.asset = asset

    def content(self) -> dict[str, Any]:
        changes = super().content()["changes"] | {"paused": self.cleaned_data["paused"]}
        return {"asset": self.asset.id, "changes": changes}


class UnfreezeForm(AskForm):
    def __init__(self, *args: Any, wallet: Wallet, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.wallet = wallet

    def content(self) -> dict[str, Any]:
        return {"wallet": self.wallet.id, "of": self.wallet.id, "changes": {"frozen": False}}


class RecoverForm(AskForm):
    to_wallet = WalletField(
        label=_("Into the wallet of"), queryset=Wallet.objects.none(), widget=UnfoldAdminSelectWidget()
    )
    field_order = ["to_wallet", "reason"]

    def __init__(self, *args: Any, wallet: Wallet, choices: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.wallet = wallet
        others = choices.exclude(id=wallet.id).exclude(kind=Wallet.Kind.SYSTEM).select_related("owner")
        self.fields["to_wallet"].queryset = others.order_by("name", "id")  # type: ignore[attr-defined]

    def content(self) -> dict[str, Any]:
        to = self.cleaned_data["to_wallet"]
        return {"wallet": self.wallet.id, "to": to.id, "of": self.wallet.id}


class ForceForm(AmountForm, AskForm):
    to_wallet = WalletField(label=_("To"), queryset=Wallet.objects.none(), widget=UnfoldAdminSelectWidget())
    field_order = ["to_wallet", "asset", "amount", "reason", "key"]

    def __init__(self, *args: Any, wallet: Wallet, choices: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.wallet = wallet
        others = choices.exclude(id=wallet.id).exclude(kind=Wallet.Kind.SYSTEM).select_related("owner")
        self.fields["to_wallet"].queryset = others.order_by("name", "id")  # type: ignore[attr-defined]

    def content(self) -> dict[str, Any]:
        data = self.cleaned_data
        return {
            "asset": data["asset"].id,
            "from": self.wallet.id,
            "to": data["to_wallet"].id,
            "amount": self.units(),
            "of": self.wallet.id,
        }


class CorrectForm(AskForm):
    def __init__(self, *args: Any, transfer_id: int, of: int | None, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.transfer_id, self.of = transfer_id, of

    def content(self) -> dict[str, Any]:
        return {"transfer": self.transfer_id} | ({} if self.of is None else {"of": self.of})


def _day(day: Any) -> str:
    return utc_text(datetime.combine(day, time.min, tzinfo=UTC))
