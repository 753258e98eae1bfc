"""What a lead fills in for a cohort and its codes, and what a student types."""

from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from ledger.models import SECONDS_PER_GPU_HOUR, Asset

MOST_DAYS = 366 * 5
MOST_GPU_HOURS = Decimal(1_000_000)


class DayInput(forms.DateInput):
    input_type = "date"

    def __init__(self) -> None:
        super().__init__(format="%Y-%m-%d")


def start_of(day: date) -> datetime:
    return datetime.combine(day, time.min, tzinfo=UTC)


def after(day: date) -> datetime:
    """The end of a day, exclusive."""
    return start_of(day) + timedelta(days=1)


class SeriesField(forms.ModelChoiceField):  # type: ignore[type-arg]
    """A series, said with what it is and until when."""

    def label_from_instance(self, obj: Any) -> str:
        return f"{obj.code}: {obj.gpu_type.upper()} {obj.gpu_memory_gb} GB, {obj.expires_at:%Y-%m-%d}"


class CodeForm(forms.Form):
    code = forms.CharField(
        label=_("Join code"),
        max_length=40,
        help_text=_("Eight letters and figures, such as K7QM-2XHP, from your institute."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}),
    )


class CohortForm(forms.Form):
    name = forms.CharField(label=_("Name"), max_length=150, help_text=_("Such as “Machine learning, autumn 2026”."))
    asset = SeriesField(label=_("Series of the allowance"), queryset=Asset.objects.none(), empty_label=None)
    allowance = forms.DecimalField(
        label=_("Allowance for each student (GPU-h)"),
        min_value=Decimal("0.01"),
        max_value=MOST_GPU_HOURS,
        decimal_places=2,
        help_text=_("Granted from the institute's wallet when a student enrols. It may be redeemed, not sold."),
    )
    starts_on = forms.DateField(label=_("First day"), widget=DayInput())
    ends_on = forms.DateField(label=_("Last day"), widget=DayInput())

    def __init__(self, *args: Any, now: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.now = now
        series = Asset.objects.filter(kind=Asset.Kind.POOL, expires_at__gt=now).order_by("expires_at", "code")
        self.fields["asset"].queryset = series  # type: ignore[attr-defined]

    def clean(self) -> dict[str, Any]:
        data = self.cleaned_data
        starts, ends, asset = data.get("starts_on"), data.get("ends_on"), data.get("asset")
        if ends and (ends - self.now.date()).days > MOST_DAYS:
            self.add_error("ends_on", _("A cohort lasts at most five years."))
        elif ends and ends < self.now.date():
            self.add_error("ends_on", _("The last day is over already."))
        elif starts and ends and ends < starts:
            self.add_error("ends_on", _("The last day comes before the first."))
        elif ends and asset and after(ends) > asset.expires_at:
            self.add_error("ends_on", _("The series expires before the cohort ends: choose a later series."))
        return data

    def values(self) -> dict[str, Any]:
        data = self.cleaned_data
        return {
            "name": data["name"],
            "asset": data["asset"],
            "allowance": int(data["allowance"] * SECONDS_PER_GPU_HOUR),
            "starts_at": start_of(data["starts_on"]),
            "ends_at": after(data["ends_on"]),
        }


class JoinCodeForm(forms.Form):
    max_uses = forms.IntegerField(label=_("Students it lets in"), min_value=1, max_value=10_000, initial=30)
    expires_on = forms.DateField(label=_("Last day"), widget=DayInput())

    def __init__(self, *args: Any, now: datetime, cohort_ends_at: datetime, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.now, self.cohort_ends_at = now, cohort_ends_at

    def clean_expires_on(self) -> date:
        day: date = self.cleaned_data["expires_on"]
        if day < self.now.date():
            raise forms.ValidationError(_("The last day is over already."))
        if (day - self.now.date()).days > MOST_DAYS or after(day) > self.cohort_ends_at:
            raise forms.ValidationError(_("A code ends no later than its cohort."))
        return day
