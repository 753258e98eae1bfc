"""A passkey made and used in Chromium, with its own virtual authenticator, under the site's own policy for scripts."""

import pytest

from tests.browser import chromium, open_page, sign_in
from tests.people.builders import PASSWORD, some_person

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_a_passkey_is_added_and_then_lets_in_without_a_password(live_server, settings):
    settings.LOGIN_REDIRECT_URL = "/"
    ada = some_person()
    base = live_server.url.replace("127.0.0.1", "localhost")
    with chromium() as browser:
        page = open_page(browser, base)
        devices = page.context.new_cdp_session(page)
        devices.send("WebAuthn.enable")
        authenticator = {
            "protocol": "ctap2",
            "transport": "internal",
            "hasResidentKey": True,
            "hasUserVerification": True,
            "isUserVerified": True,
            "automaticPresenceSimulation": True,
        }
        devices.send("WebAuthn.addVirtualAuthenticator", {"options": authenticator})
        sign_in(page, ada.email, PASSWORD)

        page.goto("/accounts/2fa/webauthn/add/")
        page.locator("input[type=password]").fill(PASSWORD)
        page.locator("main button[type=submit]").click()
        page.wait_for_url("**/webauthn/add/")
        page.get_by_label("Passwordless").check()
        page.locator("#mfa_webauthn_add").click()
        page.wait_for_url(lambda url: "webauthn/add" not in url)
        page.locator("summary[aria-label^='Menu of']").click()
        page.get_by_role("button", name="Sign out").click()
        page.wait_for_url(f"{base}/")

        page.goto("/accounts/login/")
        page.locator("#passkey_login").click()
        page.wait_for_url(f"{base}/")
        page.goto("/accounts/profile/")

        assert page.get_by_role("heading", name="Profile").is_visible()
        assert page.faults == []
