"""Putting a transfer right: by another one, with a reason, that names what it corrects. History stays as it was."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime

from django.utils.translation import gettext as _

from ledger.clock import assert_in_transaction
from ledger.errors import NotCorrectable
from ledger.models import Correction, Entry, Posting, Transfer
from ledger.transfers import Move, lock_accounts, post_transfer


def correct_transfer(
    *, transfer_id: int, reason: str, now: datetime, amounts: Mapping[int, int] | None = None
) -> Transfer:
    """Take a transfer back, wholly or by the `amounts` given for its accounts, each of the opposite sign.

    A transfer can be taken back once: corrections of it never sum to more than it moved. The log names the corrected
    entry by its leaf hash. Raises NotCorrectable, or NotEnough where the receiver has spent it.
    """
    assert_in_transaction()
    corrected = Transfer.objects.filter(id=transfer_id).first()
    if corrected is None or corrected.transfer_kind in {Entry.TransferKind.CORRECT, Entry.TransferKind.EXPIRE}:
        raise NotCorrectable(_("Only a transfer that is no correction and no expiry itself can be corrected."))
    if not reason.strip() or len(reason) > 300:
        raise NotCorrectable(_("A correction says why, in up to 300 characters."), field="reason")
    lock_accounts(list(_moved([transfer_id])))
    # Read under the locks, so that two corrections at once see each other.
    corrections = Correction.objects.filter(corrected_id=transfer_id).values_list("entry_id", flat=True)
    left = _moved([transfer_id, *corrections])
    takes = {account: -amount for account, amount in left.items()} if amounts is None else dict(amounts)
    takes = {account: amount for account, amount in takes.items() if amount}
    if not takes:
        raise NotCorrectable(_("There is nothing left of this transfer to correct."))
    if any(not _within(-amount, left.get(account, 0)) for account, amount in takes.items()):
        raise NotCorrectable(_("A correction takes back at most what the transfer moved."), field="amount")
    reference = f"corrects:{bytes(corrected.leaf_hash).hex()}"
    moves = [Move(account, amount) for account, amount in sorted(takes.items())]
    transfer = post_transfer(kind=Entry.TransferKind.CORRECT, moves=moves, now=now, reference=reference)
    Correction.objects.create(entry_id=transfer.id, corrected_id=transfer_id, reason=reason)
    return transfer


def _moved(transfer_ids: Iterable[int]) -> dict[int, int]:
    """Sums by account over these transfers."""
    sums: dict[int, int] = defaultdict(int)
    for account, amount in Posting.objects.filter(transfer_id__in=transfer_ids).values_list("account_id", "amount"):
        sums[account] += amount
    return sums


def _within(part: int, whole: int) -> bool:
    return 0 <= part <= whole or whole <= part <= 0
