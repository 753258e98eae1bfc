from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ledger.models import Account, Asset, Transfer, Wallet

# Price in ticks of 0.01 credit a GPU-hour, quantity in lots of 0.01 GPU-hour: ticks x lots is exactly 1/10,000 credit.
TICKS_PER_CREDIT = 100
LOTS_PER_GPU_HOUR = 100
GPU_SECONDS_PER_LOT = 36
# Their product, and a wallet's worth of it, stays far inside 64 bits.
HIGHEST_PRICE = 10_000_000
LARGEST_QUANTITY = 100_000_000_000
# A hundredth of a percent; and what a fee may be at most of them.
BASIS_POINTS = 10_000
HIGHEST_FEE = 1_000


_SOUND_INSTRUMENT = (
    "phase", "maker_fee_bp", "taker_fee_bp", "fees_account", "static_band_bp", "dynamic_band_bp", "no_cancel_at",
    "uncross_at", "uncross_price",
)  # fmt: skip


class Instrument(models.Model):
    """One compute series priced in credits. Its row's lock is the matching queue."""

    class Phase(models.TextChoices):
        CONTINUOUS = "CONTINUOUS", _("open")
        AUCTION = "AUCTION", _("auction")
        POST_ONLY = "POST_ONLY", _("adding only")
        CANCEL_ONLY = "CANCEL_ONLY", _("cancelling only")
        HALTED = "HALTED", _("halted")
        CLOSED = "CLOSED", _("closed")

    asset = models.OneToOneField(Asset, on_delete=models.PROTECT, related_name="instrument")
    price_asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="+")
    code = models.CharField(max_length=40, unique=True, help_text=_("The series' code."))
    phase = models.CharField(max_length=11, choices=Phase.choices, default=Phase.CONTINUOUS)
    halted_reason = models.CharField(max_length=200, blank=True)
    # Counters given out under the row's lock: ids commit out of order, these do not.
    last_priority = models.BigIntegerField(default=0)
    last_event = models.BigIntegerField(default=0)
    last_trade = models.BigIntegerField(default=0)
    last_price = models.BigIntegerField(null=True)
    # In basis points of a fill's value; an order keeps the rates it was accepted under.
    maker_fee_bp = models.SmallIntegerField(default=0, db_default=0)
    taker_fee_bp = models.SmallIntegerField(default=0, db_default=0)
    fees_account = models.ForeignKey(Account, on_delete=models.PROTECT, null=True, related_name="+")
    # How far from the reference price, and from the last trade, a trade may be; nothing is no limit.
    static_band_bp = models.IntegerField(null=True)
    dynamic_band_bp = models.IntegerField(null=True)
    # What the static band is around: the last auction's price, or what an operator has set.
    reference_price = models.BigIntegerField(null=True)
    # How long an auction collects, and then lets nobody cancel.
    collect_seconds = models.PositiveIntegerField(default=300, db_default=300)
    no_cancel_seconds = models.PositiveIntegerField(default=60, db_default=60)
    # Of the auction that is on. The price is there while it is being settled, in as many transactions as it takes.
    no_cancel_at = models.DateTimeField(null=True)
    uncross_at = models.DateTimeField(null=True)
    uncross_price = models.BigIntegerField(null=True)
    # The reference price that was published when it began: what its price is to be nearest to.
    auction_reference = models.BigIntegerField(null=True)
    opened_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="instrument_is_sound",
                condition=models.Func(
                    *_SOUND_INSTRUMENT, function="market_instrument_is_sound", output_field=models.BooleanField()
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.code


class OrderQuerySet(models.QuerySet["Order"]):
    def in_book(self) -> OrderQuerySet:
        return self.filter(status=Order.Status.OPEN)

    def unfinished(self) -> OrderQuerySet:
        return self.filter(status__in=[Order.Status.WAITING, Order.Status.OPEN])


_SOUND_ORDER = (
    "kind", "time_in_force", "post_only", "side", "status", "limit_price", "quantity", "filled_quantity", "held",
    "taker_fee_bp", "priority", "expires_at",
)  # fmt: skip


class Order(models.Model):
    """An instruction to trade, and its own hold: `held` is part of the account's.

    The four keys into other tables carry no constraint: market_enter reads them from the rows themselves, which are
    never deleted, at a fifth of the cost.
    """

    class Side(models.TextChoices):
        BUY = "BUY", _("buy")
        SELL = "SELL", _("sell")

    class Kind(models.TextChoices):
        LIMIT = "LIMIT", _("limit")
        MARKET = "MARKET", _("market")  # its limit price is the protection that the person was shown

    class TimeInForce(models.TextChoices):
        GTC = "GTC", _("until cancelled")
        GTD = "GTD", _("until a date")
        IOC = "IOC", _("immediate or cancel")
        FOK = "FOK", _("fill or kill")

    class SelfTrade(models.TextChoices):
        """What happens where the order would trade with another of its beneficial owner; the taker's choice wins."""

        CANCEL_NEWEST = "CANCEL_NEWEST", _("cancel the newest")
        CANCEL_OLDEST = "CANCEL_OLDEST", _("cancel the oldest")
        CANCEL_BOTH = "CANCEL_BOTH", _("cancel both")
        DECREMENT = "DECREMENT", _("reduce both")

    class Status(models.TextChoices):
        WAITING = "WAITING", _("waiting")
        OPEN = "OPEN", _("open")
        FILLED = "FILLED", _("filled")
        CANCELLED = "CANCELLED", _("cancelled")
        REJECTED = "REJECTED", _("rejected")

    instrument = models.ForeignKey(
        Instrument, on_delete=models.PROTECT, related_name="orders", db_constraint=False, db_index=False
    )
    wallet = models.ForeignKey(
        Wallet, on_delete=models.PROTECT, related_name="orders", db_constraint=False, db_index=False
    )
    # The account that pays and holds: credits for a buyer, the series for a seller.
    account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="orders", db_constraint=False, db_index=False
    )
    receiving_account = models.ForeignKey(
        Account, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    side = models.CharField(max_length=4, choices=Side.choices)
    limit_price = models.BigIntegerField()
    quantity = models.BigIntegerField()
    # What was asked for at first, where an amendment or decrementing has changed it since.
    first_price = models.BigIntegerField(null=True)
    first_quantity = models.BigIntegerField(null=True)
    filled_quantity = models.BigIntegerField(default=0)
    # Sum of price x quantity of its fills, in 1/10,000 credit.
    filled_value = models.BigIntegerField(default=0)
    # The rates it was accepted under, and what it has paid by them so far, in 1/10,000 credit.
    maker_fee_bp = models.SmallIntegerField(default=0, db_default=0)
    taker_fee_bp = models.SmallIntegerField(default=0, db_default=0)
    fees_paid = models.BigIntegerField(default=0, db_default=0)
    time_in_force = models.CharField(max_length=3, choices=TimeInForce.choices, default=TimeInForce.GTC)
    # Most orders are plain: the database fills these in, so that a large batch does not carry them.
    kind = models.CharField(max_length=6, choices=Kind.choices, default=Kind.LIMIT, db_default=Kind.LIMIT)
    post_only = models.BooleanField(default=False, db_default=False)
    self_trade = models.CharField(
        max_length=13,
        choices=SelfTrade.choices,
        default=SelfTrade.CANCEL_NEWEST,
        db_default=SelfTrade.CANCEL_NEWEST,
    )
    expires_at = models.DateTimeField(null=True)
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.WAITING)
    held = models.BigIntegerField(default=0)
    # Its place among orders of the same price, given when it enters the book.
    priority = models.BigIntegerField(null=True)
    client_order_id = models.CharField(max_length=80)
    # Why it was rejected or cancelled: a refusal's code.
    reason = models.CharField(max_length=40, blank=True)
    placed_at = models.DateTimeField()
    done_at = models.DateTimeField(null=True)

    objects: ClassVar[models.Manager[Order]] = OrderQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="order_client_id_once", fields=["wallet", "client_order_id"]),
            # Whatever holds of every order stands in this one function (migration 0014).
            models.CheckConstraint(
                name="order_is_sound",
                condition=models.Func(
                    *_SOUND_ORDER, function="market_order_is_sound", output_field=models.BooleanField()
                ),
            ),
        ]
        indexes = [
            # The part of the book that an arriving order can cross, in the order in which it is matched.
            models.Index(
                name="order_bids",
                fields=["instrument", "-limit_price", "priority"],
                condition=Q(status="OPEN", side="BUY"),
            ),
            models.Index(
                name="order_asks",
                fields=["instrument", "limit_price", "priority"],
                condition=Q(status="OPEN", side="SELL"),
            ),
            models.Index(name="order_waiting", fields=["instrument", "id"], condition=Q(status="WAITING")),
            models.Index(name="order_by_wallet", fields=["wallet", "id"]),
            models.Index(
                name="order_open_by_expiry", fields=["expires_at"], condition=Q(status="OPEN", expires_at__isnull=False)
            ),
            # What a wallet bids for counts towards its position limits.
            models.Index(name="order_open_by_wallet", fields=["wallet", "instrument"], condition=Q(status="OPEN")),
        ]

    def __str__(self) -> str:
        return f"order {self.pk}"

    @property
    def open_quantity(self) -> int:
        return self.quantity - self.filled_quantity


