"""What the API takes, in bodies and in addresses, and the form of the page where keys are made."""

from django import forms
from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from market.models import HIGHEST_PRICE, LARGEST_QUANTITY, Order
from market.timers import LONGEST_SECONDS
from portal.api.fields import Instant, OneOf, Strict, Text, Units, Words, YesNo
from portal.api.models import ApiKey
from scheduler.models import Redemption
from scheduler.scripts import MAX_SCRIPT_BYTES

MOST_ROWS, USUAL_ROWS = 500, 50
MOST_LEVELS = 500


class WalletIn(Strict):
    wallet = Words(required=False, most=64, help_text="The wallet to act for by its public id; your own unless said.")


class NothingIn(Strict):
    """An address without parameters."""


class OrderIn(Strict):
    """Price in ticks of 0.01 credit a GPU-hour, quantity in lots of 0.01 GPU-hour."""

    instrument = Words(most=40)
    side = OneOf(choices=Order.Side.choices)
    limit_price = Units(most=HIGHEST_PRICE)
    quantity = Units(most=LARGEST_QUANTITY)
    kind = OneOf(choices=Order.Kind.choices, default=Order.Kind.LIMIT)
    time_in_force = OneOf(choices=Order.TimeInForce.choices, default=Order.TimeInForce.GTC)
    post_only = YesNo(default=False)
    self_trade = OneOf(choices=Order.SelfTrade.choices, default=Order.SelfTrade.CANCEL_NEWEST)
    expires_at = Instant(required=False, help_text="For GTD orders, and for no other.")


class PlaceIn(OrderIn, WalletIn):
    """One order; its Idempotency-Key is its client order id."""


class BulkOrderIn(OrderIn):
    client_order_id = Words(most=80)


class BulkIn(WalletIn):
    orders = BulkOrderIn(many=True, min_length=1, max_length=1000)


class AmendIn(Strict):
    """What is to change: the total quantity, what is filled included; the limit price; or both."""

    quantity = Units(least=0, most=LARGEST_QUANTITY, required=False)
    limit_price = Units(most=HIGHEST_PRICE, required=False)


class CancelAllIn(WalletIn):
    instrument = Words(required=False, most=40, help_text="Only the orders in this one.")


class TimerIn(WalletIn):
    seconds = Units(least=0, most=LONGEST_SECONDS, help_text="0 switches the timer off; else at least 5.")


class TransferIn(WalletIn):
    to = Words(most=64, help_text="The receiving wallet's public id.")
    asset = Words(most=40)
    amount = Units(help_text="GPU-seconds, or 1/10,000 credit.")


class RedeemIn(WalletIn):
    asset = Words(most=40)
    kind = OneOf(choices=Redemption.Kind.choices)
    gpus = Units(most=1_000)
    walltime_minutes = Units(most=10_000_000)
    job_name = Words(most=64)
    script = Text(most=MAX_SCRIPT_BYTES)


class BookQuery(Strict):
    levels = Units(required=False, most=MOST_LEVELS, default=100)


class PageQuery(Strict):
    limit = Units(required=False, most=MOST_ROWS, default=USUAL_ROWS)
    cursor = Words(required=False, most=120, help_text="`next` of the page before.")


class WalletPageQuery(PageQuery, WalletIn):
    pass


class OrdersQuery(WalletPageQuery):
    instrument = Words(required=False, most=40)
    status = OneOf(choices=Order.Status.choices, required=False)


class DeviceIn(Strict):
    """What a program wants a key for."""

    name = Words(most=80, help_text="What the program is, for the person to recognise it by.")
    scopes = serializers.ListField(
        child=OneOf(choices=ApiKey.Scope.choices), min_length=1, max_length=len(ApiKey.Scope.choices)
    )


class DeviceTokenIn(Strict):
    device_code = Words(most=100)


class CodeForm(forms.Form):
    """The code that a program shows."""

    code = forms.CharField(
        label=_("Code"), max_length=20, help_text=_("The eight letters that the program shows, like BCDF-GHJK."),
        widget=forms.TextInput(attrs={"autocomplete": "off", "autocapitalize": "characters", "spellcheck": "false"}),
    )  # fmt: skip


class KeyForm(forms.Form):
    """A new API key."""

    name = forms.CharField(
        label=_("Name"), max_length=80, help_text=_("What will use it, so that you know it again: “notebook on alpha”.")
    )
    scopes = forms.MultipleChoiceField(
        label=_("It may"), choices=ApiKey.Scope.choices, widget=forms.CheckboxSelectMultiple, initial=["read"]
    )
    days = forms.TypedChoiceField(
        label=_("For"),
        choices=[("7", _("a week")), ("30", _("30 days")), ("90", _("90 days")), ("365", _("a year"))],
        coerce=int,
        initial="30",
    )
