"""The door's refusals in words: a stable code becomes the Refusal that says it to a person."""

from collections.abc import Callable

from django.utils.translation import gettext as _

from ledger.door.requests import CONFLICT, REFUSED, Answer
from ledger.errors import (
    BadAmount,
    ChainFailed,
    HoldAlreadyCaptured,
    HoldAlreadyReleased,
    HoldAlreadyResolved,
    HoldExceeded,
    HoldExpired,
    HoldUnknown,
    IdempotencyConflict,
    NotDeliverable,
    NotEnough,
    Refusal,
    Unknown,
)
from ledger.governance.policies import policy_refusal
from ledger.models import Asset

_SENTENCES: dict[str, Callable[[Answer], Refusal]] = {
    "bad_amount": lambda a: BadAmount(_("The amount must be a whole number of units above zero."), field=a.field),
    "bad_key": lambda a: BadAmount(_("An idempotency key is 1 to 120 printable characters."), field=a.field),
    "bad_reference": lambda a: BadAmount(_("A reference is up to 80 printable characters."), field=a.field),
    "same_wallet": lambda a: BadAmount(_("A transfer needs two different wallets."), field=a.field),
    "overflow": lambda a: BadAmount(_("An account cannot hold that much."), field=a.field),
    "no_receiver": lambda a: BadAmount(_("Nobody is named to receive what is captured."), field=a.field),
    "not_enough": lambda a: NotEnough(_("The wallet has less available than this would take."), field=a.field),
    "not_deliverable": lambda a: NotDeliverable(
        _("The attested capacity cannot deliver that before %(code)s expires.") % {"code": a.about}, field=a.field
    ),
    "wallet_unknown": lambda a: Unknown(_("There is no such wallet."), field=a.field),
    "asset_unknown": lambda a: Unknown(_("There is no such asset."), field=a.field),
    "hold_unknown": lambda a: HoldUnknown(_("There is no such hold."), field=a.field),
    "hold_known": lambda a: HoldAlreadyResolved(_("There is a hold of this name already."), field=a.field),
    "hold_not_due": lambda a: HoldAlreadyResolved(_("This hold's time is not over."), field=a.field),
    "hold_exceeded": lambda a: HoldExceeded(_("More is asked for than was held."), field=a.field),
    "hold_already_captured": lambda a: HoldAlreadyCaptured(_("This hold is already captured."), field=a.field),
    "hold_already_released": lambda a: HoldAlreadyReleased(_("This hold is already released."), field=a.field),
    "hold_expired": lambda a: HoldExpired(_("This hold has expired."), field=a.field),
    "chain_failed": lambda a: ChainFailed(_("Another request of the same chain was refused."), field=a.field),
    "idempotency_conflict": lambda a: IdempotencyConflict(
        _("This key was used before with another %(field)s.") % {"field": a.field}, field=a.field
    ),
}


def refusal_of(answer: Answer) -> Refusal | None:
    """The refusal to raise or show; None for what was done."""
    if answer.status not in {CONFLICT, REFUSED}:
        return None
    sentence = _SENTENCES.get(answer.code)
    if sentence is None:
        return policy_refusal(answer.code, Asset(code=answer.about))
    refusal = sentence(answer)
    if answer.code not in {"same_wallet", "bad_key"}:
        refusal.code = answer.code
    return refusal
