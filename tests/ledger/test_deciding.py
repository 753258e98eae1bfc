"""The door's decisions are pure: over any rows, value is conserved and nobody goes below what is held."""

import copy
from datetime import UTC, datetime, timedelta
from uuid import UUID

from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.door.book import AccountState, AssetState, Book
from ledger.door.deciding import Batch
from ledger.door.requests import CREATED, EXISTS, NewCapture, NewHold, NewRelease, NewTransfer
from ledger.entries import TransferBodies, leaf_hash, pack_side, parse, transfer_body
from ledger.governance.rules import PLAIN, AssetRules, WalletRules

NOW = datetime(2026, 11, 1, tzinfo=UTC)
ISSUER_ID, FROZEN = 9, 4


def book() -> Book:
    """Four wallets and the issuer in one asset; the last wallet is frozen."""
    made = Book(now=NOW)
    made.assets[1] = AssetState(1, "CREDITS", b"c" * 32, AssetRules(is_credits=True))
    for id_ in (1, 2, 3, FROZEN, ISSUER_ID):
        balance = -400 if id_ == ISSUER_ID else 100
        rules = WalletRules(frozen=True) if id_ == FROZEN else PLAIN
        made.add(AccountState(id_, id_, 1, balance, 0, id_ == ISSUER_ID, bytes([id_]) * 16, id_, rules, balance, 0))
    return made


names = st.integers(1, 6).map(lambda n: UUID(int=n))
wallets, amounts = st.integers(1, 5), st.integers(-1, 130)
keys = st.sampled_from(["", "", "a", "b", "c", "d"])


@st.composite
def rows(draw):
    made, chain = [], 0
    for _ in range(draw(st.integers(1, 25))):
        chain += draw(st.booleans())
        key = draw(keys)
        shared = {"scope": "s" if key else "", "key": key, "chain": None if chain % 2 else chain}
        match draw(st.integers(0, 4)):
            case 0:
                hold, timeout = draw(names), timedelta(seconds=draw(st.integers(0, 1)))
                made.append(
                    NewHold(
                        asset_id=1,
                        wallet_id=draw(wallets),
                        amount=draw(amounts),
                        to_wallet_id=draw(wallets),
                        hold=hold,
                        timeout=timeout,
                        **shared,
                    )
                )
            case 1:
                made.append(NewCapture(hold=draw(names), amount=draw(st.none() | amounts), **shared))
            case 2:
                made.append(NewRelease(hold=draw(names), **shared))
            case _:
                kind, giver = draw(st.sampled_from([("SEND", None), ("ISSUE", ISSUER_ID)]))
                made.append(
                    NewTransfer(
                        kind=kind,
                        asset_id=1,
                        from_wallet_id=giver or draw(wallets),
                        to_wallet_id=draw(wallets),
                        amount=draw(amounts),
                        **shared,
                    )
                )
    return made


def state(of: Book) -> dict[int, tuple[int, int]]:
    return {account.id: (account.balance, account.held) for account in of.accounts.values()}


@settings(max_examples=400, deadline=None)
@given(rows())
def test_value_is_conserved_and_what_is_planned_is_what_changed(asked):
    ours = book()
    before = state(ours)
    batch = Batch(ours)

    answers = batch.decide(asked)

    after = state(ours)
    assert len(answers) == len(asked)
    assert sum(balance for balance, _ in after.values()) == 0
    assert all(0 <= held <= balance for id_, (balance, held) in after.items() if id_ != ISSUER_ID)
    assert after[FROZEN] == before[FROZEN]
    moved = dict.fromkeys(before, 0)
    held = dict.fromkeys(before, 0)
    for entry in batch.entries:
        parsed = parse(entry.body)
        assert entry.leaf == leaf_hash(entry.body)
        assert [(side.wallet[0], side.amount) for side in parsed.postings] == list(
            entry.postings
        ) or entry.kind == "HOLD"
        for side in parsed.postings:
            (moved if entry.kind == "TRANSFER" else held)[side.wallet[0]] += side.amount
    assert {id_: (b + moved[id_], h + held[id_]) for id_, (b, h) in before.items()} == after
    for account in ours.accounts.values():
        open_holds = [hold.amount for hold in batch.placed if hold.account_id == account.id and hold.status == "OPEN"]
        assert account.held == sum(open_holds)


@settings(max_examples=200, deadline=None)
@given(rows())
def test_a_row_that_was_not_made_changes_nothing(asked):
    """Decided one by one, with the chains taken off: each refusal leaves the book as it was."""
    ours = book()
    batch = Batch(ours)
    for row in asked:
        alone = type(row)(**{name: getattr(row, name) for name in row.__slots__} | {"chain": None})
        before, entries = copy.deepcopy(state(ours)), len(batch.entries)

        answer = batch.decide([alone])[0]

        if answer.status != CREATED:
            assert (state(ours), len(batch.entries)) == (before, entries)
            assert answer.status == EXISTS or answer.code


@settings(max_examples=200, deadline=None)
@given(rows())
def test_a_chain_is_made_whole_or_not_at_all(asked):
    ours = book()

    answers = Batch(ours).decide(asked)

    for chain in {row.chain for row in asked} - {None}:
        statuses = {answer.status for row, answer in zip(asked, answers, strict=True) if row.chain == chain}
        assert CREATED not in statuses or statuses == {CREATED}


@given(st.sampled_from(["SEND", "TRADE"]), st.text(max_size=20), st.integers(-(2**63), 2**63 - 1))
def test_a_transfers_bytes_are_the_same_in_bulk(kind, reference, amount):
    sides = [(b"w" * 16, b"a" * 32, amount), (b"v" * 16, b"a" * 32, 5)]

    bulk = TransferBodies(NOW).body(kind, reference, b"".join(pack_side(*side) for side in sides))

    assert bulk == transfer_body(kind=kind, reference=reference, recorded_at=NOW, postings=sides)
