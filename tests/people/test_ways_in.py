"""Sign-up, sign-in, the second step, sessions: over HTTP, with a real mail server and a real OIDC provider."""

import re
import threading
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from allauth.mfa.totp.internal.auth import TOTP, format_hotp_value, hotp_value, yield_hotp_counters_from_time
from django.core.cache import cache
from django.test import Client
from oidc_provider_mock import User as UniversityUser
from oidc_provider_mock import app as oidc_provider
from werkzeug.serving import make_server

from ledger.models import Wallet
from portal.people.models import User
from tests.people.builders import PASSWORD, some_person
from tests.people.mail import smtp_server

pytestmark = pytest.mark.django_db(transaction=True)
FORM = {"name": "Ada Byron", "email": "Ada@uni.example", "password1": PASSWORD, "password2": PASSWORD}

ADA = {"name": "Ada Byron", "email": "ada@uni.example", "email_verified": True}


@pytest.fixture(autouse=True)
def _lands_on_the_front_page(settings):
    settings.LOGIN_REDIRECT_URL = "/"


def is_signed_in(client: Client) -> bool:
    return client.get("/accounts/profile/").status_code == 200


def test_a_person_signs_up_proves_their_address_and_has_a_wallet():
    client = Client()
    with smtp_server() as mailbox:
        client.post("/accounts/signup/", FORM)
        assert not is_signed_in(client)
        wrong = client.post("/accounts/confirm-email/", {"code": "WRONG1"})
        assert wrong.status_code in (200, 422)
        assert not is_signed_in(client)

        client.post("/accounts/confirm-email/", {"code": mailbox.next_code()})

    ada = User.objects.get(email="ada@uni.example")
    assert is_signed_in(client)
    assert ada.wallet is not None
    assert (ada.wallet.kind, ada.wallet.name) == (Wallet.Kind.PERSON, "Ada Byron")


def test_signing_up_with_a_taken_address_tells_its_owner_and_nobody_else():
    some_person("Ada", email="ada@uni.example")
    client = Client()
    with smtp_server() as mailbox:
        answer = client.post("/accounts/signup/", FORM)
        letter = mailbox.next()

    assert answer.status_code == 302
    assert "ada@uni.example" in letter["To"]
    assert User.objects.count() == 1


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("email", "nobody"),
        ("email", "a@b"),
        ("email", ""),
        ("password1", "short"),
        ("password1", "1234567890"),
        ("password2", "another-passphrase-here"),
        ("name", "x" * 151),
        ("name", ""),
    ],
)
def test_a_sign_up_that_lacks_something_says_so_beside_the_field(field, value):
    answer = Client().post("/accounts/signup/", FORM | {field: value})

    assert b'class="errors"' in answer.content
    assert User.objects.count() == 0


@pytest.mark.parametrize("password", ["x" * 1_000_000, "nul\x00nul" * 4])
def test_a_monstrous_password_is_refused_at_once(password):
    some_person("Ada", email="ada@uni.example")
    client = Client()

    answer = client.post("/accounts/login/", {"login": "ada@uni.example", "password": password})

    assert answer.status_code in (200, 400, 422)
    assert not is_signed_in(client)


def test_a_passphrase_of_64_letters_is_taken():
    passphrase = "correct horse battery staple " * 3
    client = Client()
    with smtp_server() as mailbox:
        client.post("/accounts/signup/", FORM | {"password1": passphrase[:64], "password2": passphrase[:64]})
        client.post("/accounts/confirm-email/", {"code": mailbox.next_code()})

    assert is_signed_in(client)


@pytest.mark.parametrize("wanted", ["//evil.example/", "https:evil.example", "javascript:alert(1)"])
def test_signing_in_leads_nowhere_else(wanted):
    ada = some_person()

    answer = Client().post("/accounts/login/", {"login": ada.email, "password": PASSWORD, "next": wanted})

    assert "evil" not in answer.headers["Location"]
    assert "javascript" not in answer.headers["Location"]


