"""A correction is a new transfer with a reason; it names what it corrects and takes back no more than that moved."""

import pytest
from django.db import DatabaseError, transaction
from django.utils import timezone

from ledger.errors import NotCorrectable, NotEnough
from ledger.governance.corrections import correct_transfer
from ledger.models import Account, Approval, Correction, Entry, Posting, Transfer
from ledger.transfers import send
from tests.ledger.builders import approved, given, some_series, some_wallet

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sent() -> tuple[Transfer, Account, Account]:
    """Ada sent Bob 40 of her 100."""
    series, ada, bob = some_series(), some_wallet(), some_wallet("Bob")
    mine = given(ada, series, 100)
    transfer = send(
        asset_id=series.id, from_wallet_id=ada.id, to_wallet_id=bob.id, amount=40, scope="test", key="wrong"
    )
    return transfer, mine, Account.objects.get(wallet=bob, asset=series)


def corrected(transfer_id: int, reason: str = "sent to the wrong Bob", **fields) -> Transfer:
    with transaction.atomic():
        return correct_transfer(transfer_id=transfer_id, reason=reason, now=timezone.now(), **fields)


def balance(account: Account) -> int:
    return Account.objects.get(id=account.id).balance


def test_a_transfer_is_taken_back_by_another_that_names_it(sent):
    transfer, ada, bob = sent

    correction = corrected(transfer.id)

    assert (balance(ada), balance(bob)) == (100, 0)
    assert correction.reference == f"corrects:{bytes(transfer.leaf_hash).hex()}"
    assert Correction.objects.get().reason == "sent to the wrong Bob"
    assert Posting.objects.filter(transfer_id=transfer.id).count() == 2


def test_it_is_taken_back_once_in_parts_or_whole(sent):
    transfer, ada, bob = sent

    corrected(transfer.id, amounts={ada.id: 15, bob.id: -15})
    with pytest.raises(NotCorrectable):
        corrected(transfer.id, amounts={ada.id: 26, bob.id: -26})
    corrected(transfer.id)
    with pytest.raises(NotCorrectable):
        corrected(transfer.id)

    assert (balance(ada), balance(bob)) == (100, 0)


def test_what_the_receiver_has_spent_cannot_be_taken_back(sent):
    transfer, ada, bob = sent
    send(
        asset_id=bob.asset_id, from_wallet_id=bob.wallet_id, to_wallet_id=some_wallet("Eve").id, amount=1,
        scope="test", key="spent",
    )  # fmt: skip

    with pytest.raises(NotEnough):
        corrected(transfer.id)
    assert (balance(ada), balance(bob)) == (60, 39)
    assert not Correction.objects.exists()


def test_a_correction_says_why_and_is_not_itself_corrected(sent):
    transfer, _, _ = sent

    with pytest.raises(NotCorrectable):
        corrected(transfer.id, reason="  ")
    with pytest.raises(NotCorrectable):
        corrected(transfer.id, amounts={sent[1].id: -1, sent[2].id: 1})
    correction = corrected(transfer.id)
    with pytest.raises(NotCorrectable):
        corrected(correction.id)
    with pytest.raises(NotCorrectable):
        corrected(Entry.objects.filter(kind="ASSET").latest("id").id)
    with pytest.raises(DatabaseError), transaction.atomic():
        Correction.objects.update(reason="other")


def test_two_persons_correct(sent):
    transfer, ada, bob = sent

    done = approved(Approval.Kind.CORRECT, {"transfer": transfer.id, "of": bob.wallet_id}, reason="wrong Bob")

    assert (balance(ada), balance(bob)) == (100, 0)
    assert done.entry_id == Correction.objects.get().entry_id
