"""A thousand rounds of 64 parallel requests on each money action: no overspend, and not one refusal too many."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import transaction
from django.utils import timezone

from ledger.door.loading import enter
from ledger.door.posting import post_batch, post_single
from ledger.door.requests import ISSUER, NewCapture, NewHold, NewRelease, NewTransfer, Request
from ledger.governance.governing import change_wallet_policy
from ledger.models import Account, Hold
from ledger.wallets import account_of
from market.answers import NewOrder
from market.orders import place_orders
from tests import cluster, full
from tests.ledger.builders import FAR, attested, given, some_series, some_wallet
from tests.ledger.races import CALLERS, Act, at_once, at_once_in_two_processes, close_pool
from tests.market.builders import some_instrument, some_trader
from tests.waiting import somebody_waits_for_a_lock, wait_until

pytestmark = pytest.mark.django_db(transaction=True)

ROUNDS = full.count(1000)
AMOUNT, EACH = 100, 7
FIT = AMOUNT // EACH


@pytest.fixture(autouse=True)
def _threads_end() -> Iterator[None]:
    yield
    close_pool()


@dataclass
class Race:
    """Rounds of one action: in threads that combine, in threads that do not, and in two processes."""

    requests: int = 0
    overspends: int = 0

    def round(self, number: int, request: Callable[[int], Request]) -> Counter[str]:
        alone = number % 10 == 1
        answers = self.of(number, lambda caller: _outcome(request(caller), alone=alone))
        return Counter(answers)

    def of(self, number: int, act: Act) -> list[str]:
        self.requests += CALLERS
        return at_once_in_two_processes(act) if number % 10 == 0 else at_once(act, list(range(CALLERS)))


def _outcome(row: Request, *, alone: bool) -> str:
    answer = post_batch([row])[0] if alone else post_single(row)
    return answer.code or answer.status


def accounts() -> tuple[Account, Account]:
    series = some_series()
    return given(some_wallet(), series, AMOUNT), given(some_wallet("Bob"), series, 10**6)


def moved(giver: Account, receiver: Account, amount: int, kind: str = "SEND", key: str = "") -> NewTransfer:
    return NewTransfer(
        kind=kind, asset_id=giver.asset_id, from_wallet_id=giver.wallet_id, to_wallet_id=receiver.wallet_id,
        amount=amount, scope="race" if key else "", key=key,
    )  # fmt: skip


def state(account: Account) -> tuple[int, int]:
    account.refresh_from_db()
    return account.balance, account.held


@pytest.mark.parametrize("kind", ["SEND", "GRANT"])
def test_sends_and_grants_of_one_balance(kind):
    race, (ada, bob) = Race(), accounts()

    for number in range(ROUNDS):
        found = race.round(number, lambda caller: moved(ada, bob, EACH, kind, f"{number}-{caller}"))  # noqa: B023
        assert found == {"CREATED": FIT, "not_enough": CALLERS - FIT}
        assert state(ada) == (AMOUNT - FIT * EACH, 0)
        post_batch([moved(bob, ada, FIT * EACH)])

    assert state(bob) == (10**6, 0)
    print(f"{kind}: {ROUNDS} rounds, {race.requests} requests, 0 overspends")


def test_issues_under_the_attested_capacity():
    """Of a hundred GPU-seconds that can be delivered, fourteen times seven are issued, whoever comes first."""
    race, ada, series = Race(), some_wallet(), some_series(capacity=False)
    begin, attestation = FAR - timedelta(days=30), None
    row = NewTransfer(kind="ISSUE", asset_id=series.id, from_wallet_id=ISSUER, to_wallet_id=ada.id, amount=EACH)

    for number in range(ROUNDS):
        # One GPU, for as long as it takes to deliver what is issued already, and a hundred seconds more.
        end = begin + timedelta(seconds=AMOUNT + number * FIT * EACH)
        attestation = attestation or str(uuid4())
        attested(gpus=1, starts_at=begin, ends_at=end, attestation=attestation)
        found = race.round(number, lambda _: row)
        assert found == {"CREATED": FIT, "not_deliverable": CALLERS - FIT}

    assert Account.objects.get(wallet=ada).balance == ROUNDS * FIT * EACH
    print(f"issue: {ROUNDS} rounds, {race.requests} requests, never beyond what is attested")


def test_holds_of_one_balance():
    race, (ada, _) = Race(), accounts()

    for number in range(ROUNDS):
        names = [uuid4() for _ in range(CALLERS)]
        found = race.round(number, lambda caller: _hold(ada, names[caller]))  # noqa: B023
        assert found == {"CREATED": FIT, "not_enough": CALLERS - FIT}
        assert state(ada) == (AMOUNT, FIT * EACH)
        placed = Hold.objects.filter(public_id__in=names).values_list("public_id", flat=True)
        assert len(placed) == FIT
        assert {answer.status for answer in post_batch([NewRelease(hold=name) for name in placed])} == {"CREATED"}

    assert state(ada) == (AMOUNT, 0)
    print(f"hold: {ROUNDS} rounds, {race.requests} requests, 0 overspends")


def _hold(account: Account, name: UUID, amount: int = EACH) -> NewHold:
    return NewHold(asset_id=account.asset_id, wallet_id=account.wallet_id, amount=amount, hold=name)


def test_captures_and_releases_of_one_hold():
    race, (ada, bob) = Race(), accounts()

    for number in range(ROUNDS):
        name = uuid4()
        post_batch([_hold(ada, name, AMOUNT)])

        def end(caller: int, hold: UUID = name) -> Request:
            return (
                NewRelease(hold=hold) if caller % 4 == 3 else NewCapture(hold=hold, amount=EACH, to_account_id=bob.id)
            )

        found = race.round(number, end)
        assert found.pop("CREATED") == 1
        assert sum(found.values()) == CALLERS - 1
        assert set(found) <= {"hold_already_captured", "hold_already_released"}
        captured = Hold.objects.get(public_id=name).captured_amount
        assert captured in {0, EACH}
        assert state(ada) == (AMOUNT - captured, 0)
        if captured:
            post_batch([moved(bob, ada, captured)])

    assert state(bob) == (10**6, 0)
    print(f"capture: {ROUNDS} rounds, {race.requests} requests, each hold resolved once")


def test_sell_orders_of_one_balance(settings):
    # As many orders as the rounds ask for: what holds here is the balance alone.
    settings.MARKET_FREE_ORDERS = 64 * ROUNDS
    race, instrument = Race(), some_instrument()
    trader = some_trader(instrument, "Ada", lots=FIT)
    account = Account.objects.get(wallet=trader, asset=instrument.asset)
    whole = account.balance

    for number in range(ROUNDS):

        def sell(caller: int, number: int = number) -> str:
            order = NewOrder(instrument.id, trader.id, "SELL", 1000, 1, f"{number}-{caller}")
            answer = place_orders([order])[0]
            return answer.reason or answer.status

        found = Counter(race.of(number, sell))
        assert found == {"OPEN": FIT, "not_enough": CALLERS - FIT}
        assert state(account) == (whole, whole)
        _cancel_all(instrument)

    assert state(account) == (whole, 0)
    print(f"order: {ROUNDS} rounds, {race.requests} requests, 0 overspends")


def test_what_comes_to_one_owners_wallets_from_many_stays_within_the_limit():
    """Givers and receivers are different accounts: only the owner's own queue keeps the sum."""
    race, series, owner = Race(), some_series(), some_wallet()
    givers = [given(some_wallet(f"G{n}"), series, 10**6) for n in range(8)]
    wallets = [owner, *(some_wallet(f"Ada {n}") for n in range(4))]
    for wallet in wallets:
        limit = {"position_limit": AMOUNT} | ({} if wallet == owner else {"owner": str(owner.public_id)})
        with transaction.atomic():
            change_wallet_policy(wallet_id=wallet.id, changes=limit, now=timezone.now())
    receivers = [account_of(wallet_id=wallet.id, asset_id=series.id) for wallet in wallets]

    rounds = full.count(300)
    for number in range(rounds):
        found = race.round(number, lambda n: moved(givers[n % 8], receivers[n % 5], EACH))
        assert found == {"CREATED": FIT, "position_limit": CALLERS - FIT}
        had = [(account, state(account)[0]) for account in receivers]
        assert sum(amount for _, amount in had) == FIT * EACH
        back = post_batch([moved(account, givers[0], amount) for account, amount in had if amount])
        assert all(answer.is_done for answer in back)

    print(f"position limit: {rounds} rounds, {race.requests} requests, never above it")


