"""The way of a job in Chromium: by keyboard, live, on a wide screen and a phone, without a fault in the console."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ledger.models import Asset
from portal.people.models import User
from tests.browser import chromium, open_page, sign_in
from tests.conftest import ROOT
from tests.people.builders import PASSWORD

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def worker(jobs_home: Path, tmp_path: Path) -> Iterator[None]:
    environment = os.environ | {"HOURGLASS_JOBS_DIR": str(jobs_home), "HOURGLASS_FOLLOW_SECONDS": "0.5"}
    process = subprocess.Popen(
        [sys.executable, "-m", "celery", "-A", "portal.celery", "worker", "--pool=solo", "--beat", "--schedule",
         str(tmp_path / "beat")],
        cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True,
    )  # fmt: skip
    yield
    process.terminate()
    process.wait(20)


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_a_first_job_from_example_to_settled(
    live_server: Any, ada: User, series: Asset, worker: None, width: int, dark: bool
) -> None:
    with chromium() as browser:
        page = open_page(browser, live_server.url, width=width, dark=dark)
        sign_in(page, ada.email, PASSWORD)
        page.goto("/redeem/")
        shoot(page, f"redeem-{width}-{'dark' if dark else 'light'}")
        page.get_by_role("link", name="Price an option").click()
        page.get_by_label("GPUs").fill("2")
        assert page.locator("[data-hours]").inner_text() == "0.16"
        shoot(page, f"redeem-filled-{width}-{'dark' if dark else 'light'}")
        page.get_by_role("button", name="Show what will happen").press("Enter")
        assert "#SBATCH --gres=gpu:h100:2" in page.content()
        shoot(page, f"preview-{width}-{'dark' if dark else 'light'}")
        page.get_by_role("button", name="and submit").press("Enter")
        page.wait_for_url("**/redemptions/**")
        shoot(page, f"job-new-{width}-{'dark' if dark else 'light'}")
        page.get_by_text("Entry in the ledger").wait_for(timeout=40_000)
        page.locator("pre.output").get_by_text("standard errors").wait_for()
        shoot(page, f"job-settled-{width}-{'dark' if dark else 'light'}")
        assert page.get_by_role("link", name="Redeem again").is_visible()
        page.goto("/redemptions/")
        shoot(page, f"jobs-{width}-{'dark' if dark else 'light'}")
        assert page.locator("table tbody tr").count() == 1
        assert_fits(page)
        assert page.faults == []  # type: ignore[attr-defined]


def test_a_running_job_moves_on_and_is_cancelled_by_keyboard(
    live_server: Any, ada: User, series: Asset, worker: None
) -> None:
    with chromium() as browser:
        page = open_page(browser, live_server.url)
        sign_in(page, ada.email, PASSWORD)
        page.goto("/redeem/")
        page.get_by_label("Script", exact=True).fill("for i in $(seq 1 1000); do echo line $i; sleep 0.5; done")
        page.get_by_role("button", name="Show what will happen").press("Enter")
        page.get_by_role("button", name="and submit").press("Enter")
        page.locator("progress").wait_for(timeout=40_000)
        page.get_by_text("line 5").first.wait_for(timeout=40_000)
        shoot(page, "job-running-1280-light")
        cancel = page.get_by_role("button", name="Cancel the job")
        cancel.focus()
        # The page renews itself under the keyboard and the focus stays.
        shown = page.locator("pre.output").inner_text()
        page.wait_for_function("before => document.querySelector('pre.output').innerText !== before", arg=shown)
        assert page.evaluate("document.activeElement.textContent").strip() == "Cancel the job"
        page.keyboard.press("Enter")
        page.get_by_text("Entry in the ledger").wait_for(timeout=40_000)
        assert page.get_by_text("CANCELLED").first.is_visible()
        assert page.faults == []  # type: ignore[attr-defined]


def shoot(page: Any, name: str) -> None:
    """Pictures for whoever looks at the pages: only where a folder is named for them."""
    assert_fits(page)
    if folder := os.environ.get("HOURGLASS_SHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)


def assert_fits(page: Any) -> None:
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), "the page scrolls sideways"
