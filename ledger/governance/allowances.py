"""A wallet lets another spend from it, up to an amount and until an instant (ERC-20's approve, with an end)."""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from ledger.clock import database_now
from ledger.door.idempotency import once
from ledger.errors import AllowanceExceeded, BadAmount
from ledger.models import Allowance, Entry, Transfer
from ledger.transfers import MAX_AMOUNT, move_between


@transaction.atomic(durable=True)
def give_allowance(
    *, wallet_id: int, spender_id: int, asset_id: int, amount: int, expires_at: datetime, now: datetime
) -> Allowance:
    """Let `spender` send up to `amount` of the asset from the wallet, in parts, until `expires_at` (exclusive)."""
    if isinstance(amount, bool) or not isinstance(amount, int) or not 0 < amount <= MAX_AMOUNT:
        raise BadAmount(_("The amount must be a whole number of units above zero."), field="amount")
    if wallet_id == spender_id:
        raise BadAmount(_("An allowance is for another wallet."), field="spender")
    if expires_at <= now:
        raise BadAmount(_("An allowance ends in the future."), field="expires_at")
    return Allowance.objects.create(
        wallet_id=wallet_id, spender_id=spender_id, asset_id=asset_id, amount=amount, expires_at=expires_at, made_at=now
    )


@transaction.atomic(durable=True)
def revoke_allowance(*, allowance_id: int, now: datetime) -> Allowance:
    """End it now; what was spent stays spent."""
    allowance = Allowance.objects.select_for_update().get(id=allowance_id)
    if allowance.revoked_at is None:
        allowance.revoked_at = now
        allowance.save(update_fields=["revoked_at"])
    return allowance


@transaction.atomic(durable=True)
def spend_allowance(*, allowance_id: int, to_wallet_id: int, amount: int, scope: str, key: str) -> Transfer:
    """Send part of what is allowed, by the spender's hand but the holder's policies. Raises AllowanceExceeded."""
    now = database_now()
    content = {"allowance": allowance_id, "to": to_wallet_id, "amount": amount}

    def spend() -> Transfer:
        allowance = Allowance.objects.select_for_update().get(id=allowance_id)
        if allowance.revoked_at is not None or allowance.expires_at <= now:
            raise AllowanceExceeded(_("This allowance is over."))
        if amount > allowance.amount - allowance.spent:
            raise AllowanceExceeded(_("More is asked for than this allowance has left."), field="amount")
        transfer = move_between(
            kind=Entry.TransferKind.SEND, asset_id=allowance.asset_id, from_wallet_id=allowance.wallet_id,
            to_wallet_id=to_wallet_id, amount=amount, now=now, reference=f"allowance:{allowance.public_id}",
        )  # fmt: skip
        allowance.spent += amount
        allowance.save(update_fields=["spent"])
        return transfer

    return once(scope=scope, key=key, content=content, now=now, make=spend)
