"""The schema's examples are true: requests are taken as they stand, answers are what the schema says."""

import json
from typing import Any

import pytest
from django.test import Client
from jsonschema import Draft202012Validator

from market.feed import checksum
from tests.api.builders import V1, a_market, an_order
from tests.scheduler.builders import drawn_class

pytestmark = pytest.mark.django_db(transaction=True)


def operations() -> Any:
    schema = Client().get(f"{V1}schema/").json()
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            yield schema, path, method.upper(), operation


def examples(content: dict[str, Any]) -> dict[str, Any]:
    return {name: each["value"] for media in content.values() for name, each in media.get("examples", {}).items()}


def test_every_body_has_an_example_that_is_taken(settings, tmp_path):
    settings.HOURGLASS_JOBS_DIR = str(tmp_path)
    drawn_class()
    market = a_market()
    taken = []
    for _schema, path, method, operation in operations():
        if "requestBody" not in operation:
            continue
        bodies = examples(operation["requestBody"]["content"])
        assert bodies, (method, path)
        for name, body in bodies.items():
            if path.endswith("/device/token/"):
                continue  # a secret nobody has
            if "to" in body:
                body["to"] = str(market.bob.wallet.public_id)
            order = market.ada.post("orders/", an_order(limit_price=10)).json["id"]
            answer = market.ada.send(method, path.removeprefix(V1).format(order_id=order), body)
            assert answer.status in {200, 201}, (method, path, name, answer)
            taken.append(name)

    print(f"\ntaken: {', '.join(taken)}")
    assert len(taken) >= 10


def test_every_answer_in_an_example_is_of_its_schema():
    seen = 0
    for schema, path, method, operation in operations():
        for status, answer in operation["responses"].items():
            for media in answer.get("content", {}).values():
                validator = Draft202012Validator(media["schema"] | {"components": schema["components"]})
                for name, value in examples({"": media}).items():
                    faults = [error.message for error in validator.iter_errors(value)]
                    assert faults == [], (method, path, status, name, json.dumps(value))
                    seen += 1
    assert seen >= 8


def test_the_books_example_has_the_checksum_that_the_documentation_makes():
    (value,) = (
        next(iter(examples(operation["responses"]["200"]["content"]).values()))
        for _schema, path, _method, operation in operations()
        if path.endswith("/book/")
    )

    rows = {side: [(each["price"], each["quantity"]) for each in value[side]] for side in ("asks", "bids")}
    assert checksum(rows["asks"], rows["bids"]) == value["checksum"]
