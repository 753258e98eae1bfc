"""Array literals come back from Postgres as what they were, whatever is in them."""

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.arrays import byte_strings, integers, optional_integers, optional_texts, texts

pytestmark = pytest.mark.django_db

anything = settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
# What a text column takes: no NUL, no half of a surrogate pair.
strings = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00")) | st.sampled_from(
    ["", "NULL", "null", '"', "\\", '\\"', "{}", "a,b", "}", " ", "\\x00", "'", "é\n\t", "{NULL}"]
)
bigints = st.integers(-(2**63), 2**63 - 1)


def back(literal: str, type_: str) -> object:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT %s::{type_}[]", [literal])
        return cursor.fetchone()[0]


@anything
@given(st.lists(strings))
def test_texts(values):
    assert back(texts(values), "text") == values


@anything
@given(st.lists(st.none() | strings))
def test_optional_texts(values):
    assert back(optional_texts(values), "text") == values


@anything
@given(st.lists(st.binary()))
def test_byte_strings(values):
    assert [bytes(value) for value in back(byte_strings(values), "bytea")] == values


@anything
@given(st.lists(bigints))
def test_integers(values):
    assert back(integers(values), "bigint") == values


@anything
@given(st.lists(st.none() | bigints))
def test_optional_integers(values):
    assert back(optional_integers(values), "bigint") == values
