"""The log: entries, transfers with their postings, and the sealed tree over all of it."""

from __future__ import annotations

from typing import ClassVar

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy as _

from ledger.models.holders import Account


class Entry(models.Model):
    """One record of the ledger's log, with its bytes fixed when written. A transfer is an entry (see Transfer).

    The table has one column more than Django knows, `xid`: the transaction that wrote the row, which only the
    database may set (migration 0002).
    """

    class Kind(models.TextChoices):
        ASSET = "ASSET", _("asset defined")
        TRANSFER = "TRANSFER", _("transfer")
        HOLD = "HOLD", _("hold")
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
        FORCE = "FORCE", _("forced transfer")
        RECOVER = "RECOVER", _("recovery")

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
        # The few entries that say which key signs, found among millions.
        indexes = [models.Index(name="entry_of_key", fields=["id"], condition=Q(kind="KEY"))]

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
    and that the accounts exist, at a quarter of the cost. An account has one posting in a transfer, which is the key.
    """

    pk = models.CompositePrimaryKey("transfer_id", "account_id")
    transfer = models.ForeignKey(
        Transfer, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="postings"
    )
    account = models.ForeignKey(
        Account, on_delete=models.DO_NOTHING, db_constraint=False, db_index=False, related_name="postings"
    )
    amount = models.BigIntegerField()

    class Meta:
        constraints = [models.CheckConstraint(name="posting_moves_something", condition=~Q(amount=0))]
        indexes = [models.Index(name="posting_by_account", fields=["account", "transfer"])]

    def __str__(self) -> str:
        return f"posting {self.pk}"


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
    # Every entry up to this id is sealed that was visible in this snapshot (Postgres's text; empty: ask of each).
    sealed_to_id = models.BigIntegerField(default=0)
    snapshot = models.TextField(blank=True)
    # The newest checkpoint that the witnesses' quorum cosigned; 0 while there is none.
    published_size = models.BigIntegerField(default=0)
    # Transaction numbers start anew in a restored cluster; its identity says when.
    cluster = models.CharField(max_length=40, blank=True)

    class Meta:
        constraints = [models.CheckConstraint(name="log_state_is_one_row", condition=Q(id=1))]

    def __str__(self) -> str:
        return f"log of {self.size}"
