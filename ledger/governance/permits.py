"""Signed permits: a transfer that the holder authorised with a key of their own, carried out by whoever has it.

What is signed is text, so that a person can read it before signing (ERC-2612's permit; here a permit is for one
transfer to one receiver). A nonce counts once for a wallet: the same permit handed in again answers the same transfer.
"""

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from django.db import transaction
from django.utils.translation import gettext as _

from ledger.clock import database_now
from ledger.door.idempotency import once
from ledger.errors import PermitRefused
from ledger.governance.governing import utc_text
from ledger.models import Asset, Entry, Transfer, Wallet, WalletKey
from ledger.transfers import move_between


@dataclass(frozen=True)
class Permit:
    """One transfer, as its holder signs it. `deadline` is exclusive; `nonce` is the holder's choice."""

    origin: str
    wallet: UUID
    to_wallet: UUID
    asset_hash: bytes
    amount: int
    nonce: UUID
    deadline: datetime

    def text(self) -> str:
        """What is signed: eight lines."""
        return (
            f"hourglass-permit-v1\n{self.origin}\nfrom {self.wallet}\nto {self.to_wallet}\n"
            f"asset {self.asset_hash.hex()}\namount {self.amount}\nnonce {self.nonce}\n"
            f"deadline {utc_text(self.deadline)}\n"
        )


@transaction.atomic(durable=True)
def add_wallet_key(*, wallet_id: int, public_key: bytes, now: datetime) -> WalletKey:
    """From now on permits signed with this Ed25519 key (32 bytes) move what the wallet holds."""
    try:
        Ed25519PublicKey.from_public_bytes(public_key)
    except ValueError as error:
        raise PermitRefused(_("An Ed25519 public key has 32 bytes."), field="public_key") from error
    if WalletKey.objects.filter(public_key=public_key).exists():
        raise PermitRefused(_("This key is in use already, or was: make a new one."), field="public_key")
    return WalletKey.objects.create(wallet_id=wallet_id, public_key=public_key, added_at=now)


@transaction.atomic(durable=True)
def revoke_wallet_key(*, key_id: int, now: datetime) -> WalletKey:
    """Permits of this key that have not been handed in count for nothing any more."""
    key = WalletKey.objects.select_for_update().get(id=key_id)
    if key.revoked_at is None:
        key.revoked_at = now
        key.save(update_fields=["revoked_at"])
    return key


@transaction.atomic(durable=True)
def use_permit(permit: Permit, signature: bytes, *, origin: str) -> Transfer:
    """Carry out what the permit says. Raises PermitRefused where it does not hold, or a policy's refusal."""
    now = database_now()
    wallet = Wallet.objects.filter(public_id=permit.wallet).first()
    to_wallet = Wallet.objects.filter(public_id=permit.to_wallet).first()
    asset = Asset.objects.filter(definition_hash=permit.asset_hash).first()
    if permit.origin != origin or wallet is None or to_wallet is None or asset is None:
        raise PermitRefused(_("This permit is for another ledger, wallet or asset."))
    if not _is_signed(permit, signature, wallet):
        raise PermitRefused(_("No key of this wallet signed this permit."), field="signature")

    def carry_out() -> Transfer:
        if permit.deadline <= now:
            raise PermitRefused(_("This permit's deadline is over."), field="deadline")
        return move_between(
            kind=Entry.TransferKind.SEND, asset_id=asset.id, from_wallet_id=wallet.id, to_wallet_id=to_wallet.id,
            amount=permit.amount, now=now, reference=f"permit:{permit.nonce}",
        )  # fmt: skip

    content = {"permit": permit.text()}
    return once(scope=f"permit:{wallet.public_id}", key=str(permit.nonce), content=content, now=now, make=carry_out)


def _is_signed(permit: Permit, signature: bytes, wallet: Wallet) -> bool:
    # A key that is revoked at this very moment waits for us, or we for it.
    for key in WalletKey.objects.select_for_update().filter(wallet=wallet, revoked_at=None).order_by("id"):
        try:
            Ed25519PublicKey.from_public_bytes(bytes(key.public_key)).verify(signature, permit.text().encode())
        except InvalidSignature:
            continue
        return True
    return False
