"""Amounts set aside: placed, then captured or released, once (TigerBeetle's rules for two-phase transfers).

An order's row is its own hold; everything else that holds has a row here. `account.held` counts both.
"""

# ruff: noqa: ARG001 - `now` is taken and not asked: the instant is the database's, once everything is locked

from collections.abc import Sequence
from datetime import datetime

from django.db import connection
from django.db.models import DateTimeField, Func

from ledger.door.posting import post_batch, post_step
from ledger.door.requests import Answer, NewCapture, NewHold, NewRelease
from ledger.door.sentences import refusal_of
from ledger.models import Account, Hold, Transfer
from ledger.transfers import transfer_of

# Reads of (account id, amount held) by rows that are their own holds; the market adds its orders.
HELD_BY_OTHERS: list[str] = []


def register_held(query: str) -> None:
    """Tell the checkers of rows elsewhere that hold: a SELECT of account_id and a positive amount."""
    if query not in HELD_BY_OTHERS:
        HELD_BY_OTHERS.append(query)


def place_hold(
    *,
    account_id: int,
    amount: int,
    reference: str,
    expires_at: datetime | None = None,
    now: datetime | None = None,
) -> Hold:
    """Set an amount aside, inside another action. Raises NotEnough, or the Refusal of a policy that forbids it."""
    wallet_id, asset_id = Account.objects.values_list("wallet_id", "asset_id").get(id=account_id)
    row = NewHold(asset_id=asset_id, wallet_id=wallet_id, amount=amount, reference=reference, expires_at=expires_at)
    return hold_of(post_step([row])[0])


def capture_hold(
    *,
    hold_id: int,
    amount: int,
    to_account_id: int,
    kind: str,
    reference: str,
    now: datetime | None = None,
) -> Transfer | None:
    """Take `amount` of the hold to another account and give the rest back; nothing captured is a release.

    Raises HoldExceeded above the hold's amount and a HoldAlreadyResolved the second time.
    """
    row = NewCapture(hold=hold_id, amount=amount, to_account_id=to_account_id, kind=kind, reference=reference)
    answer = post_step([row])[0]
    if answer.is_done and not amount:
        return None
    return transfer_of(answer)


def release_hold(*, hold_id: int, now: datetime | None = None) -> None:
    """Give all of it back."""
    refusal = refusal_of(post_step([NewRelease(hold=hold_id)])[0])
    if refusal is not None:
        raise refusal


def expire_holds(*, limit: int = 500) -> int:
    """Release holds whose time is over by the database's clock; answers how many."""
    due = Hold.objects.filter(
        status=Hold.Status.OPEN, expires_at__lte=Func(function="ledger_clock", output_field=DateTimeField())
    )
    ids = list(due.order_by("expires_at", "id").values_list("id", flat=True)[:limit])
    # One that is resolved in between is refused, and spoils nothing.
    answers = post_batch([NewRelease(hold=id_, expires=True) for id_ in ids]) if ids else []
    return sum(answer.is_done for answer in answers)


def hold_of(answer: Answer) -> Hold:
    """The hold that was placed, now or when the key was first used; raises the refusal otherwise."""
    refusal = refusal_of(answer)
    if refusal is not None:
        raise refusal
    made = answer.hold
    if made is None:
        assert answer.known_hold_id is not None
        return Hold.objects.get(id=answer.known_hold_id)
    assert made.placed is not None
    hold = Hold(
        id=made.id,
        public_id=made.name,
        account_id=made.account_id,
        to_account_id=made.to_account_id,
        amount=made.amount,
        reference=made.reference,
        status=made.status,
        expires_at=made.expires_at,
        placed_at=made.placed.recorded_at,
        placed_entry=made.placed.id,
    )
    hold._state.adding, hold._state.db = False, "default"
    return hold


def change_held(account_ids: Sequence[int], deltas: Sequence[int]) -> None:
    """Add to what accounts hold; the caller has locked them and keeps the row that says why."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT ledger_change_held(%s::bigint[], %s::bigint[])", [list(account_ids), list(deltas)])
