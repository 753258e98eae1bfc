"""What the API answers, as its schema tells it. Amounts are integers of the smallest unit."""

from typing import Any

from rest_framework import serializers

from ledger.models import Asset
from market.models import Instrument, Order
from portal.api.fields import Instant
from scheduler.models import Redemption

Int = serializers.IntegerField


class FaultOut(serializers.Serializer):
    field = serializers.CharField()
    code = serializers.CharField()
    detail = serializers.CharField()


class ProblemOut(serializers.Serializer):
    """RFC 9457. `code` never changes its meaning; `detail` is a sentence for people."""

    type = serializers.CharField()
    title = serializers.CharField()
    status = Int()
    code = serializers.CharField()
    detail = serializers.CharField()
    field = serializers.CharField(required=False)
    errors = FaultOut(many=True, required=False)


class DayOut(serializers.Serializer):
    """The last 24 hours; prices in ticks, volume in lots."""

    volume = Int()
    first_price = Int(allow_null=True)
    high = Int(allow_null=True)
    low = Int(allow_null=True)


class InstrumentOut(serializers.Serializer):
    code = serializers.CharField()
    phase = serializers.ChoiceField(choices=Instrument.Phase.choices)
    price_asset = serializers.CharField(source="price_asset.code")
    resource_class = serializers.CharField(source="asset.resource_class")
    gpu_type = serializers.CharField(source="asset.gpu_type")
    gpu_memory_gb = Int(source="asset.gpu_memory_gb")
    network_gbps = Int(source="asset.network_gbps")
    priority = serializers.CharField(source="asset.priority")
    starts_at = Instant(source="asset.starts_at", allow_null=True)
    expires_at = Instant(source="asset.expires_at", allow_null=True)
    last_price = Int(allow_null=True)
    maker_fee_bp = serializers.IntegerField()
    taker_fee_bp = serializers.IntegerField()
    static_band_bp = serializers.IntegerField(allow_null=True)
    dynamic_band_bp = serializers.IntegerField(allow_null=True)
    reference_price = Int(allow_null=True)
    day = DayOut()


class InstrumentsOut(serializers.Serializer):
    results = InstrumentOut(many=True)


class LevelOut(serializers.Serializer):
    price = Int()
    quantity = Int()
    orders = Int()


class AuctionOut(serializers.Serializer):
    """What the auction that is on would come to now; no price where nothing would trade."""

    no_cancel_at = Instant()
    uncross_at = Instant()
    price = Int(allow_null=True)
    volume = Int()
    surplus = Int(help_text="Of buyers; of sellers where it is negative.")


class BookOut(serializers.Serializer):
    """The book at event `number`; the best level stands first."""

    instrument = serializers.CharField()
    number = Int()
    checksum = Int(help_text="CRC-32 over the ten best levels a side (docs/market.md).")
    phase = serializers.ChoiceField(choices=Instrument.Phase.choices)
    auction = AuctionOut(allow_null=True)
    events = serializers.CharField(help_text="The stream that goes on from here, with ?after= this number.")
    bids = LevelOut(many=True)
    asks = LevelOut(many=True)


class TradeOut(serializers.Serializer):
    number = Int()
    price = Int()
    quantity = Int()
    taker_side = serializers.ChoiceField(choices=Order.Side.choices)
    traded_at = Instant()


class OrderOut(serializers.Serializer):
    id = Int()
    client_order_id = serializers.CharField()
    wallet = serializers.UUIDField(source="wallet.public_id")
    instrument = serializers.CharField(source="instrument.code")
    side = serializers.ChoiceField(choices=Order.Side.choices)
    kind = serializers.ChoiceField(choices=Order.Kind.choices)
    limit_price = Int()
    quantity = Int()
    filled_quantity = Int()
    open_quantity = Int()
    filled_value = Int()
    fees_paid = Int()
    maker_fee_bp = serializers.IntegerField()
    taker_fee_bp = serializers.IntegerField()
    held = Int()
    time_in_force = serializers.ChoiceField(choices=Order.TimeInForce.choices)
    post_only = serializers.BooleanField()
    self_trade = serializers.ChoiceField(choices=Order.SelfTrade.choices)
    expires_at = Instant(allow_null=True)
    status = serializers.ChoiceField(choices=Order.Status.choices)
    reason = serializers.CharField(allow_blank=True)
    placed_at = Instant()
    done_at = Instant(allow_null=True)


