"""What must be true before a process serves the ledger: the database is not older than what was signed."""

from ledger.models import Checkpoint, LogState
from ledger.proof.treehead import TreeHeadConflict, TreeHeadFile


def refuse_an_older_database(file: TreeHeadFile) -> None:
    """Raises TreeHeadConflict where the head outside Postgres knows more than the log, or other than it."""
    # The head first: a sealer at work may go on between the two looks, and then the log is ahead, never behind.
    outside = file.read()
    size = LogState.objects.values_list("size", flat=True).first() or 0
    if outside is None:
        if Checkpoint.objects.exists():
            raise TreeHeadConflict(f"{file.path} is missing, but the log is {size} long: see operations.")
        return
    if outside.size > size:
        raise TreeHeadConflict(
            f"{outside.size} entries were signed, but this database has only {size} of them: it was restored from an"
            " older backup, or its newest transactions were lost. See docs/operations.md, “Restore”."
        )
    known = Checkpoint.objects.filter(size=outside.size).values_list("root_hash", flat=True).first()
    if known is not None and bytes(known) != outside.root_hash:
        raise TreeHeadConflict(f"The log in this database has another root at {outside.size} than was signed.")
