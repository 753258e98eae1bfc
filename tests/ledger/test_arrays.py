"""Array literals come back from Postgres as what they were, whatever is in them."""

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ledger.arrays import integers, optional_integers, rows, texts

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
@given(st.lists(bigints))
def test_integers(values):
    assert back(integers(values), "bigint") == values


@anything
@given(st.lists(st.none() | bigints))
def test_optional_integers(values):
    assert back(optional_integers(values), "bigint") == values


@anything
@given(st.lists(st.tuples(st.none() | strings, st.none() | bigints, st.none() | st.binary())))
def test_rows(values):
    with connection.cursor() as cursor:
        cursor.execute("DROP TYPE IF EXISTS pg_temp.some_row")
        cursor.execute("CREATE TYPE pg_temp.some_row AS (word text, number bigint, bytes bytea)")
        cursor.execute("SELECT * FROM unnest(%s::pg_temp.some_row[])", [rows(values)])
        found = cursor.fetchall()

    assert [(word, number, None if some is None else bytes(some)) for word, number, some in found] == values
