"""The wallet page, its statement, the explorer and the log's files."""

import csv
import io
import urllib.parse
from pathlib import Path

import pytest
from django.db import connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from ledger.entries import leaf_hash
from ledger.models import Checkpoint, Entry, Posting, Wallet
from ledger.proof.configured import configured_sealer, configured_verifiers
from ledger.proof.keys import make_key
from ledger.proof.receipts import check_receipt, parse_receipt
from ledger.proof.sealing import seal_entries
from ledger.transfers import send
from ledger.verifying.verify import verify_export
from portal.people.accounts import sign_up
from portal.people.models import User
from tests.ledger.builders import given, some_series, some_wallet, the_credits
from tests.ledger.test_transfers import held

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def _log(tmp_path: Path, settings) -> None:
    settings.LEDGER_SIGNING_KEY_FILE = str(tmp_path / "key")
    settings.LEDGER_TREE_HEAD_FILE = str(tmp_path / "head")
    make_key(tmp_path / "key")


def signed_up(name: str = "Ada") -> User:
    return sign_up(email=f"{name.lower()}@example.org", password=None, name=name, now=timezone.now(), verified=True)


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user, backend="django.contrib.auth.backends.ModelBackend")
    return client


def history(user: User, transfers: int = 3, other: str = "Bob") -> Wallet:
    assert user.wallet is not None
    ada, bob = given(user.wallet, some_series(), 10**7), given(some_wallet(other), some_series(), 5)
    given(user.wallet, the_credits(), 123_4567)
    for number in range(transfers):
        send(
            asset_id=ada.asset_id, from_wallet_id=ada.wallet_id, to_wallet_id=bob.wallet_id, amount=36 * (number + 1),
            now=timezone.now(), scope="pages", key=f"{user.id}-{number}",
        )  # fmt: skip
    held(ada, 3600)
    return user.wallet


def seal() -> None:
    while seal_entries(configured_sealer(), now=timezone.now()) is not None:
        pass


def test_the_wallet_page_tells_balances_holds_activity_and_receipts():
    user = signed_up()
    history(user)
    seal()

    page = signed_in(user).get("/wallet/").content.decode()

    for text in ("H100-2026Q4", "2,776.71", "123.45", "Bob", "Receipt", "left, until"):
        assert text in page, text


def test_the_page_costs_the_same_queries_however_much_happened():
    few, many = signed_up("Few"), signed_up("Many")
    history(few, transfers=2)
    history(many, transfers=60, other="Bea")
    counts = []
    for user in (few, many):
        client = signed_in(user)
        client.get("/wallet/")
        with CaptureQueriesContext(
            connection,
        ) as queries:
            assert client.get("/wallet/").status_code == 200
        counts.append(len(queries))

    assert counts[0] == counts[1] <= 18


def test_older_activity_is_reached_page_by_page_without_gaps():
    user = signed_up()
    wallet = history(user, transfers=60)
    client = signed_in(user)
    seen: list[tuple[int, int]] = []
    url = "/wallet/"
    for _ in range(10):
        response = client.get(url)
        seen += [row.posting.pk for row in response.context["activity"]]
        if response.context["older"] is None:
            break
        url = f"/wallet/?before={response.context['older']}"

    assert sorted(seen) == sorted(Posting.objects.filter(account__wallet=wallet).values_list("pk", flat=True))
    assert len(seen) == len(set(seen))


def test_the_statement_is_exact_and_no_cell_is_a_formula():
    user = signed_up()
    wallet = history(user, other='=HYPERLINK("http://evil","x")')

    text = b"".join(signed_in(user).get(f"/wallets/{wallet.public_id}/statement.csv").streaming_content).decode()

    rows = list(csv.DictReader(io.StringIO(text)))
    assert sum(int(row["amount"]) for row in rows if row["unit"] == "GPU-second") == 10**7 - 36 * 6
    assert [row["amount"] for row in rows if row["unit"] == "credit"] == ["123.4567"]
    assert any(row["other side"].startswith("'=HYPERLINK") for row in rows)


@pytest.mark.parametrize("url", ["/wallets/{}/", "/wallets/{}/statement.csv"])
def test_another_wallet_is_as_missing_as_one_that_is_not_there(url):
    foreign = history(signed_up("Foreign"))
    client = signed_in(signed_up("Own"))

    assert client.get(url.format(foreign.public_id)).status_code == 404
    assert client.get(url.format("00000000-0000-4000-8000-000000000000")).status_code == 404
    assert client.get("/wallet/?before=" + urllib.parse.quote("1; DROP")).status_code == 404


def test_a_receipt_downloaded_from_the_site_verifies_offline():
    history(signed_up())
    entry = Entry.objects.latest("id")
    client = Client()
    assert client.get(f"/explorer/{entry.id}/receipt").status_code == 404
    seal()

    receipt = parse_receipt(client.get(f"/explorer/{entry.id}/receipt").content.decode())
    body = client.get(f"/explorer/{entry.id}/bytes").content

    assert (
        check_receipt(receipt, leaf_hash(body), configured_verifiers()).size == Checkpoint.objects.latest("size").size
    )


def test_the_explorer_shows_every_kind_of_entry_and_no_names():
    user = signed_up("Adelheid")
    history(user)
    with transaction.atomic():
        Wallet.objects.filter(id=user.wallet_id).update(may_sell=False)
    from ledger.wallets import freeze_wallet

    freeze_wallet(wallet_id=user.wallet_id, reason="Adelheid asked", now=timezone.now())
    seal()
    client = Client()

    pages = [
        client.get("/explorer/"),
        *(client.get(f"/explorer/{id_}/") for id_ in Entry.objects.values_list("id", flat=True)),
    ]

    assert {page.status_code for page in pages} == {200}
    assert not any("Adelheid" in page.content.decode() for page in pages)
    assert client.get("/explorer/999999/").status_code == 404
    assert client.get("/explorer/?page=-1").status_code == 404


def test_the_served_log_is_what_the_verifier_reads(tmp_path):
    history(signed_up(), transfers=300)
    seal()
    client, folder = Client(), tmp_path / "copied"
    size = Checkpoint.objects.latest("size").size
    assert size > 256
    paths = ["checkpoint", "tile/0/000", f"tile/0/001.p/{size - 256}", "tile/1/000.p/1"]
    paths += ["tile/entries/000", f"tile/entries/001.p/{size - 256}"]
    for path in paths:
        response = client.get(f"/log/{path}")
        assert response.status_code == 200, path
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(response.content)

    assert verify_export(folder, configured_verifiers()).entries == size
    assert client.get("/log/key").content.decode().strip() == str(configured_verifiers()[0])


@pytest.mark.parametrize(
    "path",
    ["0/0", "0/-1", "0/000.p/0", "0/000.p/257", "0/000.p/200", "0/x000/000", "9/000", "00/000", "0/999", "entries/5"],
)
def test_a_tile_that_is_not_there_is_a_404(path):
    history(signed_up())
    seal()

    assert Client().get(f"/log/tile/{path}").status_code == 404
