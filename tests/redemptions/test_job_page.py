"""The job table and a job's page: its way, its output, and who may see and cancel it."""

import uuid
from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import timezone

from ledger.models import Asset
from portal.people.models import User
from scheduler.following import follow_redemptions
from scheduler.models import Redemption
from scheduler.redemptions import redeem_tokens
from scheduler.submission import Site
from tests.people.builders import some_department, some_person
from tests.scheduler.builders import drawn_wish, place
from tests.scheduler.fake_slurm import FakeSlurm
from tests.scheduler.following import until, until_settled

pytestmark = pytest.mark.django_db(transaction=True)
Status = Redemption.Status


@pytest.fixture
def redeem(ada: User, series: Asset, local_site: Site) -> Callable[..., Redemption]:
    def make(script: str = "echo hello", **values: object) -> Redemption:
        assert ada.wallet is not None
        wish = drawn_wish(ada.wallet, series, script=script, **values)
        return redeem_tokens(wish, user_id=ada.id, place=place(local_site.home))

    return make


def address(redemption: Redemption, part: str = "") -> str:
    return f"/redemptions/{redemption.public_id}/{part}"


def test_a_settled_job_shows_charge_refund_output_and_its_entry(
    page: Client, redeem: Callable[..., Redemption], local_site: Site
) -> None:
    redemption = redeem("echo 'five < six & \"seven\"'\nsleep 1\n")
    until_settled(redemption, site=local_site)

    html = page.get(address(redemption)).content.decode()

    assert "five &lt; six &amp; &quot;seven&quot;" in html
    assert f"/explorer/{redemption.transfer_id}/" in html
    assert "COMPLETED" in html
    assert "every 2s" not in html
    assert "Cancel the job" not in html


def test_a_running_job_refreshes_itself_and_shows_its_progress(
    page: Client, redeem: Callable[..., Redemption], local_site: Site
) -> None:
    redemption = redeem("echo begun\nsleep 1000")
    until(redemption, Status.RUNNING, site=local_site)

    html = page.get(address(redemption)).content.decode()
    fragment = page.get(address(redemption, "live"), headers={"HX-Request": "true"})

    assert f'hx-get="{address(redemption, "live")}"' in html
    assert '<progress id="elapsed" max="600"' in html
    assert "HX-Refresh" not in fragment
    assert "<html" not in fragment.content.decode()


def test_the_last_look_asks_for_the_whole_page_once(
    page: Client, redeem: Callable[..., Redemption], local_site: Site
) -> None:
    redemption = redeem()
    until_settled(redemption, site=local_site)

    assert page.get(address(redemption, "live"))["HX-Refresh"] == "true"


def test_while_slurm_cannot_be_reached_the_page_says_so(
    page: Client, redeem: Callable[..., Redemption], local_site: Site
) -> None:
    redemption = redeem()
    down = Site(engine=FakeSlurm(controller_is_up=False), home=local_site.home)
    follow_redemptions(site=down, now=timezone.now())

    html = page.get(address(redemption)).content.decode()

    assert "Why it waits:" in html
    assert "Slurm&#x27;s controller does not answer." in html


def test_cancelling_gives_everything_back_when_nothing_ran(page: Client, redeem: Callable[..., Redemption]) -> None:
    redemption = redeem()

    response = page.post(address(redemption, "cancel"), follow=True)

    assert "All tokens are back in the wallet." in response.content.decode()
    redemption.refresh_from_db()
    assert redemption.status == Status.CANCELLED


def test_cancelling_what_has_ended_says_so(page: Client, redeem: Callable[..., Redemption], local_site: Site) -> None:
    redemption = redeem()
    until_settled(redemption, site=local_site)

    response = page.post(address(redemption, "cancel"), follow=True)

    assert "already ended" in response.content.decode()


