"""The checker inside the database: its tables, the log in them and its signatures agree."""

from collections.abc import Iterator, Sequence

from django.db import connection, transaction

from ledger.proof.notes import Verifier
from ledger.proof.policyfile import Policy
from ledger.proof.treehead import TreeHead
from ledger.verifying.checking.faults import LedgerFault
from ledger.verifying.checking.sealed import LogCheck
from ledger.verifying.checking.tables import books_faults, repeated_faults, sums_faults

__all__ = ["LedgerFault", "ledger_faults"]


def ledger_faults(
    verifiers: Sequence[Verifier], policy: Policy | None = None, head: TreeHead | None = None
) -> Iterator[LedgerFault]:
    """Everything that is wrong, in the order it is found; nothing when all is well. `head` is that outside Postgres.

    Outside a transaction it looks at one snapshot, so that the site may go on while it reads.
    """
    if connection.in_atomic_block:
        yield from _faults(verifiers, policy, head)
        return
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY")
        yield from _faults(verifiers, policy, head)


def _faults(verifiers: Sequence[Verifier], policy: Policy | None, head: TreeHead | None) -> Iterator[LedgerFault]:
    log = LogCheck(verifiers, policy, head)
    yield from log.faults()
    yield from sums_faults()
    yield from repeated_faults()
    if log.replay is not None:
        yield from books_faults(log.replay)
