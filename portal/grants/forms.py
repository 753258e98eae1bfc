"""Issuing, granting and uploading, drawn with Unfold's widgets."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.db.models import Q
from django.utils.translation import gettext_lazy as _
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanWidget,
)

from ledger.models import Asset, Wallet
from portal.grants.approving import is_above_limit
from portal.grants.parsing import LARGEST_FILE
from portal.grants.uploads import units_of
from portal.people.access import Person, departments_administered, wallets_governed
from scheduler.models import ResourceClass

MOST_DAYS = 366 * 5


class WalletField(forms.ModelChoiceField):  # type: ignore[type-arg]
    def label_from_instance(self, obj: Any) -> str:
        owner = getattr(obj, "owner", None)
        return f"{obj.name} ({owner.email if owner else obj.get_kind_display()})"


def department_wallets(user: Person) -> Any:
    return Wallet.objects.filter(id__in=departments_administered(user).values("wallet")).order_by("name", "id")


class AmountForm(forms.Form):
    """An amount of an asset; `key` makes a second press of the button answer what the first did."""

    asset = forms.ModelChoiceField(
        label=_("Series"), queryset=Asset.objects.none(), widget=UnfoldAdminSelectWidget(), empty_label=None
    )
    amount = forms.DecimalField(
        label=_("Amount"),
        min_value=Decimal("0.01"),
        max_value=Decimal(999_999_999),
        decimal_places=2,
        help_text=_("In GPU-hours, or in credits where the series is CREDITS."),
        widget=UnfoldAdminTextInputWidget(attrs={"inputmode": "decimal"}),
    )
    key = forms.UUIDField(widget=forms.HiddenInput())

    def __init__(self, *args: Any, user: Person, now: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.user = user
        self.fields["key"].initial = uuid.uuid4()
        usable = Asset.objects.filter(Q(expires_at__gt=now) | Q(kind=Asset.Kind.CREDITS)).order_by("-kind", "code")
        self.fields["asset"].queryset = usable  # type: ignore[attr-defined]

    def units(self) -> int:
        return units_of(self.cleaned_data["amount"], self.cleaned_data["asset"])


class IssueForm(AmountForm):
    wallet = WalletField(
        label=_("Into the wallet of"),
        queryset=Wallet.objects.none(),
        widget=UnfoldAdminSelectWidget(),
        empty_label=None,
    )
    reason = forms.CharField(
        label=_("Why"),
        max_length=300,
        required=False,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("Needed above what one person may issue alone: another person decides then."),
    )
    field_order = ["wallet", "asset", "amount", "reason", "key"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["wallet"].queryset = department_wallets(self.user)  # type: ignore[attr-defined]

    def takes_two(self) -> bool:
        return is_above_limit(self.cleaned_data["asset"], self.units())

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        if {"asset", "amount"} <= data.keys() and self.takes_two() and not data.get("reason"):
            self.add_error("reason", _("So much takes a second person. Say why, for the one who decides."))
        return data


class GrantForm(AmountForm):
    wallet = WalletField(
        label=_("From"), queryset=Wallet.objects.none(), widget=UnfoldAdminSelectWidget(), empty_label=None
    )
    to_wallet = WalletField(
        label=_("To"),
        queryset=Wallet.objects.none(),
        widget=UnfoldAdminSelectWidget(),
        help_text=_("People, institutes and cohorts of your departments."),
    )
    field_order = ["wallet", "to_wallet", "asset", "amount", "key"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        own = department_wallets(self.user)
        others = wallets_governed(self.user).exclude(kind=Wallet.Kind.DEPARTMENT).select_related("owner")
        self.fields["wallet"].queryset = own  # type: ignore[attr-defined]
        self.fields["to_wallet"].queryset = others.order_by("kind", "name", "id")  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        if data.get("wallet") and data.get("wallet") == data.get("to_wallet"):
            self.add_error("to_wallet", _("A grant needs two different wallets."))
        return data


class SeriesForm(forms.Form):
    """A new pool series: hours of one kind of GPU, worth something until a stated day."""

    code = forms.RegexField(
        r"^[A-Z0-9][A-Z0-9-]{2,39}$",
        label=_("Code"),
        help_text=_("Capital letters, figures and hyphens, such as H100-2027Q1. It never changes."),
        widget=UnfoldAdminTextInputWidget(),
    )
    resource_class = forms.ModelChoiceField(
        label=_("Resource class"),
        queryset=ResourceClass.objects.order_by("code"),
        widget=UnfoldAdminSelectWidget(),
        empty_label=None,
    )
    priority = forms.CharField(
        label=_("Priority"), max_length=20, initial="normal", widget=UnfoldAdminTextInputWidget()
    )
    starts_on = forms.DateField(label=_("First day"), widget=UnfoldAdminTextInputWidget(attrs={"type": "date"}))
    ends_on = forms.DateField(
        label=_("Last day"),
        widget=UnfoldAdminTextInputWidget(attrs={"type": "date"}),
        help_text=_("In UTC. Nothing of it is worth anything from the day after."),
    )
    opens_by_auction = forms.BooleanField(
        label=_("Open by an auction"),
        required=False,
        widget=UnfoldBooleanWidget(),
        help_text=_("Orders are collected first and trade at one price; otherwise the first that meet trade at once."),
    )

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        machines, priority = data.get("resource_class"), data.get("priority")
        if machines and priority and priority not in machines.qos_by_priority:
            known = ", ".join(sorted(machines.qos_by_priority))
            self.add_error("priority", _("This class has the priorities %(known)s.") % {"known": known})
        starts, ends = data.get("starts_on"), data.get("ends_on")
        if starts and ends and not 0 <= (ends - starts).days <= MOST_DAYS:
            self.add_error("ends_on", _("A series lasts at least a day and at most five years."))
        return data

    def values(self) -> dict[str, Any]:
        data, machines = self.cleaned_data, self.cleaned_data["resource_class"]
        return {
            "code": data["code"],
            "resource_class": machines.code,
            "gpu_type": machines.gpu_name,
            "gpu_memory_gb": machines.gpu_memory_gb,
            "network_gbps": machines.network_gbps,
            "priority": data["priority"],
            "dense_bf16_tflops": machines.dense_bf16_tflops,
            "starts_at": datetime.combine(data["starts_on"], time.min, tzinfo=UTC),
            "expires_at": datetime.combine(data["ends_on"], time.min, tzinfo=UTC) + timedelta(days=1),
        }


class UploadForm(forms.Form):
    wallet = WalletField(
        label=_("From"), queryset=Wallet.objects.none(), widget=UnfoldAdminSelectWidget(), empty_label=None
    )
    file = forms.FileField(
        label=_("CSV file"),
        max_length=200,
        widget=UnfoldAdminFileFieldWidget(attrs={"accept": ".csv,text/csv"}),
        help_text=_("UTF-8, with the columns email, series and amount; a first line that names them."),
    )

    def __init__(self, *args: Any, user: Person, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["wallet"].queryset = department_wallets(user)  # type: ignore[attr-defined]

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if file.size > LARGEST_FILE:
            raise forms.ValidationError(_("The file is larger than a megabyte."))
        return file


class ReasonForm(forms.Form):
    reason = forms.CharField(
        label=_("Why"),
        max_length=200,
        widget=UnfoldAdminTextInputWidget(),
        help_text=_("Shown to those it concerns; it is not written to the ledger."),
    )
