"""The replay of rules: an honest history passes, and each forged one is caught where it breaks its rule."""

from pathlib import Path

import pytest

from ledger.entries import leaf_hash
from ledger.verifying.replay import Replay
from tests.ledger.forging import ADA, BOB, SERIES, Forgery, forgeries, honest_history, moved


def first_fault(bodies) -> tuple[int, str] | None:
    replay = Replay()
    for index, body in enumerate(bodies):
        if fault := replay.apply(body):
            return index, fault
    return None


def test_one_of_every_kind_of_entry_keeps_every_rule():
    replay = Replay()

    assert [fault for body in honest_history(key="a+b+c") if (fault := replay.apply(body))] == []
    assert replay.trial_balance()["CREDITS"][BOB.bytes.hex()] == 1000
    assert {account.held for account in replay.books.accounts.values()} == {0}
    assert sum(replay.balances.values()) == 0
    assert replay.balances[ADA.bytes, SERIES] == 100 - 30 + 10 - 20 - 5


@pytest.mark.parametrize("forgery", forgeries(), ids=lambda forgery: forgery.name)
def test_a_forged_history_is_caught_where_it_breaks_its_rule(forgery: Forgery):
    found = first_fault(forgery.bodies)

    assert found is not None
    position, said = found
    assert forgery.word in said
    assert position == forgery.position


def test_the_example_in_the_documentation_is_an_entry_and_its_leaf_hash():
    text = (Path(__file__).resolve().parents[2] / "docs" / "ledger.md").read_text()
    example = text.partition("its leaf hash:\n")[2].partition("\n## ")[0].split()
    words = example[: example.index("leaf")]

    body = bytes.fromhex("".join(words))

    assert leaf_hash(body).hex() == example[example.index("leaf") + 1]
    assert body == moved("SEND", (ADA, -5), (BOB, 5), reference="gift")
