from __future__ import annotations

import uuid
from typing import ClassVar

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

# Compute is counted in GPU-seconds and credits in ten-thousandths: integers only, a float never touches value.
SECONDS_PER_GPU_HOUR = 3600
UNITS_PER_CREDIT = 10_000


class Wallet(models.Model):
    """A holder in the ledger. The portal says who may act for it; the log knows it by `public_id` alone."""

    class Kind(models.TextChoices):
        PERSON = "PERSON", _("person")
        DEPARTMENT = "DEPARTMENT", _("department")
        INSTITUTE = "INSTITUTE", _("institute")
        COHORT = "COHORT", _("cohort")
        SYSTEM = "SYSTEM", _("system")

    class Role(models.TextChoices):
        """What a system wallet is for; there is one of each."""

        ISSUER = "ISSUER", _("issuer")
        REDEEMED = "REDEEMED", _("redeemed")
        EXPIRED = "EXPIRED", _("expired")
        FEES = "FEES", _("fees")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    kind = models.CharField(max_length=10, choices=Kind.choices)
    role = models.CharField(max_length=10, choices=Role.choices, null=True, unique=True)
    name = models.CharField(max_length=200, help_text=_("Shown on pages; never written to the log."))
    frozen_at = models.DateTimeField(null=True, blank=True)
    frozen_reason = models.CharField(max_length=200, blank=True)
    # Student allowances may be redeemed, not sold.
    may_sell = models.BooleanField(default=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="wallet_role_is_a_system_wallets",
                condition=Q(kind="SYSTEM", role__isnull=False) | (~Q(kind="SYSTEM") & Q(role__isnull=True)),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Asset(models.Model):
    """What an account holds: credits, or one compute series. Its definition is hashed, and the hash is its identity."""

    class Kind(models.TextChoices):
        CREDITS = "CREDITS", _("credits")
        POOL = "POOL", _("pool series")

    code = models.CharField(max_length=40, unique=True, help_text=_("Such as H100-2026Q4."))
    kind = models.CharField(max_length=10, choices=Kind.choices)
    # Canonical JSON and its SHA-256: the columns below only repeat it, so that the database can search.
    definition = models.BinaryField()
    definition_hash = models.BinaryField(unique=True, max_length=32)
    resource_class = models.CharField(max_length=40, blank=True, help_text=_("Such as h100-sxm-80gb."))
    gpu_type = models.CharField(max_length=20, blank=True)
    gpu_memory_gb = models.PositiveIntegerField(null=True)
    network_gbps = models.PositiveIntegerField(null=True)
    priority = models.CharField(max_length=20, blank=True)
    dense_bf16_tflops = models.PositiveIntegerField(null=True)
    starts_at = models.DateTimeField(null=True)
    expires_at = models.DateTimeField(null=True)
    paused_at = models.DateTimeField(null=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                name="asset_series_has_class_and_expiry",
                condition=Q(kind="CREDITS", expires_at__isnull=True)
                | Q(kind="POOL", expires_at__isnull=False, gpu_memory_gb__isnull=False, network_gbps__isnull=False)
                & ~Q(gpu_type=""),
            ),
        ]

    def __str__(self) -> str:
        return self.code


class Account(models.Model):
    """One wallet's balance of one asset, in the asset's smallest unit (GPU-seconds, or 1/10,000 credit).

    The application's role cannot write `balance` or `held`: postings and the hold functions of
    the ledger's migrations do. Its two keys are checked when it is opened, by a trigger: wallets and assets are never
    deleted, and a foreign key would be checked anew whenever a clearing changes an account twice.
    """

    wallet = models.ForeignKey(Wallet, on_delete=models.PROTECT, related_name="accounts", db_constraint=False)
    asset = models.ForeignKey(Asset, on_delete=models.PROTECT, related_name="accounts", db_constraint=False)
    balance = models.BigIntegerField(default=0)
    held = models.BigIntegerField(default=0)
    may_go_negative = models.BooleanField(default=False)  # true of the issuer's only

    class Meta:
        constraints = [
            models.UniqueConstraint(name="account_one_per_wallet_and_asset", fields=["wallet", "asset"]),
            models.CheckConstraint(name="account_held_not_negative", condition=Q(held__gte=0)),
            models.CheckConstraint(
                name="account_available_not_negative",
                condition=Q(may_go_negative=True) | Q(balance__gte=F("held")),
            ),
        ]

    def __str__(self) -> str:
        return f"account {self.pk}"

    @property
    def available(self) -> int:
        """Balance less holds."""
        return self.balance - self.held


class Entry(models.Model):
    """One record of the ledger's log, with its bytes fixed when written. A transfer is an entry (see Transfer).

    The table has one column more than Django knows, `xid`: the transaction that wrote the row, which only the
    database may set (migration 0002).
    """

    class Kind(models.TextChoices):
        ASSET = "ASSET", _("asset defined")
        TRANSFER = "TRANSFER", _("transfer")
        POLICY = "POLICY", _("policy changed")
        KEY = "KEY", _("key rotated")
        CAPACITY = "CAPACITY", _("capacity attested")

    class TransferKind(models.TextChoices):
        ISSUE = "ISSUE", _("issue")
        GRANT = "GRANT", _("grant")
        SEND = "SEND", _("send")
        TRADE = "TRADE", _("trade")
        REDEEM = "REDEEM", _("redeem")
        EXPIRE = "EXPIRE", _("expire")
        CORRECT = "CORRECT", _("correction")

    kind = models.CharField(max_length=10, choices=Kind.choices)
    transfer_kind = models.CharField(max_length=10, choices=TransferKind.choices, null=True)
    # What the entry is about, in opaque words: "trade:<uuid>", "redemption:<uuid>".
    reference = models.CharField(max_length=80, blank=True)
    body = models.BinaryField()
    leaf_hash = models.BinaryField(max_length=32)
    recorded_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "entries"
        constraints = [
            models.CheckConstraint(
                name="entry_transfer_kind_is_a_transfers",
                condition=Q(kind="TRANSFER", transfer_kind__isnull=False)
                | (~Q(kind="TRANSFER") & Q(transfer_kind__isnull=True)),
            ),
        ]

    def __str__(self) -> str:
        return f"entry {self.pk}"