def test_a_parked_job_says_why_and_can_be_tried_again(
    page: Client, redeem: Callable[..., Redemption], local_site: Site
) -> None:
    redemption = redeem()
    Redemption.objects.filter(id=redemption.id).update(status=Status.PARKED, reason="Slurm refused the job: no QOS")
    html = page.get(address(redemption)).content.decode()
    assert "Slurm refused the job: no QOS" in html
    assert "Try again" in html

    page.post(address(redemption, "retry"))
    until_settled(redemption, site=local_site)

    assert redemption.status == Status.SETTLED
    response = page.post(address(redemption, "retry"), follow=True)
    assert "not parked any more" in response.content.decode()


def test_the_output_is_plain_text_and_nothing_else(
    page: Client, redeem: Callable[..., Redemption], local_site: Site
) -> None:
    redemption = redeem("echo '<script>alert(1)</script>'")
    until_settled(redemption, site=local_site)

    response = page.get(address(redemption, "output"))

    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert response["X-Content-Type-Options"] == "nosniff"
    assert "sandbox" in response["Content-Security-Policy"]
    assert response.content == b"<script>alert(1)</script>\n"


def test_a_long_output_is_cut_to_its_end(page: Client, redeem: Callable[..., Redemption], local_site: Site) -> None:
    redemption = redeem("seq 1 100000")
    until_settled(redemption, site=local_site)

    assert len(page.get(address(redemption, "output")).content) == 64 * 1024
    html = page.get(address(redemption)).content.decode()
    assert "Only the end is shown" in html
    assert "100000" in html


def test_before_there_is_output_its_address_is_404(page: Client, redeem: Callable[..., Redemption]) -> None:
    assert page.get(address(redeem(), "output")).status_code == 404


@pytest.mark.parametrize("part", ["", "live", "output"])
def test_anothers_job_and_none_are_both_404(redeem: Callable[..., Redemption], local_site: Site, part: str) -> None:
    redemption = redeem()
    until_settled(redemption, site=local_site)
    stranger = Client()
    stranger.force_login(some_person("Eve Hull", ("DEPARTMENT_ADMIN", some_department("Chemistry"))))

    assert stranger.get(address(redemption, part)).status_code == 404
    assert stranger.get(f"/redemptions/{uuid.uuid4()}/{part}").status_code == 404


def test_anothers_job_cannot_be_cancelled(redeem: Callable[..., Redemption]) -> None:
    redemption = redeem()
    stranger = Client()
    stranger.force_login(some_person("Eve Hull"))

    assert stranger.post(address(redemption, "cancel")).status_code == 404
    assert stranger.post(address(redemption, "retry")).status_code == 404
    redemption.refresh_from_db()
    assert redemption.status == Status.PENDING


def test_an_auditor_reads_every_job_and_cancels_none(redeem: Callable[..., Redemption]) -> None:
    redemption = redeem()
    auditor = Client()
    auditor.force_login(some_person("Otto Reed", ("AUDITOR", None)))

    assert auditor.get(address(redemption)).status_code == 200
    assert "Cancel the job" not in auditor.get(address(redemption)).content.decode()
    assert auditor.post(address(redemption, "cancel")).status_code in {403, 404}
    redemption.refresh_from_db()
    assert redemption.status == Status.PENDING


def test_the_table_lists_ones_own_jobs_only(page: Client, redeem: Callable[..., Redemption]) -> None:
    redeem(job_name="mine")
    stranger = Client()
    stranger.force_login(some_person("Eve Hull"))

    assert "mine" in page.get("/redemptions/").content.decode()
    assert "mine</a>" not in stranger.get("/redemptions/").content.decode()


@pytest.mark.parametrize("path", ["output/../../x", "output%2e%2e%2f", "output?path=../../other", "..%00"])
def test_no_path_leads_out_of_a_jobs_folder(page: Client, redeem: Callable[..., Redemption], path: str) -> None:
    assert page.get(address(redeem(), path)).status_code == 404


@pytest.mark.parametrize(
    "spelling", [str.upper, lambda text: "{" + text + "}", lambda text: "urn:uuid:" + text, lambda text: text[:-1]]
)
def test_an_id_has_one_spelling(
    page: Client, redeem: Callable[..., Redemption], spelling: Callable[[str], str]
) -> None:
    written = spelling(str(redeem().public_id))

    assert page.get(f"/redemptions/{written}/").status_code == 404