def test_guessing_passwords_is_stopped(settings):
    settings.ACCOUNT_RATE_LIMITS = {"login_failed": "5/m/key"}
    cache.clear()
    ada = some_person()
    for number in range(6):
        Client().post("/accounts/login/", {"login": ada.email, "password": f"guess-{number}"})

    client = Client()
    answer = client.post("/accounts/login/", {"login": ada.email, "password": PASSWORD})

    assert not is_signed_in(client)
    assert "Too many" in answer.content.decode()


def totp_code(secret: str) -> str:
    counter = next(iter(yield_hotp_counters_from_time()))
    return format_hotp_value(hotp_value(secret, counter))


def test_with_an_authenticator_app_the_password_alone_does_not_let_in():
    ada = some_person()
    client = Client()
    client.post("/accounts/login/", {"login": ada.email, "password": PASSWORD})
    first = client.get("/accounts/2fa/totp/activate/")
    assert "/accounts/reauthenticate/" in first.headers["Location"], (
        "the second step is set up after the password again"
    )
    client.post("/accounts/reauthenticate/", {"password": PASSWORD})
    secret = client.get("/accounts/2fa/totp/activate/").context["form"].secret
    client.post("/accounts/2fa/totp/activate/", {"code": totp_code(secret)})
    codes = client.get("/accounts/2fa/recovery-codes/").context["unused_codes"]

    later = Client()
    later.post("/accounts/login/", {"login": ada.email, "password": PASSWORD})
    assert not is_signed_in(later)
    later.post("/accounts/2fa/authenticate/", {"code": "000000"})
    assert not is_signed_in(later)
    later.post("/accounts/2fa/authenticate/", {"code": codes[0]})
    assert is_signed_in(later)

    again = Client()
    again.post("/accounts/login/", {"login": ada.email, "password": PASSWORD})
    again.post("/accounts/2fa/authenticate/", {"code": codes[0]})
    assert not is_signed_in(again), "a recovery code works once"


def test_an_authenticators_code_lets_in():
    ada = some_person()
    secret = "JBSWY3DPEHPK3PXP"
    TOTP.activate(ada, secret)
    client = Client()
    client.post("/accounts/login/", {"login": ada.email, "password": PASSWORD})

    client.post("/accounts/2fa/authenticate/", {"code": totp_code(secret)})

    assert is_signed_in(client)


def test_other_sessions_are_listed_and_ended():
    ada = some_person()
    here, there = Client(HTTP_USER_AGENT="Here/1"), Client(HTTP_USER_AGENT="There/2")
    for client in (here, there):
        client.post("/accounts/login/", {"login": ada.email, "password": PASSWORD})
        assert is_signed_in(client)

    assert "There/2" in here.get("/accounts/sessions/").content.decode()
    here.post("/accounts/sessions/")

    assert is_signed_in(here)
    assert not is_signed_in(there)


def test_nobody_says_where_they_come_from_or_who_they_are_in_a_header():
    ada, eve = some_person("Ada"), some_person("Eve")
    client = Client(
        headers={"X-Forwarded-For": "6.6.6.6, 127.0.0.1", "X-User-Id": str(eve.id), "Remote-User": eve.email}
    )
    client.post("/accounts/login/", {"login": ada.email, "password": PASSWORD})

    page = client.get("/accounts/sessions/").content.decode()

    assert "127.0.0.1" in page
    assert "6.6.6.6" not in page
    assert ada.email in page


def test_another_persons_form_token_is_refused():
    ada, eve = Client(enforce_csrf_checks=True), Client(enforce_csrf_checks=True)
    token = eve.get("/accounts/login/").cookies["csrftoken"].value
    ada.get("/accounts/login/")

    in_form = ada.post("/accounts/login/", {"login": "x", "password": "y", "csrfmiddlewaretoken": token})
    in_address = ada.post(f"/accounts/login/?csrfmiddlewaretoken={ada.cookies['csrftoken'].value}", {"login": "x"})

    assert (in_form.status_code, in_address.status_code) == (403, 403)


