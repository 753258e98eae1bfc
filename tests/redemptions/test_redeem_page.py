"""The redeem form, what it shows before anything is held, and confirming it, once."""

import re
import time
import uuid
from functools import partial
from html import unescape
from typing import Any

import pytest
from django.test import Client

from ledger.models import Account, Asset, Hold
from portal.people.models import User
from portal.redemptions.examples import EXAMPLES
from scheduler.models import Redemption
from tests.people.builders import some_person

pytestmark = pytest.mark.django_db


def filled(series: Asset, **values: Any) -> dict[str, Any]:
    return {
        "asset": series.code, "gpus": "2", "walltime_minutes": "30", "job_name": "first-job", "kind": "SCRIPT",
        "script": "echo hello", "step": "preview",
    } | values  # fmt: skip


def previewed(page: Client, series: Asset, **values: Any) -> dict[str, Any]:
    """What the preview's form would send when confirmed."""
    response = page.post("/redeem/", filled(series, **values))
    assert response.status_code == 200, response.content.decode()
    html = response.content.decode()
    hidden = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', html))
    return {name: unescape(value) for name, value in hidden.items()} | {"step": "confirm"}


def test_the_form_offers_what_the_wallet_has_and_examples(page: Client, series: Asset) -> None:
    html = page.get("/redeem/").content.decode()

    assert series.code in html
    assert "10.00" in html
    for example in EXAMPLES:
        assert str(example.title).replace("'", "&#x27;") in html


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.slug)
def test_every_example_fills_the_form_and_passes_the_preview(page: Client, series: Asset, example: Any) -> None:
    response = page.get("/redeem/", {"example": example.slug, "series": series.code})
    assert "main()" in response.content.decode()

    sent = previewed(
        page, series, script=example.script, kind=example.kind, gpus=example.gpus, job_name=example.job_name
    )

    assert uuid.UUID(sent["key"])


def test_the_preview_shows_the_exact_script_and_what_is_held_and_holds_nothing(
    page: Client, ada: User, series: Asset
) -> None:
    response = page.post("/redeem/", filled(series))
    html = response.content.decode()

    assert "1.00" in html  # GPU-hours held: 2 GPUs for half an hour
    assert "9.00" in html  # and left
    assert "#SBATCH --gres=gpu:h100:2" in html
    assert "#SBATCH -t 00:30:00" in html
    assert Hold.objects.count() == 0

    page.post("/redeem/", previewed(page, series))
    redemption = Redemption.objects.get()
    assert redemption.held_amount == 3600
    assert Account.objects.get(wallet=ada.wallet, asset=series).held == 3600


def test_what_was_shown_is_what_is_submitted(page: Client, series: Asset) -> None:
    response = page.post("/redeem/", filled(series))
    shown = unescape(re.findall(r'<pre class="script" tabindex="0">(.*?)</pre>', response.content.decode(), re.S)[0])
    key = re.search(r'name="key" value="([^"]+)"', response.content.decode())
    digest = re.search(r'name="shown" value="([^"]+)"', response.content.decode())
    assert key is not None
    assert digest is not None

    page.post("/redeem/", filled(series, step="confirm", key=key[1], shown=digest[1]))

    assert Redemption.objects.get().job_script == shown


def test_confirming_twice_makes_one_redemption(page: Client, series: Asset) -> None:
    sent = previewed(page, series)

    first = page.post("/redeem/", sent)
    second = page.post("/redeem/", sent)

    assert first.status_code == second.status_code == 302
    assert first["Location"] == second["Location"] == f"/redemptions/{sent['key']}/"
    assert Redemption.objects.count() == 1


def test_a_confirmation_changed_on_the_way_is_not_carried_out(page: Client, series: Asset) -> None:
    sent = previewed(page, series)

    response = page.post("/redeem/", sent | {"gpus": "4"})

    assert response.status_code == 422
    assert "has changed since it was shown" in response.content.decode()
    assert not Redemption.objects.exists()


