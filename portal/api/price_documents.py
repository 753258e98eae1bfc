"""What the API answers about prices. Prices are in ticks of 0.01 cr/GPU-h, quantities in lots of 0.01 GPU-h."""

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from market.prices.candles import INTERVALS
from market.prices.models import ReferencePrice
from portal.api.documents import paged
from portal.api.fields import Instant, OneOf
from portal.api.forms import PageQuery

Int = serializers.IntegerField


class CandlesQuery(PageQuery):
    interval = OneOf(choices=[(name, name) for name in INTERVALS], default="1m", help_text=_("How long one candle is."))


class CandleOut(serializers.Serializer):
    """One interval of UTC time. An interval without a trade has no candle."""

    starts_at = Instant()
    open = Int()
    high = Int()
    low = Int()
    close = Int()
    volume = Int()
    trades = Int()
    excluded = Int(help_text="Flagged trades: they count in everything but the average.")
    average = Int(allow_null=True, help_text="By volume, to the nearest tick, flagged trades left out.")


class ReferenceOut(serializers.Serializer):
    """What auctions and bands measure by, as it was stored last."""

    price = Int()
    basis = serializers.ChoiceField(choices=ReferencePrice.Basis.choices)
    at = Instant()
    method = Int()
    window_from = Instant()
    window_to = Instant()
    trades = Int()
    excluded = Int()
    volume = Int()


class StatisticsOut(serializers.Serializer):
    """The last 24 hours, to five minutes, and the reference price."""

    instrument = serializers.CharField()
    first_price = Int(allow_null=True)
    high = Int(allow_null=True)
    low = Int(allow_null=True)
    last_price = Int(allow_null=True)
    volume = Int()
    trades = Int()
    excluded = Int()
    average = Int(allow_null=True)
    reference = ReferenceOut(allow_null=True)


class ClassPriceOut(serializers.Serializer):
    """A class on a day; prices in 1/10,000 credit, volume in lots."""

    gpu_class = serializers.CharField()
    tflops = Int(help_text="Dense BF16, of one GPU.")
    basis = serializers.ChoiceField(choices=["TRADES", "CARRIED", "NONE"])
    from_day = serializers.DateField(allow_null=True)
    per_gpu_hour = Int(allow_null=True)
    per_pflop_hour = Int(allow_null=True)
    volume = Int()
    trades = Int()
    excluded = Int()
    series = serializers.ListField(child=serializers.CharField())


class IndexDayOut(serializers.Serializer):
    day = serializers.DateField()
    final = serializers.BooleanField(help_text="A final day does not change any more.")
    method = Int()
    hardware = Int(help_text="The version of the published file of GPU classes.")
    all_per_pflop_hour = Int(allow_null=True)
    classes = ClassPriceOut(many=True)


class MeasuredOut(serializers.Serializer):
    ratio = serializers.DecimalField(max_digits=12, decimal_places=4)
    what = serializers.CharField()
    runs = Int()
    source = serializers.CharField()


class ConversionOut(serializers.Serializer):
    """An hour of `to` in hours of `from`: by published speed, as measured, and by the index's prices."""

    published = serializers.DecimalField(max_digits=12, decimal_places=4)
    implied = serializers.DecimalField(max_digits=12, decimal_places=4, allow_null=True)
    premium = serializers.DecimalField(max_digits=12, decimal_places=4, allow_null=True)
    days = serializers.ListField(child=serializers.DateField(), help_text="Of which days the prices are.")
    measured = MeasuredOut(many=True)

    def get_fields(self) -> dict[str, serializers.Field]:
        # `from` is a word of Python's.
        pair = {"from": serializers.CharField(source="one.code"), "to": serializers.CharField(source="other.code")}
        return {**pair, **super().get_fields()}


class ConversionsOut(serializers.Serializer):
    published_on = serializers.DateField()
    source = serializers.CharField()
    results = ConversionOut(many=True)


class ConcentrationOut(serializers.Serializer):
    """How a series is held, by beneficial owner; GPU-seconds, and shares in hundredths of a percent."""

    asset = serializers.CharField(source="asset.code")
    computed_at = Instant()
    owners = Int()
    held = Int()
    hhi = Int(help_text="From 0 to 10,000.")
    gini = Int()
    top_five = Int()
    idle = Int(help_text="Not moved and not redeemed for `idle_days` days.")
    idle_days = Int()


class ConcentrationsOut(serializers.Serializer):
    results = ConcentrationOut(many=True)


CandlesOut = paged("CandlesOut", CandleOut)
IndexDaysOut = paged("IndexDaysOut", IndexDayOut)
