"""The explorer: search, a series' life in sums that add up, a wallet as the log knows it, and older checkpoints."""

from pathlib import Path

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ledger.governance.governing import change_asset_policy
from ledger.holds import capture_hold, place_hold
from ledger.models import Account, Asset, Checkpoint, Entry, Leaf, Wallet
from ledger.proof.configured import configured_sealer, configured_verifiers
from ledger.proof.keys import make_key
from ledger.proof.sealing import seal_entries
from ledger.transfers import send
from ledger.verifying.verifierapp import verifier_app
from ledger.wallets import account_of, system_wallet
from market.instruments import open_instrument
from portal.wallets.life import series_life
from tests.ledger.builders import attested, given, some_series, some_wallet, the_credits
from tests.market.builders import placed

pytestmark = pytest.mark.django_db(transaction=True)
HOUR = 3600


@pytest.fixture(autouse=True)
def _log(tmp_path: Path, settings) -> None:
    settings.LEDGER_SIGNING_KEY_FILE = str(tmp_path / "key")
    settings.LEDGER_TREE_HEAD_FILE = str(tmp_path / "head")
    make_key(tmp_path / "key")


def seal() -> None:
    while seal_entries(configured_sealer(), now=timezone.now()) is not None:
        pass


def lived() -> tuple[Asset, Wallet, Wallet]:
    """100 GPU-hours stay with an institute; of Ada's 60 Bob buys 10, a job uses 8, 5 are on hold and 4 offered."""
    attested(gpus=1_000_000)
    series, money = some_series(capacity=False), the_credits()
    institute = some_wallet("Institute", kind=Wallet.Kind.INSTITUTE)
    ada, bob = some_wallet(), some_wallet("Bob")
    given(institute, series, 160 * HOUR)
    send(
        asset_id=series.id, from_wallet_id=institute.id, to_wallet_id=ada.id, amount=60 * HOUR, scope="life", key="one"
    )
    given(bob, money, 10**9)
    instrument = open_instrument(asset_id=series.id, now=timezone.now())
    placed(instrument, ada, "SELL", 1_000, 200)
    placed(instrument, bob, "BUY", 1_000, 200)
    placed(instrument, ada, "SELL", 400, 300)
    account = Account.objects.get(wallet=ada, asset=series)
    redeemed = account_of(wallet_id=system_wallet("REDEEMED", now=timezone.now()).id, asset_id=series.id)
    for amount in (9 * HOUR, 5 * HOUR):
        with transaction.atomic():
            hold = place_hold(account_id=account.id, amount=amount, reference="redemption:x")
            if amount == 9 * HOUR:
                capture_hold(
                    hold_id=hold.id, amount=8 * HOUR, to_account_id=redeemed.id, kind="REDEEM", reference="redemption:x"
                )
    seal()
    return series, ada, bob


def test_a_series_life_is_told_in_sums_that_add_up():
    series, _, _ = lived()

    life = series_life(series, now=timezone.now())

    assert life.issued == 160 * HOUR
    assert {str(part.name): part.amount // HOUR for part in life.parts} == {
        "with people": 52, "with institutes": 100, "redeemed": 8,
    }  # fmt: skip
    assert life.adds_up
    assert (life.held_by_orders, life.held_for_jobs) == (4 * HOUR, 5 * HOUR)
    assert (life.trades, life.traded) == (1, 10 * HOUR)
    assert life.issuable == life.attested - 152 * HOUR > 0
    assert sum(part.width for part in life.parts) in range(995, 1001)
    page = Client().get(f"/explorer/series/{series.code}/").content.decode()
    for words in ("adds up", "160.00", "with institutes", "in 1 trade", "redeemed"):
        assert words in page, words


def test_its_page_costs_the_same_queries_however_many_hold_it():
    series, ada, _ = lived()
    counts = []
    for more in (0, 12):
        for number in range(more):
            given(some_wallet(f"More {number}"), series, HOUR)
        with CaptureQueriesContext(connection) as queries:
            assert Client().get(f"/explorer/series/{series.code}/").status_code == 200
            assert Client().get(f"/explorer/wallets/{ada.public_id}/").status_code == 200
        counts.append(len(queries))

    assert counts[0] == counts[1] <= 24