class CancelTimer(models.Model):
    """A dead man's switch: every order of the wallet is cancelled at `cancel_at`, unless it is put off before."""

    wallet = models.OneToOneField(Wallet, on_delete=models.CASCADE, primary_key=True, related_name="cancel_timer")
    cancel_at = models.DateTimeField(db_index=True)

    def __str__(self) -> str:
        return f"cancel timer of wallet {self.pk}"


class Trade(models.Model):
    """A fill made permanent, with the transfer that settled it. Never changed, never deleted."""

    transfer = models.OneToOneField(
        Transfer, on_delete=models.PROTECT, primary_key=True, related_name="trade", db_constraint=False
    )
    instrument = models.ForeignKey(
        Instrument, on_delete=models.PROTECT, related_name="trades", db_constraint=False, db_index=False
    )
    # Contiguous within the instrument, from 1.
    number = models.BigIntegerField()
    maker = models.ForeignKey(
        Order, on_delete=models.PROTECT, related_name="trades_as_maker", db_constraint=False, db_index=False
    )
    taker = models.ForeignKey(
        Order, on_delete=models.PROTECT, related_name="trades_as_taker", db_constraint=False, db_index=False
    )
    taker_side = models.CharField(max_length=4, choices=Order.Side.choices)
    price = models.BigIntegerField()
    quantity = models.BigIntegerField()
    maker_fee = models.BigIntegerField(default=0, db_default=0)
    taker_fee = models.BigIntegerField(default=0, db_default=0)
    traded_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="trade_number_once", fields=["instrument", "number"]),
            models.CheckConstraint(name="trade_moves_something", condition=Q(price__gt=0, quantity__gt=0)),
        ]
        indexes = [
            models.Index(name="trade_by_maker", fields=["maker"]),
            models.Index(name="trade_by_taker", fields=["taker"]),
        ]

    def __str__(self) -> str:
        return f"trade {self.pk}"


