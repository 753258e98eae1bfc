"""Every route of the site crossed with every role and with own, foreign and missing objects.

A route without a row here fails: nobody adds a page without saying who may see it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib import admin
from django.urls import NoReverseMatch, URLPattern, URLResolver, get_resolver, reverse

from tests.journeys.matrix import (
    ADDED_BY,
    ADMIN_FRAME,
    ADMIN_PAGES,
    ALLAUTH,
    LOGIN,
    OPEN_OF_ALLAUTH,
    REDIRECTS,
    ROLES,
    RULES,
    SHARED,
    STAFF,
    WATCHED,
)
from tests.journeys.world import NO_ID, Two, arguments, make

pytestmark = pytest.mark.django_db(transaction=True)
MODEL_PAGES = ("changelist", "add", "change", "history", "delete", "export")


def routes(patterns: list[Any] | None = None, space: str = "", path: str = "") -> Iterator[str]:
    """The names of all routes, and the paths of those without a name."""
    for pattern in patterns if patterns is not None else get_resolver().url_patterns:
        if isinstance(pattern, URLResolver):
            inner = f"{space}{pattern.namespace}:" if pattern.namespace else space
            yield from routes(pattern.url_patterns, inner, f"{path}{pattern.pattern}")
        elif isinstance(pattern, URLPattern):
            yield f"{space}{pattern.name}" if pattern.name else f"{path}{pattern.pattern}"


def model_routes() -> set[str]:
    labels = [f"{model._meta.app_label}_{model._meta.model_name}" for model in admin.site._registry]
    return {f"admin:{label}_{page}" for label in labels for page in MODEL_PAGES}


def test_every_route_has_a_row():
    said = set(RULES) | {f"admin:{name}" for name in ADMIN_FRAME | set(ADMIN_PAGES)} | model_routes()

    unsaid = {name for name in routes() if name not in said and not name.startswith((*ALLAUTH, *REDIRECTS))}

    assert unsaid == set(), "say in matrix.py who may see these"


def test_every_row_has_a_route():
    assert set(RULES) - set(routes()) == set()


@pytest.mark.parametrize("role", ROLES)
def test_every_page_answers_each_role_as_the_matrix_says(role, settings, tmp_path):
    two = make(settings, tmp_path)

    wrong = [*site(role, two), *administration(role, two), *ways_in(role, two)]

    assert wrong == []


def site(role: str, two: Two) -> list[str]:
    client = two.client(role)
    wrong = []
    for name, rule in RULES.items():
        for method, places in (("get", rule.get), ("post", rule.post)):
            for place, codes in places.items():
                objects = two.objects[place or "here"]
                url = reverse(name, kwargs=arguments(name, objects))
                data = {"wallet": objects["wallet"]} if name == "act-for" and method == "post" else {}
                answer = getattr(client, method)(url, data)
                if answer.status_code != codes[role]:
                    wrong.append(f"{method} {name} {place or '-'}: {answer.status_code}, not {codes[role]}")
                if codes[role] == LOGIN and role == "anonymous" and name != "set_language":
                    assert answer.headers["Location"].startswith("/accounts/login/"), url
    return wrong


def administration(role: str, two: Two) -> list[str]:
    client = two.client(role)
    wrong: list[str] = []

    def expect(code: int, url: str, method: str = "get", **data: str) -> None:
        answer = getattr(client, method)(url, data)
        if answer.status_code != code:
            wrong.append(f"{method} {url}: {answer.status_code}, not {code}")

    for model, page in admin.site._registry.items():
        label = model._meta.label_lower
        name = label.replace(".", "_")
        is_staff = role in STAFF
        expect(200 if is_staff else LOGIN, reverse(f"admin:{name}_changelist"))
        may_add = role in ADDED_BY.get(label, ())
        expect((200 if may_add else 403) if is_staff else LOGIN, reverse(f"admin:{name}_add"))
        expect((200 if page.exported else 403) if is_staff else LOGIN, reverse(f"admin:{name}_export"))
        for place in ("here", "there", "missing"):
            key = NO_ID if place == "missing" else two.objects[place][label]
            reaches = is_staff and place != "missing" and (label in SHARED or reach(role, place))
            reaches = reaches and (label not in WATCHED or role in {"auditor", "operator"})
            code = LOGIN if not is_staff else 200 if reaches else 404
            expect(code, reverse(f"admin:{name}_change", args=[key]))
            expect(code, reverse(f"admin:{name}_history", args=[key]))
            expect(deletes(role, label, place), reverse(f"admin:{name}_delete", args=[key]))
            refused = 403 if role == "auditor" else LOGIN if not is_staff else None
            if refused is not None:
                expect(refused, reverse(f"admin:{name}_change", args=[key]), "post")
                expect(refused, reverse(f"admin:{name}_delete", args=[key]), "post", post="yes")
    for name, places in ADMIN_PAGES.items():
        label = ".".join(name.split("_")[:2])
        for place, codes in places.items():
            key = NO_ID if place == "missing" else two.objects[place or "here"].get(label)
            url = reverse(f"admin:{name}", args=[key] if place else [])
            expect(codes[role], url)
            if codes[role] in {403, 404, LOGIN}:
                expect(codes[role], url, "post", reason="x")
    for name, code in (("index", 200), ("jsi18n", 200), ("search", 200)):
        expect(code if role in STAFF else LOGIN, reverse(f"admin:{name}"))
    return wrong


def reach(role: str, place: str) -> bool:
    return role in {"auditor", "operator"} or (role == "admin") == (place == "here")


def deletes(role: str, label: str, place: str) -> int:
    """Nothing is deleted in the admin but roles a department gives, by its own admin."""
    if role not in STAFF:
        return LOGIN
    if label != "people.membership" or role in {"auditor", "operator"}:
        return 403
    return 200 if place != "missing" and reach(role, place) else 404


def ways_in(role: str, two: Two) -> list[str]:
    """allauth's own pages fail nowhere and open nothing to visitors but the ways in."""
    client = two.client(role)
    faults = []
    for name in sorted(set(routes())):
        if not name.startswith(ALLAUTH):
            continue
        try:
            url = reverse(name)
        except NoReverseMatch:
            url = next(
                reverse(name, kwargs=kwargs)
                for kwargs in (
                    {"pk": NO_ID},
                    {"key": "ghost"},
                    {"uidb36": "1", "key": "ghost"},
                    {"provider_id": "ghost"},
                )
                if reverses(name, kwargs)
            )
        for method in ("get", "post"):
            if name == "account_logout" and method == "post":
                continue
            answer = getattr(client, method)(url)
            if answer.status_code >= 500:
                faults.append(f"{method} {url}: {answer.status_code}")
            if (method, role, answer.status_code) == ("get", "anonymous", 200) and name not in OPEN_OF_ALLAUTH:
                faults.append(f"{url} is open to everybody")
    return faults


def reverses(name: str, kwargs: dict[str, Any]) -> bool:
    try:
        reverse(name, kwargs=kwargs)
    except NoReverseMatch:
        return False
    return True
