"""The stand-alone verifier against a live site's /log/ address: tiles, bundles, rotated keys, a kept receipt."""

from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client
from django.utils import timezone

from ledger.configured import configured_sealer, configured_verifiers
from ledger.keys import make_key
from ledger.models import Checkpoint, Entry
from ledger.sealing import seal_entries
from ledger.verify import main
from tests.ledger.builders import given, some_series, some_wallet

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
