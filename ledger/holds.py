"""Amounts set aside: placed, then captured or released, once (TigerBeetle's rules for two-phase transfers).

An order's row is its own hold; everything else that holds has a row here. `account.held` counts both.
"""

from collections.abc import Sequence
from datetime import datetime

from django.db import connection, transaction
from django.utils.translation import gettext as _

from ledger.clock import database_now
from ledger.errors import BadAmount, HoldAlreadyResolved, HoldExceeded, NotEnough
from ledger.models import Hold, Transfer
from ledger.policies import refusal_for
from ledger.transfers import MAX_AMOUNT, Move, lock_accounts, post_transfer

# Reads of (account id, amount held) by rows that are their own holds; the market adds its orders.
HELD_BY_OTHERS: list[str] = []


def register_held(query: str) -> None:
    """Tell the checkers of rows elsewhere that hold: a SELECT of account_id and a positive amount."""
    if query not in HELD_BY_OTHERS:
        HELD_BY_OTHERS.append(query)


def place_hold(
    *, account_id: int, amount: int, reference: str, now: datetime, expires_at: datetime | None = None
) -> Hold:
    """Set an amount aside. Raises NotEnough, or the Refusal of a policy that forbids giving it at all."""
    if isinstance(amount, bool) or not isinstance(amount, int) or not 0 < amount <= MAX_AMOUNT:
        raise BadAmount(_("The amount to hold must be a whole number of units above zero."), field="amount")
    account = lock_accounts([account_id])[account_id]
    # A hold is the holder's own act, whatever it is captured for later.
    refusal = refusal_for(kind="HOLD", asset=account.asset, wallet=account.wallet, gives=True, now=now)
    if refusal is not None:
        raise refusal
    if account.available < amount:
        raise NotEnough(_("The wallet has less available than this would hold."), field="amount")
    hold = Hold.objects.create(
        account_id=account_id, amount=amount, reference=reference, placed_at=now, expires_at=expires_at
    )
    change_held([account_id], [amount])
    return hold


def capture_hold(
    *, hold_id: int, amount: int, to_account_id: int, kind: str, reference: str, now: datetime
) -> Transfer | None:
    """Take `amount` of the hold to another account and give the rest back; nothing captured is a release.

    Raises HoldExceeded above the hold's amount and HoldAlreadyResolved the second time.
    """
    if isinstance(amount, bool) or not isinstance(amount, int) or amount < 0:
        raise BadAmount(_("The amount to capture must be a whole number of units."), field="amount")
    hold = _lock_open(hold_id)
    if amount > hold.amount:
        raise HoldExceeded(_("More is asked for than was held."), field="amount")
    _resolve(hold, Hold.Status.CAPTURED if amount else Hold.Status.RELEASED, captured=amount, now=now)
    # Falls of `held` go before postings: balance >= held is checked row by row.
    lock_accounts([hold.account_id, to_account_id])
    change_held([hold.account_id], [-hold.amount])
    if not amount:
        return None
    moves = [Move(hold.account_id, -amount), Move(to_account_id, amount)]
    return post_transfer(kind=kind, moves=moves, now=now, reference=reference)


def release_hold(*, hold_id: int, now: datetime) -> None:
    """Give all of it back."""
    hold = _lock_open(hold_id)
    _release(hold, Hold.Status.RELEASED, now)


@transaction.atomic(durable=True)
def expire_holds(*, limit: int = 500) -> int:
    """Release holds whose time is over by the database's clock; answers how many."""
    now = database_now()
    due = Hold.objects.select_for_update(skip_locked=True).filter(status=Hold.Status.OPEN, expires_at__lte=now)
    holds = list(due.order_by("account_id", "id")[:limit])
    for hold in holds:
        _release(hold, Hold.Status.EXPIRED, now)
    return len(holds)


def change_held(account_ids: Sequence[int], deltas: Sequence[int]) -> None:
    """Add to what accounts hold; the caller has locked them and keeps the row that says why."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_change_held(%s::bigint[], %s::bigint[])", [list(account_ids), list(deltas)])


def _lock_open(hold_id: int) -> Hold:
    hold = Hold.objects.select_for_update().get(id=hold_id)
    if hold.status != Hold.Status.OPEN:
        raise HoldAlreadyResolved(_("This hold is already %(status)s.") % {"status": hold.get_status_display()})
    return hold


def _release(hold: Hold, status: str, now: datetime) -> None:
    _resolve(hold, status, captured=0, now=now)
    lock_accounts([hold.account_id])
    change_held([hold.account_id], [-hold.amount])


def _resolve(hold: Hold, status: str, *, captured: int, now: datetime) -> None:
    # By database time never before it was placed, whatever the caller's clock says.
    hold.status, hold.captured_amount, hold.resolved_at = status, captured, max(now, hold.placed_at)
    hold.save(update_fields=["status", "captured_amount", "resolved_at"])
