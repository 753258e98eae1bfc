"""Idempotency: one key has one effect, whoever asks, however often, and at the same moment."""

import pytest
from django.db import transaction

from ledger.door.posting import post_batch
from ledger.models import Asset, Wallet
from tests.ledger.builders import given, some_series, some_wallet, the_credits
from tests.ledger.rows import outcomes, send, two
from tests.ledger.test_transfers import balances, in_parallel

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_key_twice_in_one_batch_has_one_effect_and_other_content_is_named():
    ada, bob = two()
    row = send(ada, bob, 10, "a")

    answers = post_batch([row, row, send(ada, bob, 11, "a"), send(ada, bob, 10, "a", kind="GRANT"), send(ada, bob, 1)])

    assert [answer.status for answer in answers] == ["CREATED", "EXISTS", "CONFLICT", "CONFLICT", "CREATED"]
    assert [answer.field for answer in answers] == [None, None, "amount", "kind", None]
    assert answers[0].entry_id == answers[1].entry_id
    assert balances(ada) == [(89, 0)]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "GRANT", "amount": 1}, "kind"),
        ({"asset_id": "credits", "amount": 1}, "asset"),
        ({"from_wallet_id": "bob", "to_wallet_id": "ada", "amount": 1}, "from_wallet"),
        ({"to_wallet_id": "cyn", "amount": 1}, "to_wallet"),
        ({"amount": 11, "reference": "other"}, "amount"),
        ({"reference": "other"}, "reference"),
    ],
)
def test_the_first_field_that_differs_is_named(change, field):
    ada, bob = two()
    ids = {"ada": ada.wallet_id, "bob": bob.wallet_id, "cyn": some_wallet("Cyn").id, "credits": the_credits().id}
    post_batch([send(ada, bob, 10, "a")])

    asked = {"amount": 10} | {name: ids.get(value, value) for name, value in change.items()}
    answer = post_batch([send(ada, bob, asked.pop("amount"), "a", **asked)])[0]

    assert (answer.status, answer.code, answer.field) == ("CONFLICT", "idempotency_conflict", field)


def test_keys_of_different_scopes_never_meet():
    ada, bob = two()

    answers = post_batch([send(ada, bob, 1, "a", scope=scope) for scope in ("one", "two", "one")])

    assert outcomes(answers) == ["CREATED", "CREATED", "EXISTS"]


def test_a_refused_keys_request_may_be_tried_again():
    ada, bob = two()
    assert outcomes(post_batch([send(ada, bob, 1000, "a")])) == ["not_enough"]
    given(Wallet.objects.get(id=ada.wallet_id), Asset.objects.get(id=ada.asset_id), 1000)

    assert outcomes(post_batch([send(ada, bob, 1000, "a")])) == ["CREATED"]


def test_ten_batches_at_once_with_the_same_keys_have_one_effect():
    ada, bob = two()
    rows = [send(ada, bob, 3, f"k{n}") for n in range(8)]

    results = in_parallel(10, lambda _: post_batch(rows))

    ids = {tuple(answer.entry_id for answer in answers) for answers in results}
    assert len(ids) == 1
    assert balances(ada) == [(76, 0)]


def test_ten_callers_at_once_with_one_key_for_ten_different_requests_have_one_effect():
    """They lock different accounts, so only the key itself brings them together: who loses is told what differs."""
    series = some_series()
    givers = [given(some_wallet(f"G{n}"), series, 10) for n in range(10)]
    target = given(some_wallet("Target"), series, 1)

    results = in_parallel(10, lambda n: post_batch([send(givers[n], target, 5, "one")])[0])

    assert sorted(answer.status for answer in results) == ["CONFLICT"] * 9 + ["CREATED"]
    assert {answer.field for answer in results} == {None, "from_wallet"}
    assert balances(target) == [(6, 0)]


def test_steps_of_two_actions_with_one_key_have_one_effect():
    from ledger.transfers import grant_step

    ada, bob = two()

    @transaction.atomic
    def give() -> int:
        return grant_step(
            asset_id=ada.asset_id, from_wallet_id=ada.wallet_id, to_wallet_id=bob.wallet_id, amount=3,
            scope="test", key="step",
        ).id  # fmt: skip

    results = in_parallel(10, lambda _: give())

    assert len(set(results)) == 1
    assert balances(ada) == [(97, 0)]