def _cancel_all(instrument) -> None:
    from market.models import Order
    from market.orders import cancel_order

    for order_id in Order.objects.in_book().filter(instrument=instrument).values_list("id", flat=True):
        cancel_order(order_id=order_id, now=timezone.now())


@contextmanager
def without_the_accounts_lock(owner: psycopg.Connection) -> Iterator[None]:
    """A planted bug: the door's lock and the tables' checks are taken away."""
    door = import_module("ledger.migrations.0006_door")
    as_it_is = "CREATE OR REPLACE FUNCTION" + door.ENTER.split("CREATE FUNCTION", 1)[1]
    assert " FOR NO KEY UPDATE OF acc" in as_it_is
    owner.execute("ALTER TABLE ledger_account DROP CONSTRAINT account_available_not_negative")
    owner.execute(as_it_is.replace(" FOR NO KEY UPDATE OF acc", ""))
    try:
        yield
    finally:
        owner.execute(as_it_is)
        owner.execute(
            "ALTER TABLE ledger_account ADD CONSTRAINT account_available_not_negative"
            " CHECK (may_go_negative OR balance >= held)"
        )


@pytest.mark.parametrize("is_locked", [True, False])
def test_where_all_meet_between_looking_and_writing_a_round_sees_that_the_accounts_lock_is_gone(is_locked, monkeypatch):
    race, (ada, bob) = Race(), accounts()
    with psycopg.connect(cluster.dsn(cluster.database_name(), "hourglass_owner"), autocommit=True) as owner:
        looked: list[object] = []

        def look_and_meet(cursor, rows):
            book = enter(cursor, rows)
            looked.append(rows)
            wait_until(lambda: len(looked) >= CALLERS or (is_locked and somebody_waits_for_a_lock()), 60)
            return book

        monkeypatch.setattr("ledger.door.posting.enter", look_and_meet)
        with nullcontext() if is_locked else without_the_accounts_lock(owner):
            found = race.round(1, lambda caller: moved(ada, bob, EACH, key=f"meet-{caller}"))
            balance, _ = state(ada)
            monkeypatch.undo()
            if balance < 0:
                post_batch([moved(bob, ada, -balance)])

    assert found == ({"CREATED": FIT, "not_enough": CALLERS - FIT} if is_locked else {"CREATED": CALLERS})
    assert balance == AMOUNT - found["CREATED"] * EACH
