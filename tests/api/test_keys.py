"""Keys: what each scope opens, whose objects a key reaches, and how keys are made and revoked."""

import hashlib
import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from psycopg.pq import TransactionStatus

from portal.api.keys import MOST_KEYS, ask_for_key, key_in, make_key, revoke_key
from portal.api.models import ApiKey
from portal.people.access import roles_of
from portal.people.models import Membership, User
from tests.api.builders import SCOPES, V1, Api, a_market, an_order
from tests.people.builders import PASSWORD, Role, some_department, some_person
from tests.scheduler.builders import drawn_class

pytestmark = pytest.mark.django_db(transaction=True)

# Every method of every route that takes a key, with the scope that it needs.
NEEDS: list[tuple[str, str, str]] = [
    ("GET", "instruments/", "read"),
    ("GET", "instruments/H100-2026Q4/", "read"),
    ("GET", "instruments/H100-2026Q4/book/", "read"),
    ("GET", "instruments/H100-2026Q4/trades/", "read"),
    ("GET", "instruments/H100-2026Q4/candles/", "read"),
    ("GET", "instruments/H100-2026Q4/statistics/", "read"),
    ("GET", "index/", "read"),
    ("GET", "conversions/", "read"),
    ("GET", "concentrations/", "read"),
    ("GET", "orders/", "read"),
    ("POST", "orders/", "trade"),
    ("POST", "orders/bulk/", "trade"),
    ("POST", "orders/cancel-all/", "trade"),
    ("GET", "orders/{order}/", "read"),
    ("PATCH", "orders/{order}/", "trade"),
    ("DELETE", "orders/{order}/", "trade"),
    ("GET", "cancel-timer/", "read"),
    ("PUT", "cancel-timer/", "trade"),
    ("GET", "balances/", "read"),
    ("GET", "transfers/", "read"),
    ("POST", "transfers/", "transfer"),
    ("GET", "receipts/1/", "read"),
    ("GET", "redemptions/", "read"),
    ("POST", "redemptions/", "redeem"),
    ("GET", "redemptions/{job}/", "read"),
    ("DELETE", "redemptions/{job}/", "redeem"),
]
# How a program gets its first key.
WITHOUT_A_KEY = {("POST", "/api/v1/device/"), ("POST", "/api/v1/device/token/")}
WRITES = [each for each in NEEDS if each[0] != "GET"]


def things(api: Api) -> dict[str, str]:
    """An order and a job of this person."""
    order = api.post("orders/", an_order())
    job = api.post("redemptions/", a_wish())
    assert (order.status, job.status) == (201, 201), (order, job)
    return {"order": order.json["id"], "job": job.json["id"]}


def a_wish() -> dict[str, object]:
    return {
        "asset": "H100-2026Q4", "kind": "SCRIPT", "gpus": 1, "walltime_minutes": 1, "job_name": "j", "script": "true\n",
    }  # fmt: skip


def test_the_list_of_what_needs_which_scope_is_the_schemas_own():
    schema = Client().get(f"{V1}schema/").json()

    said = {(method.upper(), path) for path, methods in schema["paths"].items() for method in methods}

    forms = {
        "H100-2026Q4": "{code}",
        "{order}": "{order_id}",
        "s/1/": "s/{entry_id}/",
        "{job}": "{public_id}",
    }
    listed = set()
    for method, path, _scope in NEEDS:
        for ours, theirs in forms.items():
            path = path.replace(ours, theirs)
        listed.add((method, V1 + path))
    assert said == listed | WITHOUT_A_KEY


def test_69_a_key_opens_what_its_scopes_say_and_nothing_else(settings, tmp_path):
    settings.HOURGLASS_JOBS_DIR = str(tmp_path)
    drawn_class()
    market = a_market()
    mine = things(market.ada)
    wrong = []
    for scope in SCOPES:
        api = Api(market.ada.user, scope)
        for method, path, needed in NEEDS:
            answer = api.send(method, path.format(**mine))
            refused = answer.status == 403 and answer.code == "scope_missing"
            if refused != (scope != needed):
                wrong.append((scope, method, path, answer))

    assert wrong == []