class TransferManager(models.Manager["Transfer"]):
    def get_queryset(self) -> models.QuerySet[Transfer]:
        return super().get_queryset().filter(kind=Entry.Kind.TRANSFER)


class Transfer(Entry):
    """One movement of value: an entry with postings that sum to zero in each asset."""

    objects: ClassVar[TransferManager] = TransferManager()

    class Meta:
        proxy = True


class Posting(models.Model):
    """One account's side of a transfer: positive adds, negative takes away.

    No foreign keys in the database: the posting trigger checks that the transfer was made in this very transaction
    and that the accounts exist, at a quarter of the cost.
    """

    transfer = models.ForeignKey(
        Transfer, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="postings"
    )
    account = models.ForeignKey(
        Account, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="postings"
    )
    amount = models.BigIntegerField()

    class Meta:
        constraints = [models.CheckConstraint(name="posting_moves_something", condition=~Q(amount=0))]
        indexes = [
            models.Index(name="posting_by_transfer", fields=["transfer", "account"]),
            models.Index(name="posting_by_account", fields=["account", "transfer"]),
        ]

    def __str__(self) -> str:
        return f"posting {self.pk}"


class Hold(models.Model):
    """An amount set aside: placed, then captured, released or expired, once. An order's row is its own hold instead."""

    class Status(models.TextChoices):
        OPEN = "OPEN", _("open")
        CAPTURED = "CAPTURED", _("captured")
        RELEASED = "RELEASED", _("released")
        EXPIRED = "EXPIRED", _("expired")

    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    account = models.ForeignKey(Account, on_delete=models.PROTECT, related_name="holds")
    amount = models.BigIntegerField()
    captured_amount = models.BigIntegerField(default=0)
    # What it is for, in words a person reads: "redemption:<uuid>".
    reference = models.CharField(max_length=80)
    status = models.CharField(max_length=10, choices=Status.choices, default=Status.OPEN)
    placed_at = models.DateTimeField()
    expires_at = models.DateTimeField(null=True)
    resolved_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(name="hold_amount_positive", condition=Q(amount__gt=0)),
            models.CheckConstraint(
                name="hold_captures_within_amount",
                condition=Q(captured_amount__gte=0) & Q(captured_amount__lte=F("amount")),
            ),
            models.CheckConstraint(
                name="hold_captured_only_when_captured",
                condition=Q(captured_amount=0) | Q(status="CAPTURED"),
            ),
        ]
        indexes = [
            models.Index(name="hold_open_by_account", fields=["account", "id"], condition=Q(status="OPEN")),
            models.Index(name="hold_open_by_expiry", fields=["expires_at"], condition=Q(status="OPEN")),
            models.Index(name="hold_by_reference", fields=["reference"]),
        ]

    def __str__(self) -> str:
        return f"hold {self.pk}"


class IdempotencyKey(models.Model):
    """A caller's key for one request: the same key and content answer the same for as long as the ledger lasts."""

    scope = models.CharField(max_length=80)
    key = models.CharField(max_length=120)
    content = models.JSONField()
    entry = models.ForeignKey(Entry, on_delete=models.PROTECT, null=True)
    created_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(name="idempotency_key_once", fields=["scope", "key"])]

    def __str__(self) -> str:
        return self.key


class Leaf(models.Model):
    """An entry's place in the sealed log. Numbers have no gaps; they start at 0."""

    index = models.BigIntegerField(primary_key=True)
    entry = models.OneToOneField(Entry, on_delete=models.PROTECT, related_name="leaf")

    def __str__(self) -> str:
        return f"leaf {self.index}"


class Tile(models.Model):
    """Up to 256 hashes of one level of the RFC 6962 tree, as C2SP tlog-tiles lays them out."""

    WIDTH = 256

    level = models.PositiveSmallIntegerField()
    index = models.BigIntegerField()
    hashes = models.BinaryField()

    class Meta:
        constraints = [models.UniqueConstraint(name="tile_place", fields=["level", "index"])]

    def __str__(self) -> str:
        return f"tile {self.level}/{self.index}"


class Checkpoint(models.Model):
    """A signed statement of how long the log is and of its root hash (C2SP tlog-checkpoint)."""

    size = models.BigIntegerField(primary_key=True)
    root_hash = models.BinaryField(max_length=32)
    note = models.TextField()
    signed_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"checkpoint {self.size}"


class LogState(models.Model):
    """Where the sealer stands: one row, locked while sealing."""

    id = models.SmallIntegerField(primary_key=True, default=1)
    size = models.BigIntegerField(default=0)
    # Entries of transactions before this one are sealed: transactions end out of order, ids cannot say that.
    sealed_before_xid = models.BigIntegerField(default=0)
    # Transaction numbers start anew in a restored cluster; its identity says when.
    cluster = models.CharField(max_length=40, blank=True)

    class Meta:
        constraints = [models.CheckConstraint(name="log_state_is_one_row", condition=Q(id=1))]

    def __str__(self) -> str:
        return f"log of {self.size}"