def test_a_forgotten_password_is_replaced_by_mail_once_and_ends_other_sessions():
    ada = some_person()
    elsewhere, client = Client(), Client()
    elsewhere.post("/accounts/login/", {"login": ada.email, "password": PASSWORD})
    with smtp_server() as mailbox:
        client.post("/accounts/password/reset/", {"email": ada.email})
        link = re.search(r"http://testserver(/\S+)", mailbox.next().get_content())
    assert link is not None

    page = client.get(link.group(1), follow=True)
    form = {"password1": "a-new-long-passphrase", "password2": "a-new-long-passphrase"}
    client.post(page.redirect_chain[-1][0], form)

    assert not is_signed_in(elsewhere)
    for password, lets_in in (("a-new-long-passphrase", True), (PASSWORD, False)):
        later = Client()
        later.post("/accounts/login/", {"login": ada.email, "password": password})
        assert is_signed_in(later) is lets_in
    assert b"password1" not in Client().get(link.group(1), follow=True).content, "the link works once"


def test_a_session_ends_with_sign_out_a_new_password_or_a_closed_account():
    ada = some_person()

    def session() -> tuple[Client, str]:
        client = Client()
        client.post("/accounts/login/", {"login": ada.email, "password": PASSWORD})
        return client, client.cookies["sessionid"].value

    def is_alive(cookie: str) -> bool:
        client = Client()
        client.cookies["sessionid"] = cookie
        return is_signed_in(client)

    first, cookie = session()
    first.post("/accounts/logout/")
    assert not is_alive(cookie)

    _, cookie = session()
    ada.set_password("another-long-passphrase")
    ada.save()
    assert not is_alive(cookie)
    ada.set_password(PASSWORD)
    ada.save()

    _, cookie = session()
    ada.is_active = False
    ada.save()
    assert not is_alive(cookie)


@pytest.fixture
def university(settings, live_server):
    """A real OIDC provider on a port of its own, known to the site as any university would be."""
    provider = oidc_provider(user_claims=(UniversityUser(sub="u-42", claims={"name": "Ada Byron"}),))
    # By its number: a bare machine may not know the name localhost, which the provider's own server insists on.
    server = make_server("127.0.0.1", 0, provider, threaded=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    url = f"http://127.0.0.1:{server.server_port}"
    app = {
        "provider_id": "uni",
        "name": "Example University",
        "client_id": "hourglass",
        "secret": "s3cret",
        "settings": {"server_url": url, "oauth_pkce_enabled": True},
    }
    settings.SOCIALACCOUNT_PROVIDERS = {"openid_connect": {"APPS": [app]}}
    yield url
    server.shutdown()
    thread.join(10)


def walk_in(base: str, sub: str, email: str) -> httpx.Client:
    """Sign in through the university as a browser does, following every redirect."""
    browser = httpx.Client(base_url=base, follow_redirects=True, timeout=20)
    page = browser.get("/accounts/oidc/uni/login/")
    token = page.cookies.get("csrftoken") or browser.cookies["csrftoken"]
    asked = browser.post("/accounts/oidc/uni/login/", data={"csrfmiddlewaretoken": token})
    browser.post(str(asked.url), data={"sub": sub})
    return browser


def test_a_university_account_lets_in_and_is_known_by_its_sub(university, live_server):
    put = httpx.put(f"{university}/users/u-42", json=ADA)
    assert put.status_code < 300

    walk_in(live_server.url, "u-42", "ada@uni.example")

    ada = User.objects.get()
    assert ada.wallet is not None
    assert ada.socialaccount_set.get().uid == "u-42"

    httpx.put(f"{university}/users/u-42", json=ADA | {"email": "king@uni.example"})
    again = walk_in(live_server.url, "u-42", "king@uni.example")
    assert again.get("/accounts/profile/").status_code == 200
    assert User.objects.count() == 1
    assert threading.active_count() > 1
    assert parse_qs(urlsplit(str(again.get("/accounts/profile/").url)).query) == {}