def test_without_a_key_in_use_nothing_is_answered():
    market = a_market()
    now, user = timezone.now(), market.ada.user
    expired = make_key(user_id=user.id, name="x", scopes=["read"], days=1, now=now - timedelta(days=1))[1]
    revoked, secret = make_key(user_id=user.id, name="y", scopes=["read"], days=1, now=now)
    revoke_key(key_id=revoked.id, now=now)
    session = Client()
    session.force_login(user)

    bad = ["", "Bearer", "Bearer ", "Bearer hg_nobody", "Bearer hg_ключ", "Basic YTpi", f"Token {market.ada.secret}"]
    bad += [f"Bearer {each}" for each in (expired, secret, market.ada.secret[:-1], f"{market.ada.secret} x")]
    for header in bad:
        for method, path, _scope in NEEDS:
            answer = session.generic(method, V1 + path.format(order=1, job=1), headers={"Authorization": header})
            if "{job}" in path:
                continue
            assert (answer.status_code, answer.json()["code"] in {"key_needed", "bad_key"}) == (401, True), header
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    User.objects.filter(id=user.id).update(is_active=False)
    assert market.ada.get("balances/").status == 401


def test_all_that_a_request_asks_about_its_person_comes_with_the_key():
    department = some_department()
    dora = some_person("Dora", (Role.DEPARTMENT_ADMIN, department), (Role.OPERATOR, None))
    User.objects.filter(id=dora.id).update(is_superuser=True)
    made, secret = make_key(user_id=dora.id, name="x", scopes=["trade", "read"], days=1, now=timezone.now())

    with CaptureQueriesContext(connection) as later:
        asked = ask_for_key(f"Bearer {secret}")
        assert asked is not None
        key = key_in(asked)
        assert key is not None
        assert (key.id, key.scopes, bytes(key.digest)) == (made.id, ["read", "trade"], bytes(made.digest))
        assert (key.expires_at, key.revoked_at, key.last_used_at) == (made.expires_at, None, None)
        assert (key.user.id, key.user.is_active, key.user.is_superuser) == (dora.id, True, True)
        assert roles_of(key.user) == {"DEPARTMENT_ADMIN", "OPERATOR"}
        assert (key.user.wallet.id, key.user.wallet.public_id) == (dora.wallet.id, dora.wallet.public_id)

    assert len(later) == 0
    assert (key.name, key.user.email, key.user.wallet.name) == ("x", dora.email, dora.wallet.name)


@pytest.mark.parametrize("path", ["nothing/", "schema/", "orders/x/", "instruments/?x=1"])
def test_a_key_that_was_asked_for_in_vain_leaves_the_connection_as_it_was(path):
    market = a_market()

    market.ada.get(path)

    assert connection.connection.info.pipeline_status == 0
    assert connection.connection.info.transaction_status == TransactionStatus.IDLE
    assert market.ada.get("balances/").status == 200


def test_what_a_person_becomes_counts_from_the_next_request():
    market = a_market()
    order = market.ada.post("orders/", an_order()).json["id"]

    Membership.objects.create(user=market.ada.user, role=Role.OPERATOR, created_at=timezone.now())
    refused = market.ada.post("orders/", an_order())
    amended = market.ada.send("PATCH", f"orders/{order}/", {"quantity": 1})
    cancelled = market.ada.send("DELETE", f"orders/{order}/")
    Membership.objects.filter(user=market.ada.user).delete()

    assert [(each.status, each.code) for each in (refused, amended)] == [(422, "administers_market")] * 2
    assert cancelled.status == 200
    assert market.ada.post("orders/", an_order()).status == 201


def test_the_database_parses_what_every_order_asks_only_once():
    market = a_market()

    for _ in range(2):
        market.ada.post("orders/", an_order())

    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements")
        prepared = " ".join(row[0] for row in cursor.fetchall())
    assert all(name in prepared for name in ("api_apikey", "market_enter", "market_write"))


def test_somebody_elses_object_is_as_missing_as_one_that_never_was(settings, tmp_path):
    settings.HOURGLASS_JOBS_DIR = str(tmp_path)
    drawn_class()
    market = a_market()
    theirs, nobody = things(market.ada), {"order": 987_654, "job": "00000000-0000-0000-0000-000000000001"}
    for method, path, _scope in NEEDS:
        if "{" in path:
            bodies = {"PATCH": {"quantity": 1}}
            foreign, missing = (
                market.bob.send(method, path.format(**which), bodies.get(method)) for which in (theirs, nobody)
            )
            assert (foreign.status, foreign.json) == (404, missing.json), (method, path)
    wallet = str(market.ada.wallet.public_id)
    for path in ("orders/", "balances/", "transfers/", "redemptions/", "cancel-timer/"):
        assert market.bob.get(f"{path}?wallet={wallet}").status == 404
    named = [
        market.bob.post("orders/", an_order(wallet=wallet)),
        market.bob.post("orders/bulk/", {"wallet": wallet, "orders": [an_order(client_order_id="x")]}),
        market.bob.post("orders/cancel-all/", {"wallet": wallet}),
        market.bob.send("PUT", "cancel-timer/", {"wallet": wallet, "seconds": 5}),
        market.bob.post("transfers/", {"wallet": wallet, "to": wallet, "asset": "CREDITS", "amount": 1}),
        market.bob.post("redemptions/", a_wish() | {"wallet": wallet}),
    ]
    assert [(each.status, each.json["field"]) for each in named] == [(404, "wallet")] * len(named)
    assert market.ada.get(f"orders/{theirs['order']}/").json["status"] == "OPEN"