def test_a_sum_that_does_not_add_up_is_said():
    series, _, _ = lived()
    life = series_life(series, now=timezone.now())

    life.parts.pop()

    assert not life.adds_up


@pytest.mark.parametrize("what", ["place", "id", "hash", "HASH", "wallet", "hex", "series", "definition"])
def test_a_search_leads_to_the_one_page_there_is(what):
    series, ada, _ = lived()
    leaf = Leaf.objects.select_related("entry").get(index=7)
    hash_ = bytes(leaf.entry.leaf_hash).hex()
    leaf_page, wallet_page = f"/explorer/{leaf.entry_id}/", f"/explorer/wallets/{ada.public_id}/"
    words, page = {
        "place": ("7", None),
        "id": (str(Entry.objects.latest("id").id), f"/explorer/{Entry.objects.latest('id').id}/"),
        "hash": (hash_, leaf_page),
        "HASH": (f"  {hash_.upper()} ", leaf_page),
        "wallet": (str(ada.public_id), wallet_page),
        "hex": (ada.public_id.hex, wallet_page),
        "series": (series.code.lower(), f"/explorer/series/{series.code}/"),
        "definition": (bytes(series.definition_hash).hex(), f"/explorer/series/{series.code}/"),
    }[what]

    answer = Client().get("/explorer/", {"q": words})

    if page is None:
        assert {one.url for one in answer.context["found"]} >= {leaf_page}
    else:
        assert answer.headers["Location"] == page


@pytest.mark.parametrize(
    "words", ["999999999", "0" * 64, "00000000-0000-4000-8000-000000000000", "nothing", "'\x00--", "٣"]
)
def test_what_names_nothing_is_said_to_be_nothing(words):
    lived()

    answer = Client().get("/explorer/", {"q": words})

    assert answer.status_code == 200
    assert "Nothing has this" in answer.content.decode()


def test_a_wallets_public_page_shows_all_its_postings_page_by_page_and_nobodys_name():
    series, ada, bob = lived()
    for number in range(70):
        send(asset_id=series.id, from_wallet_id=ada.id, to_wallet_id=bob.id, amount=36, scope="many", key=str(number))
    seen, url = [], f"/explorer/wallets/{bob.public_id}/"
    while url:
        answer = Client().get(url)
        assert "Bob" not in answer.content.decode()
        seen += [(row.transfer_id, row.account_id) for row in answer.context["rows"]]
        older = answer.context["older"]
        url = f"/explorer/wallets/{bob.public_id}/?before={older}" if older else ""

    assert len(seen) == len(set(seen)) == 70 + 1 + 2
    assert Client().get(f"/explorer/wallets/{bob.public_id}/?before=x").status_code == 404


def test_policies_of_a_series_are_listed_with_their_versions():
    series, _, _ = lived()
    for paused in (True, False):
        with transaction.atomic():
            change_asset_policy(asset_id=series.id, changes={"paused": paused}, now=timezone.now())

    page = Client().get(f"/explorer/series/{series.code}/")

    assert [policy.version for policy in page.context["policies"]] == [2, 1]
    assert "none: it is plain again" in page.content.decode()


def test_older_checkpoints_and_the_verifier_are_served():
    lived()
    checkpoint = Checkpoint.objects.latest("size")

    assert Client().get(f"/log/checkpoints/{checkpoint.size}").content.decode() == checkpoint.note
    assert Client().get("/log/checkpoints/999999").status_code == 404
    assert Client().get("/log/checkpoints/99999999999999999999").status_code == 404
    assert Client().get("/log/hourglass-verify.pyz").content == verifier_app()


@pytest.mark.parametrize("number", ["", "x", "99999", "9" * 30, "-1"])
def test_the_page_that_verifies_takes_any_entry_or_none(number):
    lived()

    page = Client().get("/verify/", {"entry": number})

    assert page.status_code == 200
    assert str(configured_verifiers()[0]) in page.content.decode().replace("&#x2B;", "+")
