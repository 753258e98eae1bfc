"""Whole requests at the ledger's door: rows that stand alone, chains, keys, and each refusal's own code."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import psycopg
import pytest
from django.db import OperationalError, transaction
from django.utils import timezone

from ledger.door.posting import post_batch
from ledger.door.requests import NewCapture, NewRelease, NewTransfer
from ledger.models import Account, Entry, Hold, IdempotencyKey, Posting, Wallet
from ledger.questions import Questions
from ledger.wallets import freeze_wallet
from tests.clock import clock_ahead
from tests.ledger.builders import given, some_series, some_wallet, the_credits
from tests.ledger.rows import hold, outcomes, send, two
from tests.ledger.test_transfers import balances, in_parallel

pytestmark = pytest.mark.django_db(transaction=True)


def test_rows_stand_alone_and_a_refused_one_spoils_nobody_elses():
    ada, bob = two()

    answers = post_batch([send(ada, bob, 60, "a"), send(ada, bob, 60, "b"), send(ada, bob, 40, "c")])

    assert outcomes(answers) == ["CREATED", "not_enough", "CREATED"]
    assert balances(ada, bob) == [(0, 0), (101, 0)]
    assert IdempotencyKey.objects.filter(key="b").count() == 0


def test_what_one_row_receives_the_next_may_spend():
    ada, bob = two()

    answers = post_batch([send(bob, ada, 2), send(ada, bob, 100), send(bob, ada, 101)])

    assert outcomes(answers) == ["not_enough", "CREATED", "CREATED"]
    assert balances(ada, bob) == [(101, 0), (0, 0)]


def test_a_chain_stands_or_falls_together():
    ada, bob = two()

    answers = post_batch(
        [
            send(ada, bob, 10, "a", chain=1), send(ada, bob, 1000, "b", chain=1), send(ada, bob, 10, "c", chain=1),
            send(ada, bob, 20, "d", chain=2), hold(ada, 80, "e", chain=2), send(ada, bob, 1, "f"),
        ]
    )  # fmt: skip

    assert outcomes(answers) == ["chain_failed", "not_enough", "chain_failed", "CREATED", "CREATED", "not_enough"]
    assert balances(ada, bob) == [(80, 80), (21, 0)]
    assert set(IdempotencyKey.objects.filter(scope="test", key__in="abcdef").values_list("key", flat=True)) == {
        "d",
        "e",
    }


def test_a_chain_that_fails_takes_back_holds_captures_and_releases():
    ada, bob = two()
    first, second = (post_batch([hold(ada, 20)])[0].hold for _ in range(2))
    assert first is not None
    assert second is not None

    answers = post_batch(
        [
            NewCapture(hold=first.name, to_account_id=bob.id, chain=7),
            NewRelease(hold=second.id, chain=7),
            hold(ada, 10, chain=7),
            send(bob, ada, 10**6, chain=7),
        ]
    )

    assert outcomes(answers) == ["chain_failed"] * 3 + ["not_enough"]
    assert balances(ada, bob) == [(100, 40), (1, 0)]
    assert set(Hold.objects.values_list("status", flat=True)) == {"OPEN"}


def test_a_chain_asked_for_again_answers_as_it_did_and_half_of_one_fails():
    ada, bob = two()
    chain = [send(ada, bob, 10, "a", chain=1), send(ada, bob, 5, "b", chain=1)]
    first = post_batch(chain)

    again = post_batch(chain)
    half = post_batch([send(ada, bob, 10, "a", chain=1), send(ada, bob, 5, "c", chain=1)])

    assert outcomes(again) == ["EXISTS", "EXISTS"]
    assert [answer.entry_id for answer in again] == [answer.entry_id for answer in first]
    assert outcomes(half) == ["EXISTS", "chain_failed"]
    assert balances(ada) == [(85, 0)]


def test_each_refusal_of_a_hold_has_its_own_code():
    ada, bob = two()
    names = {name: uuid4() for name in ("captured", "released", "expired", "open")}
    post_batch(
        [
            *(hold(ada, 10, hold=name, to_wallet_id=bob.wallet_id) for name in list(names.values())[:2]),
            hold(ada, 10, hold=names["expired"], timeout=timedelta(hours=1)),
            hold(ada, 10, hold=names["open"]),
            NewCapture(hold=names["captured"], amount=4),
            NewRelease(hold=names["released"]),
        ]
    )

    def asked() -> list[str]:
        return outcomes(
            post_batch(
                [
                    NewCapture(hold=names["captured"], to_account_id=bob.id),
                    NewRelease(hold=names["captured"]),
                    NewCapture(hold=names["released"], to_account_id=bob.id),
                    NewRelease(hold=names["expired"], expires=True),
                    NewCapture(hold=names["open"], amount=11, to_account_id=bob.id),
                    NewCapture(hold=names["open"]),
                    NewRelease(hold=uuid4()),
                    hold(ada, 1, hold=names["open"]),
                ]
            )
        )

    common = ["hold_already_captured", "hold_already_captured", "hold_already_released"]
    rest = ["hold_exceeded", "no_receiver", "hold_unknown", "hold_known"]
    assert asked() == [*common, "hold_not_due", *rest]
    with clock_ahead(timedelta(hours=2)):
        late = outcomes(post_batch([NewCapture(hold=names["expired"], to_account_id=bob.id)]))
        swept = outcomes(post_batch([NewRelease(hold=names["expired"], expires=True)]))
        gone = outcomes(post_batch([NewRelease(hold=names["expired"])]))
    assert (late, swept, gone) == (["hold_expired"], ["CREATED"], ["hold_expired"])
    assert balances(ada, bob) == [(96, 10), (5, 0)]


@pytest.mark.parametrize(("wait", "code"), [(timedelta(0), "hold_expired"), (timedelta(microseconds=1), "CREATED")])
def test_a_hold_is_over_at_its_end_that_instant_included(wait, code):
    """The batch's instant is the database's: a hold whose end is that very instant is over."""
    from ledger.door.book import AccountState, AssetState, Book
    from ledger.door.deciding import Batch
    from ledger.door.requests import HoldState
    from ledger.governance.rules import PLAIN, AssetRules

    now = datetime(2026, 1, 1, tzinfo=UTC)
    book = Book(now=now)
    book.add(AccountState(1, 1, 1, 10, 10, False, b"a" * 16, 1, PLAIN, 10, 10))
    book.assets[1] = AssetState(1, "CREDITS", b"c" * 32, AssetRules(is_credits=True))
    book.holds[5] = HoldState(5, uuid4(), 1, None, 10, "", "OPEN", now + wait)

    assert outcomes(Batch(book).decide([NewRelease(hold=5)])) == [code]


def test_a_hold_may_be_placed_and_captured_in_one_batch():
    ada, bob = two()
    name = uuid4()

    answers = post_batch([hold(ada, 40, hold=name, to_wallet_id=bob.wallet_id), NewCapture(hold=name, amount=15)])

    assert outcomes(answers) == ["CREATED", "CREATED"]
    assert balances(ada, bob) == [(85, 0), (16, 0)]
    placed = Hold.objects.get(public_id=name)
    assert (placed.status, placed.captured_amount) == ("CAPTURED", 15)
    kinds = list(Entry.objects.order_by("-id").values_list("kind", flat=True)[:3])
    assert kinds == ["TRANSFER", "HOLD", "HOLD"]


def test_unknown_wallets_and_assets_are_refused_by_name_and_leave_no_account():
    ada, bob = two()
    before = Account.objects.count()

    rows = [
        send(ada, bob, 1, to_wallet_id=10**9),
        send(ada, bob, 1, from_wallet_id=10**9),
        send(ada, bob, 1, asset_id=10**9),
        send(ada, bob, 1, to_wallet_id=ada.wallet_id), send(ada, bob, 1, reference="x" * 81), send(ada, bob, 0),
    ]  # fmt: skip

    answers = post_batch(rows)

    assert [(answer.code, answer.field) for answer in answers] == [
        ("wallet_unknown", "to_wallet"), ("wallet_unknown", "from_wallet"), ("asset_unknown", "asset"),
        ("same_wallet", "to_wallet"), ("bad_reference", "reference"), ("bad_amount", "amount"),
    ]  # fmt: skip
    assert Account.objects.count() == before


def test_a_frozen_wallets_rows_are_refused_and_the_others_go_through():
    ada, bob = two()
    cyn = given(some_wallet("Cyn"), some_series(), 10)
    freeze_wallet(wallet_id=ada.wallet_id, reason="asked for", now=timezone.now())

    answers = post_batch([send(ada, bob, 1), send(bob, ada, 1), send(cyn, bob, 1), hold(ada, 1)])

    assert outcomes(answers) == ["wallet_frozen", "wallet_frozen", "CREATED", "wallet_frozen"]


def test_an_account_cannot_hold_more_than_the_database_can():
    bank = the_credits()
    most = 2**62 - 1
    ada = given(some_wallet(), bank, most)
    given(Wallet.objects.get(id=ada.wallet_id), bank, most)
    bob = Account.objects.create(wallet=some_wallet("Bob"), asset=bank)

    answers = post_batch([send(ada, bob, most), send(ada, bob, most), send(bob, ada, 5), send(ada, bob, 10)])

    assert outcomes(answers) == ["CREATED", "CREATED", "CREATED", "not_enough"]
    rows = [NewTransfer(kind="ISSUE", asset_id=bank.id, from_wallet_id=0, to_wallet_id=bob.wallet_id, amount=most)]
    assert outcomes(post_batch(rows)) == ["overflow"]


def test_a_batch_takes_as_many_statements_for_a_thousand_rows_as_for_one(django_assert_max_num_queries):
    ada, bob = two(10**6)

    def statements(rows: int) -> int:
        asked, ask = [], Questions.ask

        def counted(self, statement, values=()):
            asked.append(statement)
            return ask(self, statement, values)

        Questions.ask = counted
        try:
            post_batch([send(ada, bob, 1) for _ in range(rows)])
        finally:
            Questions.ask = ask
        return len(asked) - asked.count("BEGIN") - asked.count("COMMIT")

    assert statements(1) == 2
    assert statements(1000) == 2
    assert Posting.objects.filter(account=bob, amount=1).count() == 1001 + 1


def test_a_step_rolls_back_with_its_action():
    from ledger.transfers import grant_step

    ada, bob = two()

    def give(fails: bool) -> None:
        with transaction.atomic():
            grant_step(
                asset_id=ada.asset_id, from_wallet_id=ada.wallet_id, to_wallet_id=bob.wallet_id, amount=1,
                scope="test", key="g",
            )  # fmt: skip
            if fails:
                raise RuntimeError("the action failed")

    with pytest.raises(RuntimeError):
        give(fails=True)
    assert balances(ada) == [(100, 0)]
    give(fails=False)
    give(fails=False)
    assert balances(ada) == [(99, 0)]


def test_a_request_that_cannot_even_be_asked_fails_alone():
    """Callers who combined with it are served all the same, the leader among them."""
    from ledger.door.posting import post_single

    ada, bob = two(1000)

    def act(n: int) -> str:
        try:
            return post_single(send(ada, bob, 1, f"k{n}", asset_id=2**70 if n % 4 == 0 else ada.asset_id)).status
        except Exception as error:  # noqa: BLE001
            return type(error).__name__

    results = [outcome for _ in range(4) for outcome in in_parallel(16, act)]

    assert results.count("DataError") == 16
    assert set(results) == {"DataError", "CREATED", "EXISTS"}
    assert balances(bob) == [(1 + 12, 0)]


def test_nothing_of_a_hold_changes_but_its_end():
    from django.db import DatabaseError

    ada, bob = two()
    placed = post_batch([hold(ada, 5, timeout=timedelta(hours=1), to_wallet_id=bob.wallet_id)])[0]

    for change in ({"expires_at": None}, {"to_account": None}, {"reference": "other"}, {"placed_entry": 1}):
        with pytest.raises(DatabaseError, match="resolves once"):
            Hold.objects.filter(id=placed.hold_id).update(**change)


@pytest.mark.parametrize(("times", "outcome"), [(4, "CREATED"), (5, "OperationalError")])
@pytest.mark.parametrize("error", [psycopg.errors.DeadlockDetected, psycopg.errors.SerializationFailure])
def test_what_fails_for_a_passing_reason_is_asked_again_as_a_whole(monkeypatch, error, times, outcome):
    """A planted fault: Postgres gives up so many times in a row."""
    from ledger.door import posting as door

    ada, bob = two()
    tries, write = 0, door.write

    def failing(*args):
        nonlocal tries
        tries += 1
        write(*args)
        if tries <= times:
            raise error("planted")

    monkeypatch.setattr(door, "write", failing)
    try:
        found = post_batch([send(ada, bob, 10, "a")])[0].status
    except OperationalError as raised:
        found = type(raised).__name__

    assert (found, tries) == (outcome, 5)
    assert balances(ada) == [(90 if outcome == "CREATED" else 100, 0)]
