"""The stand-alone verifier against a live site's /log/ address: tiles, bundles, rotated keys, a kept receipt."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from ledger.models import Checkpoint, Entry
from ledger.proof.configured import configured_policy, configured_sealer, configured_verifiers
from ledger.proof.cosigning import cosign_newest
from ledger.proof.export import export_log
from ledger.proof.keys import make_key
from ledger.proof.sealing import seal_entries
from ledger.verifying.verify import main
from tests.browser import chromium, open_page
from tests.ledger.builders import given, some_series, some_wallet
from tests.ledger.witnesses import running_witness

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def site(live_server: Any, tmp_path: Path, settings: Any) -> str:
    """A site with a log of two tiles and a change of key between them."""
    settings.LEDGER_SIGNING_KEY_FILE = str(tmp_path / "key")
    settings.LEDGER_TREE_HEAD_FILE = str(tmp_path / "head")
    make_key(tmp_path / "key")
    wallet, series = some_wallet(), some_series()
    for number in range(280):
        given(wallet, series, 36)
        if number == 100:
            seal()
            call_command("rotate_key", verbosity=0)
    seal()
    return f"{live_server.url}/log/"


def seal() -> None:
    while seal_entries(configured_sealer(), now=timezone.now()) is not None:
        pass


def test_the_site_is_verified_by_its_address_alone_and_a_kept_receipt_fits(site, tmp_path, capsys):
    first = str(configured_verifiers()[-1])
    entry = Entry.objects.filter(transfer_kind="ISSUE").latest("id")
    (tmp_path / "receipt").write_text(Client().get(f"/explorer/{entry.pk}/receipt").content.decode())

    assert main([site, "--key", first, "--kept", str(tmp_path / "receipt")]) == 0

    size = Checkpoint.objects.latest("size").size
    assert size > 256
    assert f"{size} entries" in capsys.readouterr().out


def test_the_newest_key_alone_is_not_enough_and_an_address_without_a_log_is_a_fault(site, capsys):
    newest = str(configured_verifiers()[0])

    assert main([site, "--key", newest]) == 1
    assert "first key" in capsys.readouterr().err
    assert main([site.replace("/log/", "/nothing/"), "--key", newest]) == 1


@pytest.fixture
def witnessed(site: str, tmp_path: Path, settings: Any) -> Iterator[str]:
    """The same, cosigned by two witnesses that run beside it."""
    keys = configured_verifiers()
    with (
        running_witness(tmp_path / "north", keys, name="north.test/w") as north,
        running_witness(tmp_path / "south", keys, name="south.test/w") as south,
    ):
        lines = [f"log {key}" for key in reversed(keys)]
        lines += [f"witness {name} {one.verifier} {one.url}" for name, one in (("north", north), ("south", south))]
        settings.LEDGER_POLICY_FILE = str(tmp_path / "policy")
        (tmp_path / "policy").write_text("\n".join([*lines, "group both all north south", "quorum both", ""]))
        policy = configured_policy()
        assert policy is not None
        cosign_newest(policy, now=timezone.now())
        yield site


def test_the_quorum_of_real_witnesses_satisfies_the_verifier_by_address_and_by_export(witnessed, tmp_path, capsys):
    export_log(tmp_path / "export", configured_policy())

    assert main([witnessed, "--policy", str(tmp_path / "policy")]) == 0
    assert main([str(tmp_path / "export"), "--policy", str(tmp_path / "policy")]) == 0
    assert capsys.readouterr().out.count("Cosigned by north, south.") == 2
    call_command("verify_ledger")


@pytest.mark.browser
def test_the_browser_tells_which_witnesses_cosigned(witnessed):
    entry = Entry.objects.filter(transfer_kind="ISSUE").order_by("id")[3]
    with chromium() as browser:
        page = open_page(browser, witnessed.removesuffix("/log/"))
        page.goto(f"/verify/?entry={entry.pk}")

        page.wait_for_selector("#proved:visible")

        told = page.locator("#fact-witnesses li").all_inner_texts()
        assert [line.split(",")[0] for line in told] == ["north.test/w", "south.test/w"]
        assert page.faults == []
