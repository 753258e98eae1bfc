"""What is kept of prices. Prices are in ticks, quantities in lots, their products in 1/10,000 credit."""

from __future__ import annotations

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _


class PriceProgress(models.Model):
    """How far an instrument's trades, by number, are folded into candles and looked through for what is suspicious.

    Its row's lock is the queue of everything that changes the instrument's candles and flags.
    """

    instrument = models.OneToOneField(
        "market.Instrument", on_delete=models.PROTECT, primary_key=True, related_name="price_progress"
    )
    folded_trade = models.BigIntegerField(default=0)
    scanned_trade = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"prices of {self.pk} up to trade {self.folded_trade}"


class Candle(models.Model):
    """One interval's trades; one without a trade has no row.

    Open, high, low, close, volume and the number of trades say what happened, flagged trades included. The clean
    volume and value leave flagged trades out: their quotient is the volume-weighted average price.
    """

    instrument = models.ForeignKey(
        "market.Instrument", on_delete=models.PROTECT, related_name="candles", db_constraint=False, db_index=False
    )
    seconds = models.PositiveIntegerField()
    starts_at = models.DateTimeField()
    open = models.BigIntegerField()
    high = models.BigIntegerField()
    low = models.BigIntegerField()
    close = models.BigIntegerField()
    volume = models.BigIntegerField()
    trades = models.BigIntegerField()
    excluded = models.BigIntegerField(default=0)
    clean_volume = models.BigIntegerField()
    # A day's sum of price x quantity may pass 64 bits; it is still an integer.
    clean_value = models.DecimalField(max_digits=38, decimal_places=0)
    first_trade = models.BigIntegerField()
    last_trade = models.BigIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="candle_once", fields=["instrument", "seconds", "starts_at"]),
            models.CheckConstraint(
                name="candle_counts_what_is_excluded",
                condition=Q(excluded__gte=0, excluded__lte=models.F("trades"), clean_volume__gte=0, clean_value__gte=0)
                & Q(clean_volume__lte=models.F("volume")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.seconds} s from {self.starts_at} of {self.instrument_id}"


class TradeFlag(models.Model):
    """A trade that looks as if it was made for the tape. It stays out of prices until a person clears it."""

    class Kind(models.TextChoices):
        SAME_OWNER = "SAME_OWNER", _("one owner on both sides")
        ROUND_TRIP = "ROUND_TRIP", _("there and back")
        CIRCLE = "CIRCLE", _("circle")

    class Status(models.TextChoices):
        OPEN = "OPEN", _("to be looked at")
        CONFIRMED = "CONFIRMED", _("confirmed")
        CLEARED = "CLEARED", _("cleared")

    trade = models.ForeignKey("market.Trade", on_delete=models.PROTECT, related_name="flags", db_constraint=False)
    instrument = models.ForeignKey("market.Instrument", on_delete=models.PROTECT, related_name="flags", db_index=False)
    number = models.BigIntegerField(help_text=_("The trade's number within its instrument."))
    kind = models.CharField(max_length=10, choices=Kind.choices)
    # The trade that made the pattern whole: what was found with it is decided with it.
    closing_trade = models.BigIntegerField()
    # Why, in figures (`market.prices.flags.why` says it in a sentence), and by which version of the rules.
    facts = models.JSONField()
    method = models.PositiveIntegerField()
    found_at = models.DateTimeField()
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.OPEN)
    decided_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    reason = models.CharField(max_length=500, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(name="trade_flag_once", fields=["instrument", "number", "kind", "closing_trade"]),
            models.CheckConstraint(
                name="trade_flag_is_decided_by_somebody_with_a_reason",
                condition=Q(status="OPEN", decided_by__isnull=True, decided_at__isnull=True)
                | (~Q(status="OPEN") & Q(decided_by__isnull=False, decided_at__isnull=False) & ~Q(reason="")),
            ),
        ]
        indexes = [models.Index(name="trade_flag_open", fields=["id"], condition=Q(status="OPEN"))]

    def __str__(self) -> str:
        return f"flag {self.pk}"


class ReferencePrice(models.Model):
    """A reference price as it was computed, with everything it was computed from. Never changed."""

    class Basis(models.TextChoices):
        TRADES = "TRADES", _("trades of the window")
        LAST = "LAST", _("the last valid reference price")
        ISSUE = "ISSUE", _("the price it was issued at")

    instrument = models.ForeignKey(
        "market.Instrument", on_delete=models.PROTECT, related_name="reference_prices", db_index=False
    )
    at = models.DateTimeField()
    method = models.PositiveIntegerField()
    basis = models.CharField(max_length=6, choices=Basis.choices)
    price = models.BigIntegerField()
    window_from = models.DateTimeField()
    window_to = models.DateTimeField()
    trades = models.BigIntegerField()
    excluded = models.BigIntegerField()
    volume = models.BigIntegerField()
    last_trade = models.BigIntegerField(help_text=_("No trade with a higher number was known."))

    class Meta:
        indexes = [models.Index(name="reference_price_newest", fields=["instrument", "-at"])]
        constraints = [models.CheckConstraint(name="reference_price_is_one", condition=Q(price__gt=0))]

    def __str__(self) -> str:
        return f"reference price of {self.instrument_id} at {self.at}"


class IndexPublication(models.Model):
    """One day of the index as it was published, signed. A final one never changes; the running day's is replaced."""

    day = models.DateField(unique=True)
    final = models.BooleanField()
    method = models.PositiveIntegerField()
    # The day's own bytes in each format, and the signed note over both files from the first day to this one.
    json_line = models.TextField()
    csv_lines = models.TextField()
    note = models.TextField()
    published_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"index of {self.day}"


class Concentration(models.Model):
    """How a series is held, by beneficial owner, on one day. No names and no wallets: figures of all of them."""

    asset = models.ForeignKey("ledger.Asset", on_delete=models.PROTECT, related_name="concentrations", db_index=False)
    day = models.DateField()
    computed_at = models.DateTimeField()
    owners = models.BigIntegerField()
    held = models.BigIntegerField(help_text=_("GPU-seconds."))
    # The first from 0 to 10,000, the others in hundredths of a percent.
    hhi = models.PositiveIntegerField()
    gini = models.PositiveIntegerField()
    top_five = models.PositiveIntegerField()
    idle = models.BigIntegerField(help_text=_("GPU-seconds that did not move for so many days."))
    idle_days = models.PositiveIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(name="concentration_once_a_day", fields=["asset", "day"])]

    def __str__(self) -> str:
        return f"concentration of {self.asset_id} on {self.day}"
