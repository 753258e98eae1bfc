"""The schema is whole and true: what schemathesis makes of it finds no fault and no answer that it does not tell."""

import io
import itertools
from collections import Counter

import hypothesis
import pytest
import schemathesis
from django.core.management import call_command
from django.test import Client
from hypothesis import HealthCheck, Phase
from schemathesis import GenerationMode
from schemathesis.checks import (
    not_a_server_error,
)
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from portal.wsgi import application
from tests.api.builders import V1, a_market, an_order
from tests.api.test_keys import WITHOUT_A_KEY
from tests.full import count
from tests.scheduler.builders import drawn_class

pytestmark = pytest.mark.django_db(transaction=True)
EXAMPLES = 300  # of each operation with --full; a tenth without


def test_the_schema_is_made_without_a_warning():
    out = io.StringIO()

    call_command("spectacular", "--validate", "--fail-on-warn", "--api-version", "v1", stdout=out)

    assert out.getvalue().startswith("openapi: 3.1")


def test_the_schema_is_served_to_everybody_and_says_which_problems_there_are():
    schema = Client().get(f"{V1}schema/").json()

    assert schema["openapi"].startswith("3.1")
    for path, methods in schema["paths"].items():
        for method, operation in methods.items():
            answers = operation["responses"]
            keyed = (method.upper(), path) not in WITHOUT_A_KEY
            always = {"400", "401", "403", "429"} if keyed else {"400", "422", "429"}
            assert always <= set(answers), (method, path)
            for status, answer in answers.items():
                if int(status) >= 400:
                    assert list(answer["content"]) == ["application/problem+json"], (method, path, status)
            assert operation.get("security") == ([{"key": []}] if keyed else None), (method, path)
            assert operation["description"], (method, path)


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=["fits", "does_not_fit"])
def test_whether_or_not_it_fits_the_schema_nothing_is_a_fault_or_answered_otherwise(mode, settings, tmp_path):
    settings.API_RATES = dict.fromkeys(settings.API_RATES, 10**9)
    settings.HOURGLASS_JOBS_DIR = str(tmp_path)
    drawn_class()
    market = a_market()
    order = market.ada.post("orders/", an_order())
    schema = schemathesis.openapi.from_wsgi(f"{V1}schema/", application)
    checks = [not_a_server_error, status_code_conformance, content_type_conformance, response_schema_conformance]
    statuses: Counter[int] = Counter()
    # What the schema cannot know: every other request is about something that exists.
    known = {"code": "H100-2026Q4", "order_id": order.json["id"], "entry_id": 1}
    real = {"instrument": "H100-2026Q4", "asset": "H100-2026Q4", "to": str(market.bob.wallet.public_id)}
    real |= {"wallet": str(market.ada.wallet.public_id)}
    turns = itertools.cycle([known, {}])

    for result in schema.get_all_operations():
        operation = result.ok()

        @hypothesis.settings(
            max_examples=count(EXAMPLES), derandomize=True, database=None, deadline=None, phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @hypothesis.given(case=operation.as_strategy(generation_mode=mode))
        def ask(case):
            if case.path_parameters:
                mine = next(turns)
                case.path_parameters |= {name: mine[name] for name in case.path_parameters if name in mine}
            if isinstance(case.body, dict) and next(turns):
                case.body |= {name: real[name] for name in case.body if name in real}
            response = case.call(headers={"Authorization": f"Bearer {market.ada.secret}"})
            statuses[response.status_code] += 1
            case.validate_response(response, checks=checks)

        ask()

    print(f"{sum(statuses.values())} requests: {dict(sorted(statuses.items()))}")
    assert sum(statuses.values()) > 20 * count(EXAMPLES) // 2
    assert len(statuses) > 3
