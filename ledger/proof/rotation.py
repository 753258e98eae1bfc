"""Rotating the log's signing key: an entry of the log itself says from where on another key signs."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from ledger.entries import key_body
from ledger.log import write_entry
from ledger.models import Entry
from ledger.proof.keyhistory import key_json, key_named_by
from ledger.proof.notes import Signer, Verifier
from ledger.proof.numbering import lock_log

# The log's first key is nobody's to announce: the first KEY entry names the second.
FIRST_VERSION = 2


def waiting_key(signers: Sequence[Signer]) -> Verifier | None:
    """The first of these keys, behind the log's first, that no entry names yet."""
    named = {key_named_by(bytes(body)) for body in _key_entries().values_list("body", flat=True)}
    return next((signer.verifier for signer in signers[1:] if signer.verifier not in named), None)


@transaction.atomic(durable=True)
def rotate_key(signers: Sequence[Signer], *, now: datetime) -> Verifier | None:
    """Bring the waiting key into force with the checkpoint that ends with this entry; None when no key waits."""
    # One rotation at a time, and none while entries are being numbered.
    lock_log()
    verifier = waiting_key(signers)
    if verifier is None:
        return None
    said = key_json(verifier, version=_key_entries().count() + FIRST_VERSION)
    write_entry(kind=Entry.Kind.KEY, body=key_body(key=said, recorded_at=now), now=now, reference="log")
    return verifier


def _key_entries() -> QuerySet[Entry]:
    return Entry.objects.filter(kind=Entry.Kind.KEY).order_by("id")
