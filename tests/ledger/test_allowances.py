"""Allowances and signed permits: somebody else spends, within what the holder said."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.db import DatabaseError, connection, transaction
from django.utils import timezone

from ledger.errors import AllowanceExceeded, BadAmount, IdempotencyConflict, PermitRefused, WalletFrozen
from ledger.governance.allowances import give_allowance, revoke_allowance, spend_allowance
from ledger.governance.permits import Permit, add_wallet_key, revoke_wallet_key, use_permit
from ledger.models import Account, Allowance, Entry, Wallet
from ledger.wallets import freeze_wallet
from tests.ledger.builders import given, some_series, some_wallet

pytestmark = pytest.mark.django_db(transaction=True)


def some_allowance(amount: int = 50, *, hours: float = 1) -> tuple[Allowance, Wallet]:
    """Ada, who has 100, lets Bob spend; and Eve, who gets it."""
    series, ada, bob = some_series(), some_wallet(), some_wallet("Bob")
    given(ada, series, 100)
    now = timezone.now()
    allowance = give_allowance(
        wallet_id=ada.id, spender_id=bob.id, asset_id=series.id, amount=amount, now=now,
        expires_at=now + timedelta(hours=hours),
    )  # fmt: skip
    return allowance, some_wallet("Eve")


def spent(allowance: Allowance, to: Wallet, amount: int, key: str = "one"):
    return spend_allowance(
        allowance_id=allowance.id, to_wallet_id=to.id, amount=amount, scope=f"spender:{allowance.spender_id}", key=key
    )


def has(wallet: Wallet) -> int:
    return Account.objects.get(wallet=wallet).balance


def test_an_allowance_is_spent_in_parts_and_no_further():
    allowance, eve = some_allowance(50)

    spent(allowance, eve, 20, "one")
    again = spent(allowance, eve, 20, "one")
    spent(allowance, eve, 30, "two")
    with pytest.raises(AllowanceExceeded):
        spent(allowance, eve, 1, "three")
    with pytest.raises(IdempotencyConflict):
        spent(allowance, eve, 21, "one")

    assert has(eve) == 50
    assert again.reference == f"allowance:{allowance.public_id}"


def test_an_allowance_ends_by_time_by_revoking_and_by_the_holders_policies():
    revoked, eve = some_allowance()
    revoke_allowance(allowance_id=revoked.id, now=timezone.now())
    with pytest.raises(AllowanceExceeded):
        spent(revoked, eve, 1)
    frozen, eve = some_allowance()
    freeze_wallet(wallet_id=frozen.wallet_id, reason="x", now=timezone.now())
    with pytest.raises(WalletFrozen):
        spent(frozen, eve, 1)
    with pytest.raises(BadAmount):
        some_allowance(hours=0)
    with pytest.raises(BadAmount):
        some_allowance(amount=0)

    assert not Account.objects.filter(wallet=eve, balance__gt=0).exists()


def test_the_database_keeps_an_allowance_as_it_was_given():
    allowance, eve = some_allowance(50)
    spent(allowance, eve, 10)

    for change in ({"amount": 1000}, {"spent": 0}, {"spent": 51}):
        with pytest.raises(DatabaseError), transaction.atomic():
            Allowance.objects.filter(id=allowance.id).update(**change)


def test_many_spenders_at_once_spend_what_is_allowed():
    allowance, eve = some_allowance(50)
    gate = threading.Barrier(12)

    def press(number: int) -> bool:
        gate.wait(20)
        try:
            spent(allowance, eve, 7, str(number))
        except AllowanceExceeded:
            return False
        finally:
            connection.close()
        return True

    with ThreadPoolExecutor(12) as threads:
        made = list(threads.map(press, range(12)))

    assert made.count(True) == 7
    assert has(eve) == 49


@pytest.fixture
def signed() -> tuple[Permit, Ed25519PrivateKey]:
    """A permit of Ada's for 25 of her 100 to Bob, and the key that her wallet knows."""
    series, ada, bob = some_series(), some_wallet(), some_wallet("Bob")
    given(ada, series, 100)
    key = Ed25519PrivateKey.generate()
    add_wallet_key(wallet_id=ada.id, public_key=key.public_key().public_bytes_raw(), now=timezone.now())
    permit = Permit(
        origin="test/log", wallet=ada.public_id, to_wallet=bob.public_id, asset_hash=bytes(series.definition_hash),
        amount=25, nonce=uuid.uuid4(), deadline=timezone.now() + timedelta(hours=1),
    )  # fmt: skip
    return permit, key


def used(permit: Permit, key: Ed25519PrivateKey, signed: Permit | None = None):
    return use_permit(permit, key.sign((signed or permit).text().encode()), origin="test/log")


def test_a_permit_moves_what_its_holder_signed_once(signed):
    permit, key = signed

    first, again = used(permit, key), used(permit, key)

    assert first.id == again.id
    assert first.reference == f"permit:{permit.nonce}"
    assert Account.objects.get(wallet__public_id=permit.to_wallet).balance == 25


@pytest.mark.parametrize(
    "change",
    [
        {"amount": 26}, {"to_wallet": uuid.uuid4()}, {"nonce": uuid.uuid4()}, {"origin": "other/log"},
        {"deadline": timezone.now() + timedelta(days=9)}, {"asset_hash": b"\0" * 32},
    ],
)  # fmt: skip
def test_a_permit_changed_after_it_was_signed_is_refused(signed, change):
    permit, key = signed
    with pytest.raises(PermitRefused):
        used(replace(permit, **change), key, signed=permit)

    assert not Entry.objects.filter(transfer_kind="SEND").exists()


def test_a_permit_of_a_foreign_or_revoked_key_or_after_its_deadline_is_refused(signed):
    permit, key = signed
    with pytest.raises(PermitRefused):
        used(permit, Ed25519PrivateKey.generate())
    with pytest.raises(PermitRefused):
        used(replace(permit, deadline=timezone.now() - timedelta(seconds=1)), key)
    revoke_wallet_key(key_id=Wallet.objects.get(public_id=permit.wallet).keys.get().id, now=timezone.now())
    with pytest.raises(PermitRefused):
        used(permit, key)


def test_a_nonce_counts_once_for_a_wallet(signed):
    permit, key = signed
    used(permit, key)
    with pytest.raises(IdempotencyConflict):
        used(replace(permit, amount=1), key)


def test_a_key_is_one_wallets_for_ever(signed):
    _, key = signed
    public = key.public_key().public_bytes_raw()
    with pytest.raises(PermitRefused):
        add_wallet_key(wallet_id=some_wallet("Eve").id, public_key=public, now=timezone.now())
    with pytest.raises(PermitRefused):
        add_wallet_key(wallet_id=some_wallet("Eve").id, public_key=b"short", now=timezone.now())
