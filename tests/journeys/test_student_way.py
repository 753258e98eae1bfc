"""A student's first minutes, in Chromium and by keyboard: an account, a code, an allowance."""

import pytest
from playwright.sync_api import Page

from ledger.models import Account
from portal.people.models import User
from tests.browser import chromium, open_page
from tests.institutes.builders import HOUR, some_code, some_cohort
from tests.people.builders import PASSWORD
from tests.people.mail import smtp_server

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def fill(page: Page, label: str, text: str) -> None:
    """As by keyboard: go to the field, type."""
    field = page.get_by_label(label, exact=True)
    field.focus()
    page.keyboard.type(text)


def test_from_the_front_page_to_an_allowance_by_keyboard(live_server):
    cohort = some_cohort()
    code = some_code(cohort)
    with smtp_server() as mailbox, chromium() as browser:
        page = open_page(browser, live_server.url, width=390)
        page.goto("/")
        page.get_by_role("link", name="Make an account").press("Enter")
        fill(page, "Name", "Nina Newcomer")
        fill(page, "Email", "nina@uni.example")
        fill(page, "Password", PASSWORD)
        fill(page, "Password (again)", PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url("**/confirm-email/")
        page.get_by_label("Code").first.focus()
        page.keyboard.type(mailbox.next_code())
        page.keyboard.press("Enter")
        page.wait_for_url("**/wallet/")

        page.get_by_role("link", name="Institutes", exact=True).press("Enter")
        fill(page, "Join code", code.code.lower())
        page.keyboard.press("Enter")
        page.wait_for_url("**/enrol/?code=*")
        assert "20.00 GPU-h" in page.locator("main").inner_text()
        assert not Account.objects.filter(wallet__owner__email="nina@uni.example").exists()
        page.get_by_role("button", name="Enrol").press("Enter")
        page.wait_for_url(f"**/institutes/{cohort.institute.slug}/")
        assert page.get_by_text("You are enrolled in Autumn.").is_visible()
        page.get_by_role("link", name="See my wallet").press("Enter")
        page.wait_for_url("**/wallet/")
        assert "20.00" in page.locator("main").inner_text()
        faults = page.faults

    nina = User.objects.get(email="nina@uni.example")
    assert Account.objects.get(wallet=nina.wallet, asset=cohort.asset).balance == 20 * HOUR
    assert faults == []
