"""TigerBeetle's own tests, as portable cases and as its tables: every case through the ledger's door."""

import json
from datetime import timedelta
from pathlib import Path

import pytest

from tests.clock import clock_ahead
from tests.ledger.portable import Portable

CASES = Path(__file__).resolve().parents[3] / "shared" / "data" / "vectors" / "double-entry"
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not CASES.is_dir(), reason="the shared vectors are not beside this checkout"),
]


def portable_cases() -> list[dict]:
    files = sorted(CASES.glob("cases*.json"))
    return [case for file in files for case in json.loads(file.read_text())["cases"]]


@pytest.mark.parametrize("case", portable_cases(), ids=lambda case: case["name"])
def test_a_portable_case(case):
    portable = Portable(case["name"])

    with clock_ahead(timedelta(0)):
        portable.run(case["steps"])

    print(f"{case['name']}: {portable.checked} steps checked, {portable.skipped} left out by choice of design")
    assert portable.checked > 0