class Amendment(models.Model):
    """An order that lost its place for another price or more of it: it counts as an order does for whoever counts
    orders. Never changed, never deleted."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="amendments", db_constraint=False)
    wallet = models.ForeignKey(Wallet, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False)
    # What it asked for from then on, and what was filled of it before.
    limit_price = models.BigIntegerField()
    quantity = models.BigIntegerField()
    filled_quantity = models.BigIntegerField()
    amended_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(name="amendment_by_wallet", fields=["wallet", "-id"])]

    def __str__(self) -> str:
        return f"amendment {self.pk} of order {self.order_id}"


class MarketEvent(models.Model):
    """What one clearing or cancel changed: trades and changes of price levels, without names. Numbers have no gaps."""

    instrument = models.ForeignKey(
        Instrument, on_delete=models.PROTECT, related_name="events", db_constraint=False, db_index=False
    )
    number = models.BigIntegerField()
    payload = models.JSONField()
    recorded_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(name="market_event_number_once", fields=["instrument", "number"])]

    def __str__(self) -> str:
        return f"event {self.number} of {self.instrument_id}"


class InstrumentChange(models.Model):
    """Who or what changed an instrument's phase or rules, and why; of all instruments where none is named. Never
    changed, never deleted."""

    class Cause(models.TextChoices):
        OPENED = "OPENED", _("opened")
        HALTED = "HALTED", _("halted by an operator")
        RESUMED = "RESUMED", _("resumed by an operator")
        PHASE = "PHASE", _("phase set by an operator")
        RULES = "RULES", _("fees, bands or times set by an operator")
        BAND = "BAND", _("an order would have traded outside the band")
        UNCROSSED = "UNCROSSED", _("the auction ended")
        EXPIRED = "EXPIRED", _("the series expired")

    instrument = models.ForeignKey(Instrument, on_delete=models.PROTECT, null=True, related_name="changes")
    cause = models.CharField(max_length=10, choices=Cause.choices)
    phase = models.CharField(max_length=11, choices=Instrument.Phase.choices, blank=True)
    reason = models.CharField(max_length=200, blank=True)
    content = models.JSONField(default=dict)
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, blank=True, related_name="+"
    )
    changed_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(name="change_by_instrument", fields=["instrument", "-id"])]

    def __str__(self) -> str:
        return f"change {self.pk}"


# The tables of offerings and of prices are this app's too.
from market.offerings.models import Allocation, Offering  # noqa: E402, F401
from market.prices.models import (  # noqa: E402, F401
    Candle,
    Concentration,
    IndexPublication,
    PriceProgress,
    ReferencePrice,
    TradeFlag,
)
