"""An address with a NUL in it finds nothing, whoever asks: in a path, or in a filter of the admin."""

import re

import pytest
from django.contrib import admin
from django.urls import reverse

from tests.journeys.matrix import RULES
from tests.journeys.world import arguments, make

pytestmark = pytest.mark.django_db(transaction=True)
# What addresses take as any text; other parts are numbers, words or ids by their pattern.
FREE = {"code", "path"}
# What pages ask for behind their address.
QUESTIONS = ["page", "before", "q", "series", "entry", "interval", "side", "example", "next"]
ASKED = re.compile(r"[?&;]([a-z_]+)=")


def test_a_nul_finds_nothing_on_any_page(settings, tmp_path):
    two = make(settings, tmp_path)
    pages = [name for name, rule in RULES.items() if rule.get and not name.startswith("api:")]
    texts = {name: arguments(name, two.objects["here"]) for name in pages}
    paths = [
        reverse(name, kwargs=kept | dict.fromkeys(FREE & set(kept), "\0"))
        for name, kept in texts.items()
        if FREE & set(kept)
    ]
    questions = [f"{reverse(name, kwargs=kept)}?{asked}=%00" for name, kept in texts.items() for asked in QUESTIONS]
    assert len(paths) > 10 < len(questions)

    for role in ("anonymous", "auditor", "researcher"):
        client = two.client(role)
        wrong = [(path, code) for path in paths if (code := client.get(path).status_code) not in {302, 404, 405}]
        wrong += [(path, code) for path in questions if (code := client.get(path).status_code) >= 500]
        assert wrong == [], role


def test_a_nul_in_a_filter_of_the_admin_finds_nothing(settings, tmp_path):
    client, asked = make(settings, tmp_path).client("auditor"), 0
    for model in admin.site._registry:
        address = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for name in {"q", *ASKED.findall(client.get(address).content.decode())}:
            asked += 1
            assert client.get(f"{address}?{name}=%00").status_code == 404, (address, name)
    assert asked > 40
