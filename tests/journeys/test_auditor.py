"""An auditor sees all and can write nothing: every route of the site refuses their posts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.contrib import admin
from django.urls import NoReverseMatch, reverse

from portal.people.middleware import OWN_AFFAIRS
from tests.journeys.matrix import ADMIN_FRAME, ADMIN_PAGES, ALLAUTH, REDIRECTS, RULES
from tests.journeys.test_access_matrix import MODEL_PAGES, model_routes, routes
from tests.journeys.world import Two, arguments, make

pytestmark = pytest.mark.django_db(transaction=True)


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


def test_every_post_of_an_auditor_is_refused(settings, tmp_path):
    two = make(settings, tmp_path)
    client, let_through, asked = two.client("auditor"), [], set()

    for name, url in addresses(two):
        asked.add(name)
        if url.startswith(OWN_AFFAIRS):
            continue
        for method in ("post", "put", "patch", "delete"):
            code = getattr(client, method)(url).status_code
            if code != 403:
                let_through.append(f"{method} {name} ({url}): {code}")

    assert let_through == []
    assert {name for name in routes() if not name.startswith((*ALLAUTH, *REDIRECTS))} <= asked
    assert model_routes() <= asked
