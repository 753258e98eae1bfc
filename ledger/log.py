"""Writing entries to the log."""

from datetime import datetime

from ledger.clock import assert_in_transaction
from ledger.entries import leaf_hash
from ledger.models import Entry


def write_entry(
    *, kind: str, body: bytes, now: datetime, reference: str = "", transfer_kind: str | None = None
) -> Entry:
    """Add one entry; the sealer numbers it later."""
    assert_in_transaction()
    return Entry.objects.create(
        kind=kind,
        transfer_kind=transfer_kind,
        reference=reference,
        body=body,
        leaf_hash=leaf_hash(body),
        recorded_at=now,
    )
