"""The page that verifies a receipt in the browser itself, in a real Chromium: WebCrypto, no library, no call home."""

from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from ledger.models import Entry
from ledger.proof.configured import configured_sealer, configured_verifiers
from ledger.proof.keys import make_key
from ledger.proof.notes import Signer
from ledger.proof.sealing import seal_entries
from tests.browser import chromium, open_page
from tests.ledger.builders import given, some_series, some_wallet
from tests.ledger.signing import witness

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def entry(tmp_path: Path, settings: Any) -> Entry:
    """Some entry in the middle of a log of more than one tile's worth, and not a power of two."""
    settings.LEDGER_SIGNING_KEY_FILE = str(tmp_path / "key")
    settings.LEDGER_TREE_HEAD_FILE = str(tmp_path / "head")
    make_key(tmp_path / "key")
    wallet, series = some_wallet(), some_series()
    for _ in range(14):
        given(wallet, series, 36)
    while seal_entries(configured_sealer(), now=timezone.now()) is not None:
        pass
    return Entry.objects.filter(kind="TRANSFER").order_by("id")[6]


def paste(page: Any, **fields: str) -> None:
    for name, text in fields.items():
        page.locator(f"#{name.replace('_', '-')}").fill(text)
    page.get_by_role("button", name="Verify").click()


def verdict(page: Any) -> str:
    """What the page shows: proved, or why not."""
    page.wait_for_selector("#proved:visible, #refused:visible, #cannot:visible")
    return page.locator("#proved:visible, #refused:visible, #cannot:visible").inner_text()


def downloads(entry: Entry) -> tuple[str, str, str]:
    receipt = Client().get(f"/explorer/{entry.pk}/receipt").content.decode()
    return receipt, bytes(entry.body).hex(), str(configured_verifiers()[0])


def test_a_real_receipt_is_proved_and_nothing_is_fetched(live_server, entry):
    receipt, body, key = downloads(entry)
    with chromium() as browser:
        page = open_page(browser, live_server.url)
        page.goto("/verify/")
        page.wait_for_load_state("networkidle")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))

        paste(page, receipt=receipt, entry_bytes=body, keys=key)

        assert "This entry is in the log" in verdict(page)
        assert page.locator("#fact-index").inner_text() == str(entry.leaf.index)
        assert page.locator("#fact-entry").inner_text() == "TRANSFER ISSUE"
        assert "+36" in page.locator("#fact-sides").inner_text()
        assert page.locator("#fact-log").inner_text() == f"hourglass.example/log ({key.split('+')[1]})"
        assert page.locator("#no-witness").is_visible()
        assert asked == []
        assert page.faults == []


def test_a_tampered_receipt_entry_or_key_proves_nothing(live_server, entry):
    receipt, body, key = downloads(entry)
    hash_ = receipt.split("\n")[2]
    stranger = str(Signer("stranger.test/log", witness("x").private_key).verifier)
    size = receipt.split("\n\n")[1].split("\n")[1]
    cases = {
        "lead from these bytes": [
            {"entry_bytes": body[:-2] + ("00" if body[-2:] != "00" else "01")},
            {"receipt": receipt.replace(hash_, "A" * 43 + "=")},
            {"receipt": receipt.replace(f"index {entry.leaf.index}", f"index {entry.leaf.index + 1}")},
            {"receipt": receipt.replace(hash_ + "\n", "", 1)},
        ],
        "does not fit": [{"receipt": receipt.replace(f"\n{size}\n", f"\n{int(size) + 1}\n")}],
        "No key that is given": [{"keys": stranger}, {"keys": ""}],
        "not a public key": [{"keys": key[:-2] + "AA"}, {"keys": "rubbish"}],
        "not hexadecimal": [{"entry_bytes": "xyz"}, {"entry_bytes": ""}, {"entry_bytes": body[:-1]}],
        "not a whole receipt": [{"receipt": "rubbish"}, {"receipt": receipt[:-30]}, {"receipt": receipt[20:]}],
    }
    with chromium() as browser:
        page = open_page(browser, live_server.url)
        page.goto("/verify/")
        for word, changes in cases.items():
            for change in changes:
                paste(page, **({"receipt": receipt, "entry_bytes": body, "keys": key} | change))
                page.wait_for_function("(word) => document.getElementById('why').textContent.includes(word)", arg=word)
                assert "Not proved" in verdict(page)
                assert page.locator("#proof").is_hidden()
        paste(page, receipt=receipt, entry_bytes=body, keys=key)
        page.wait_for_selector("#proved:visible")
        assert page.faults == []


# Holds every signature's check back until the gate is open, and counts those that are through.
_GATE = """() => {
  const verify = crypto.subtle.verify.bind(crypto.subtle);
  const gate = new Promise((open) => { window.openGate = open; });
  window.through = 0;
  crypto.subtle.verify = async (...asked) => {
    await gate;
    const answer = await verify(...asked);
    window.through += 1;
    return answer;
  };
}
"""


def test_what_was_asked_for_last_is_what_stands_there(live_server, entry):
    receipt, body, key = downloads(entry)
    with chromium() as browser:
        page = open_page(browser, live_server.url)
        page.goto("/verify/")
        page.evaluate(_GATE)
        paste(page, receipt=receipt, entry_bytes=body, keys=key)
        paste(page, receipt="rubbish")
        page.wait_for_selector("#refused:visible")
        page.evaluate("() => openGate()")
        page.wait_for_function("() => through > 0")
        page.evaluate("() => new Promise((rest) => setTimeout(rest))")
        assert "not a whole receipt" in verdict(page)
        assert page.locator("#proof").is_hidden()


def test_witnesses_are_told_by_name_and_time_and_a_false_one_is_refused(live_server, entry):
    receipt, body, key = downloads(entry)
    text = receipt.split("\n\n")[1] + "\n"
    cosigned = receipt + witness("alpha.test").cosign(text, at=1_800_000_000)
    keys = "\n".join([key, str(witness("alpha.test").verifier), str(witness("beta.test").verifier)])
    other = receipt + witness("alpha.test").cosign(text.replace("\n", "x\n", 1), at=1_800_000_000)
    with chromium() as browser:
        page = open_page(browser, live_server.url)
        page.goto("/verify/")

        paste(page, receipt=cosigned, entry_bytes=body, keys=keys)

        assert "in the log" in verdict(page)
        assert page.locator("#fact-witnesses li").all_inner_texts() == ["alpha.test, 2027-01-15 08:00:00 UTC"]
        paste(page, receipt=other, entry_bytes=body, keys=keys)
        page.wait_for_selector("#refused:visible")
        assert "does not fit" in page.locator("#why").inner_text()


def test_from_an_entrys_page_it_is_one_step(live_server, entry):
    with chromium() as browser:
        page = open_page(browser, live_server.url, width=390)
        page.goto(f"/explorer/{entry.pk}/")

        page.get_by_role("link", name="Verify").click()

        assert "in the log" in verdict(page)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert page.faults == []


def test_a_browser_without_ed25519_says_so(live_server, entry):
    with chromium() as browser:
        page = open_page(browser, live_server.url)
        page.add_init_script(
            "const keep = crypto.subtle.importKey.bind(crypto.subtle);"
            "crypto.subtle.importKey = (format, data, algorithm, ...rest) => algorithm.name === 'Ed25519'"
            " ? Promise.reject(new DOMException('', 'NotSupportedError')) : keep(format, data, algorithm, ...rest);"
        )
        page.goto(f"/verify/?entry={entry.pk}")

        assert "cannot check Ed25519" in verdict(page)
        assert page.get_by_role("button", name="Verify").is_disabled()