class PlacedOut(serializers.Serializer):
    """What became of an order; `reason` is the code of why it ended, or empty."""

    id = Int(source="order_id")
    status = serializers.ChoiceField(choices=Order.Status.choices)
    quantity = Int()
    filled_quantity = Int()
    filled_value = Int()
    fees_paid = Int()
    reason = serializers.CharField(allow_blank=True)


class BulkAnswerOut(serializers.Serializer):
    """One order's answer: `order` where it was taken, `problem` where it was not, both where it was rejected."""

    status = Int()
    client_order_id = serializers.CharField(allow_null=True)
    order = PlacedOut(required=False)
    problem = ProblemOut(required=False)


class BulkOut(serializers.Serializer):
    results = BulkAnswerOut(many=True)


class CancelledOut(serializers.Serializer):
    cancelled = Int()


class TimerOut(serializers.Serializer):
    cancel_at = Instant(allow_null=True)


class BalanceOut(serializers.Serializer):
    asset = serializers.CharField(source="asset.code")
    kind = serializers.ChoiceField(choices=Asset.Kind.choices, source="asset.kind")
    balance = Int()
    held = Int()
    available = Int()
    expires_at = Instant(source="asset.expires_at", allow_null=True)


class BalancesOut(serializers.Serializer):
    wallet = serializers.UUIDField()
    results = BalanceOut(many=True)


class SideOut(serializers.Serializer):
    asset = serializers.CharField()
    amount = Int()


class TransferOut(serializers.Serializer):
    """A transfer as the wallet sees it: what it got is positive, what it gave negative."""

    entry = Int()
    kind = serializers.CharField()
    reference = serializers.CharField(allow_blank=True)
    recorded_at = Instant()
    sides = SideOut(many=True)


class RedemptionOut(serializers.Serializer):
    id = serializers.UUIDField(source="public_id")
    wallet = serializers.UUIDField(source="wallet.public_id")
    asset = serializers.CharField(source="asset.code")
    kind = serializers.ChoiceField(choices=Redemption.Kind.choices)
    gpus = Int()
    walltime_seconds = Int()
    job_name = serializers.CharField()
    status = serializers.ChoiceField(choices=Redemption.Status.choices)
    reason = serializers.CharField(allow_blank=True)
    job_id = serializers.CharField(allow_blank=True)
    outcome = serializers.CharField(allow_blank=True)
    exit_code = Int(allow_null=True)
    used_seconds = Int(allow_null=True)
    charged_amount = Int(allow_null=True)
    created_at = Instant()
    started_at = Instant(allow_null=True)
    ended_at = Instant(allow_null=True)
    settled_at = Instant(allow_null=True)


class DeviceOut(serializers.Serializer):
    """A device login that waits for its person: show them the code and the address, then ask for the key."""

    device_code = serializers.CharField(help_text="The program's own secret; it is shown to nobody.")
    user_code = serializers.CharField(help_text="What the person types.")
    verification_uri = serializers.CharField(help_text="Where they type it.")
    verification_uri_complete = serializers.CharField(help_text="The same with the code in it.")
    expires_in = Int(help_text="Seconds until it is over.")
    interval = Int(help_text="Seconds to wait between two questions for the key.")


class DeviceTokenOut(serializers.Serializer):
    """The key, shown this once."""

    access_token = serializers.CharField()
    token_type = serializers.ChoiceField(choices=["Bearer"])
    scopes = serializers.ListField(child=serializers.CharField())


def paged(name: str, row: type[serializers.Serializer]) -> type[serializers.Serializer]:
    fields: dict[str, Any] = {
        "results": row(many=True),
        "next": serializers.CharField(allow_null=True, help_text="The cursor of the next page; null on the last."),
    }
    return type(name, (serializers.Serializer,), fields)


TradesOut = paged("TradesOut", TradeOut)
OrdersOut = paged("OrdersOut", OrderOut)
TransfersOut = paged("TransfersOut", TransferOut)
RedemptionsOut = paged("RedemptionsOut", RedemptionOut)
