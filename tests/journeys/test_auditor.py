"""An auditor sees all and can write nothing: every route of the site refuses their posts, by session and by key.

The API knows nobody by a session (tests/api/test_headers.py), so an auditor is asked about there by a key of theirs.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.apps import apps
from django.contrib import admin
from django.db import connection
from django.urls import NoReverseMatch, reverse

from portal.people.middleware import OWN_AFFAIRS
from tests.api.builders import Api
from tests.journeys.matrix import ADMIN_FRAME, ADMIN_PAGES, ALLAUTH, REDIRECTS, RULES
from tests.journeys.test_access_matrix import MODEL_PAGES, model_routes, routes
from tests.journeys.world import Two, arguments, make

pytestmark = pytest.mark.django_db(transaction=True)
METHODS = ("post", "put", "patch", "delete")
# Where the API asks nobody who they are. What a program gets there is worth nothing until a person approves it.
ASKS_NOBODY = {
    "api:schema": {"post": 405, "put": 405, "patch": 405, "delete": 405},
    "api:device-start": {"post": 422, "put": 405, "patch": 405, "delete": 405},
    "api:device-token": {"post": 422, "put": 405, "patch": 405, "delete": 405},
    "api-unknown": {"post": 404, "put": 404, "patch": 404, "delete": 404},
}
# What asking by itself leaves behind: when a session and a key were last used.
TRACES = {"django_session", "usersessions_usersession", "api_apikey"}


def addresses(two: Two) -> Iterator[tuple[str, str]]:
    """Every route by its name, with an object of the auditor's own site."""
    objects = two.objects["here"]
    for name in RULES:
        yield name, reverse(name, kwargs=arguments(name, objects))
    for model in admin.site._registry:
        label = model._meta.label_lower
        for page in MODEL_PAGES:
            name = f"admin:{label.replace('.', '_')}_{page}"
            key = [objects[label]] if page in {"change", "history", "delete"} else []
            yield name, reverse(name, args=key)
    for name in ADMIN_PAGES:
        with_object = "" not in ADMIN_PAGES[name]
        labels = [model._meta.label_lower for model in admin.site._registry]
        label = next((label for label in labels if name.startswith(label.replace(".", "_") + "_")), "")
        yield f"admin:{name}", reverse(f"admin:{name}", args=[objects[label]] if with_object else [])
    for name in ADMIN_FRAME:
        try:
            yield f"admin:{name}", reverse(f"admin:{name}")
        except NoReverseMatch:
            yield f"admin:{name}", reverse("admin:index")  # takes words of its own, and leads nowhere by itself


def of_the_api(name: str) -> bool:
    return name.startswith("api:") or name == "api-unknown"


def all_that_is_written() -> dict[str, str]:
    """A digest of every table."""
    tables = {model._meta.db_table for model in apps.get_models(include_auto_created=True)} - TRACES
    digests = {}
    with connection.cursor() as cursor:
        for table in sorted(tables):
            cursor.execute(f"SELECT md5(string_agg(t::text, ' ' ORDER BY t::text)) FROM {table} t")
            digests[table] = cursor.fetchone()[0]
    return digests


def test_every_post_of_an_auditor_is_refused(settings, tmp_path):
    two = make(settings, tmp_path)
    client, let_through, asked = two.client("auditor"), [], set()
    before = all_that_is_written()

    for name, url in addresses(two):
        asked.add(name)
        if url.startswith(OWN_AFFAIRS) or of_the_api(name):
            continue
        for method in METHODS:
            code = getattr(client, method)(url).status_code
            if code != 403:
                let_through.append(f"{method} {name} ({url}): {code}")

    assert let_through == []
    assert all_that_is_written() == before
    assert {name for name in routes() if not name.startswith((*ALLAUTH, *REDIRECTS))} <= asked
    assert model_routes() <= asked


def test_every_post_with_an_auditors_key_is_refused(settings, tmp_path):
    two = make(settings, tmp_path)
    auditor, browser = two.people["auditor"], two.client("auditor")
    assert auditor is not None
    otto, wrong, asked = Api(auditor), [], 0
    before = all_that_is_written()

    for name, url in addresses(two):
        if not of_the_api(name):
            continue
        for method in METHODS:
            by_key = otto.client.generic(method.upper(), url, b"{}", content_type="application/json")
            by_session = getattr(browser, method)(url, {}, content_type="application/json").status_code
            expected = ASKS_NOBODY.get(name, {}).get(method)
            if (by_key.status_code, by_session) != (expected or 403, expected or 401):
                wrong.append(f"{method} {name} ({url}): {by_key.status_code} by key, {by_session} by session")
            elif expected is None:
                assert by_key.json()["code"] == "auditors_write_nothing"
                assert by_key["Content-Type"] == "application/problem+json"
            asked += 1

    assert wrong == []
    assert asked == len(METHODS) * len([name for name in RULES if of_the_api(name)]) > len(METHODS) * len(ASKS_NOBODY)
    assert all_that_is_written() == before
    assert otto.get("balances/").status == 200, "it is a key that opens what may be read"