def test_another_persons_key_is_a_conflict_and_tells_nothing(page: Client, series: Asset) -> None:
    sent = previewed(page, series)
    page.post("/redeem/", sent)
    eve = some_person("Eve Hull")
    from tests.scheduler.builders import granted

    assert eve.wallet is not None
    granted(eve.wallet, series, gpu_hours=10)
    hers = Client()
    hers.force_login(eve)

    response = hers.post("/redeem/", sent)

    assert response.status_code == 422
    assert "was used before" in response.content.decode()
    assert Redemption.objects.count() == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("gpus", "0"), ("gpus", "-1"), ("gpus", "9"), ("gpus", "1.5"), ("gpus", "1\nid"), ("gpus", "9" * 5000),
        ("gpus", "999999999999999999999"), ("gpus", ""), ("walltime_minutes", "0"), ("walltime_minutes", "UNLIMITED"),
        ("walltime_minutes", "00:10:00\ncurl evil"), ("walltime_minutes", "99999"), ("walltime_minutes", "١٢٣٤٥٦٧"),
        ("job_name", "ok\ntouch PWNED"), ("job_name", "$(id)"), ("job_name", "a" * 65), ("job_name", "--wrap=id x"),
        ("job_name", ""), ("kind", "HETJOB"), ("kind", ""), ("asset", "nope"), ("asset", "CREDITS"), ("asset", ""),
        ("script", ""), ("script", "a\x00b"), ("script", "\x7fELF\x02\x01"), ("script", "x" * 300_000),
        ("key", "not-a-uuid"), ("key", "0" * 31), ("shown", "x" * 65),
    ],
    ids=lambda value: ascii(value)[:24],
)  # fmt: skip
@pytest.mark.parametrize("step", ["preview", "confirm"])
def test_bad_input_answers_422_with_the_form_and_holds_nothing(
    page: Client, series: Asset, field: str, value: str, step: str
) -> None:
    sent = filled(series, step=step, key=str(uuid.uuid4()), shown="0" * 64) | {field: value}

    response = page.post("/redeem/", sent)

    assert response.status_code == 422
    assert '<form class="form' in response.content.decode()
    assert not Hold.objects.exists()


def test_more_than_the_wallet_has_is_refused_beside_the_field(page: Client, series: Asset) -> None:
    response = page.post("/redeem/", filled(series, gpus="8", walltime_minutes="1440"))

    assert response.status_code == 422
    assert "192.00 GPU-h, and the wallet has 10.00 GPU-h available" in response.content.decode()


def test_what_was_typed_is_still_there_after_going_back(page: Client, series: Asset) -> None:
    sent = previewed(page, series, script="echo <b>kept</b>")

    html = page.post("/redeem/", sent | {"step": "change"}).content.decode()

    assert "echo &lt;b&gt;kept&lt;/b&gt;" in html
    assert 'value="30"' in html


def test_with_nothing_to_redeem_the_page_says_what_to_do(jobs_home: Any) -> None:
    client = Client()
    client.force_login(some_person("Newcomer"))

    html = client.get("/redeem/").content.decode()

    assert "has no tokens to redeem" in html


def test_one_must_sign_in(client: Client) -> None:
    for method in (client.get, client.post):
        response = method("/redeem/")
        assert response.status_code == 302
        assert "/accounts/login/" in response["Location"]


def test_without_a_broker_the_redemption_is_made_all_the_same_and_nobody_waits(
    page: Client, series: Asset, monkeypatch: pytest.MonkeyPatch
) -> None:
    from portal.celery import app

    sent = previewed(page, series)
    nowhere = partial(app.connection_for_write, "redis+socket:///tmp/hourglass-no-such-socket")
    monkeypatch.setattr(app, "connection_for_write", nowhere)
    begun = time.monotonic()

    response = page.post("/redeem/", sent)

    assert response.status_code == 302
    assert Redemption.objects.get().status == Redemption.Status.PENDING
    assert time.monotonic() - begun < 3
