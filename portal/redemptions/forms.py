"""What a person fills in to redeem tokens; the rules are the scheduler's."""

from typing import Any
from uuid import UUID, uuid4

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from ledger.errors import Refusal
from ledger.models import Asset, Wallet
from portal.people.models import User
from portal.redemptions.redeeming import redeemable, slurm_account_of
from scheduler.models import Redemption
from scheduler.redemptions import Wish
from scheduler.scripts import MAX_SCRIPT_BYTES


class SeriesField(forms.ModelChoiceField):  # type: ignore[type-arg]
    """A series by its code, with what the wallet has of it."""

    def label_from_instance(self, obj: Any) -> str:
        return str(obj.code)


class RedeemForm(forms.Form):
    asset = SeriesField(label=_("Series"), queryset=Asset.objects.none(), to_field_name="code", empty_label=None)
    gpus = forms.IntegerField(label=_("GPUs"), min_value=1, help_text=_("All on one node."))
    walltime_minutes = forms.IntegerField(
        label=_("Time limit (minutes)"),
        min_value=1,
        help_text=_("The job is ended after this. What it does not use comes back."),
    )
    job_name = forms.CharField(
        label=_("Job name"), max_length=64, help_text=_("Letters, digits, hyphens and underscores.")
    )
    kind = forms.ChoiceField(
        label=_("What runs"),
        choices=[
            (Redemption.Kind.SCRIPT, _("A script, by bash or by what its first line names")),
            (Redemption.Kind.DASK, _("A Python program on a Dask cluster inside the job")),
        ],
        widget=forms.RadioSelect,
    )
    script = forms.CharField(
        label=_("Script"),
        strip=False,
        widget=forms.Textarea(attrs={"rows": 14, "class": "mono", "spellcheck": "false", "wrap": "off"}),
        help_text=_("Up to 256 KiB. #SBATCH lines in it have no effect."),
        max_length=MAX_SCRIPT_BYTES,
    )
    # Made with the preview: confirming twice is confirming once.
    key = forms.UUIDField(widget=forms.HiddenInput, required=False)
    shown = forms.CharField(widget=forms.HiddenInput, required=False, max_length=64)

    def __init__(self, *arguments: Any, wallet: Wallet, **keywords: Any) -> None:
        super().__init__(*arguments, **keywords)
        self.label_suffix = ""
        self.wallet = wallet
        series = self.fields["asset"]
        assert isinstance(series, forms.ModelChoiceField)
        series.queryset = Asset.objects.filter(
            id__in=redeemable(wallet, now=timezone.now()).values("asset_id")
        ).order_by("expires_at", "id")

    def wish(self, user: User) -> Wish:
        """What the valid form asks for."""
        data = self.cleaned_data
        public_id: UUID = data["key"] or uuid4()
        return Wish(
            public_id=public_id,
            wallet_id=self.wallet.id,
            asset_id=data["asset"].id,
            kind=data["kind"],
            gpus=data["gpus"],
            walltime_minutes=data["walltime_minutes"],
            job_name=data["job_name"],
            script=data["script"],
            slurm_account=slurm_account_of(user, self.wallet),
        )

    def refuse(self, refusal: Refusal) -> None:
        """Show a refusal where it belongs."""
        self.add_error(refusal.field if refusal.field in self.fields else None, refusal.message)