def test_a_department_admin_acts_for_the_departments_wallet():
    department = some_department()
    admin = Api(some_person("Dora", (Role.DEPARTMENT_ADMIN, department)))
    wallet = str(department.wallet.public_id)

    assert admin.get(f"balances/?wallet={wallet}").json["wallet"] == wallet
    assert admin.post("orders/cancel-all/", {"wallet": wallet}).status == 200


def test_auditors_read_everything_and_change_nothing(settings, tmp_path):
    settings.HOURGLASS_JOBS_DIR = str(tmp_path)
    drawn_class()
    market = a_market()
    theirs = things(market.ada)
    otto = Api(some_person("Otto", (Role.AUDITOR, None)))

    for path in ("orders/{order}/", "redemptions/{job}/"):
        assert otto.get(path.format(**theirs)).status == 200
    assert otto.get(f"balances/?wallet={market.ada.wallet.public_id}").status == 200
    for method, path, _scope in WRITES:
        answer = otto.send(method, path.format(**theirs))
        assert (answer.status, answer.code) == (403, "auditors_write_nothing"), (method, path)


def test_a_key_is_made_on_a_page_after_showing_who_one_is_and_shown_once():
    ada, browser = some_person("Ada"), Client()
    browser.force_login(ada)
    wanted = {"name": "notebook", "scopes": ["read", "trade"], "days": "7"}

    asked = browser.post("/accounts/keys/", wanted)
    assert (asked.status_code, asked["Location"].split("?")[0]) == (302, "/accounts/reauthenticate/")
    assert ApiKey.objects.count() == 0
    browser.post(asked["Location"], {"password": PASSWORD}, follow=True)
    made = browser.post("/accounts/keys/", wanted)

    secret = re.search(r"hg_[\w-]{43}", made.content.decode())
    assert secret is not None
    assert "no-store" in made["Cache-Control"]
    key = ApiKey.objects.latest("id")
    assert bytes(key.digest) == hashlib.sha256(secret[0].encode()).digest()
    assert secret[0].startswith(key.prefix)
    assert secret[0] not in browser.get("/accounts/keys/").content.decode()
    assert Api(ada, secret=secret[0]).get("balances/").status == 200
    key.refresh_from_db()
    assert key.last_used_at is not None
    assert browser.post(f"/accounts/keys/{key.id}/revoke/").status_code == 302
    assert Api(ada, secret=secret[0]).get("balances/").code == "bad_key"


def test_a_bad_form_makes_no_key_and_nobody_revokes_anothers():
    market = a_market()
    browser = Client()
    browser.login(email=market.bob.user.email, password=PASSWORD)
    location = browser.post("/accounts/keys/", {})["Location"]
    browser.post(location, {"password": PASSWORD})
    keys, theirs = ApiKey.objects.count(), ApiKey.objects.get(user=market.ada.user)

    for bad in ({}, {"name": "x", "scopes": ["root"], "days": "7"}, {"name": "x", "scopes": ["read"], "days": "9999"}):
        assert browser.post("/accounts/keys/", bad).status_code == 422
    assert browser.post(f"/accounts/keys/{theirs.id}/revoke/").status_code == 404

    assert ApiKey.objects.count() == keys
    assert market.ada.get("balances/").status == 200


def test_nobody_has_more_than_twenty_keys_in_use():
    ada, browser = some_person("Ada"), Client()
    for _ in range(MOST_KEYS):
        make_key(user_id=ada.id, name="k", scopes=["read"], days=1, now=timezone.now())
    browser.force_login(ada)
    browser.post(browser.post("/accounts/keys/", {})["Location"], {"password": PASSWORD})

    answer = browser.post("/accounts/keys/", {"name": "one more", "scopes": ["read"], "days": "7"})

    assert answer.status_code == 422
    assert ApiKey.objects.filter(user=ada).count() == MOST_KEYS
