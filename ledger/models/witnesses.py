"""What witnesses outside said of the log's checkpoints, and how they are reached."""

from __future__ import annotations

from django.db import models

from ledger.models.log import Checkpoint


class Cosignature(models.Model):
    """A witness's signature over one checkpoint, checked before it is stored (C2SP tlog-cosignature)."""

    checkpoint = models.ForeignKey(Checkpoint, on_delete=models.PROTECT, related_name="cosignatures")
    # The witness's name in the policy file, and which of its keys signed.
    witness = models.CharField(max_length=200)
    key_id = models.CharField(max_length=8)
    # Seconds since 1970, as the witness signed them.
    timestamp = models.BigIntegerField()
    line = models.TextField()

    class Meta:
        constraints = [
            models.UniqueConstraint(name="cosignature_once", fields=["checkpoint", "witness", "key_id"]),
        ]

    def __str__(self) -> str:
        return f"cosignature {self.pk}"


class WitnessState(models.Model):
    """How far a witness of the policy file is, and what it last answered."""

    witness = models.CharField(max_length=200, primary_key=True)
    # How long the log is by what the witness said last: the next proof starts there.
    size = models.BigIntegerField(default=0)
    # Nobody else asks it before then: one question at a time, and fewer to a witness in trouble.
    ask_again_at = models.DateTimeField(null=True)
    answered_at = models.DateTimeField(null=True)
    # A stable word for what is wrong with it, and the detail; both empty when all is well.
    problem = models.CharField(max_length=30, blank=True)
    detail = models.CharField(max_length=300, blank=True)

    def __str__(self) -> str:
        return f"witness {self.witness}"
