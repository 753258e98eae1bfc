"""Statements in Postgres's own style of parameters, $1 and on, for psycopg.RawCursor: what is asked for again and again
is sent as it stands, where the driver's own style is taken apart first, each time anew where there are many."""

from collections.abc import Sequence


def call(function: str, types: Sequence[str]) -> str:
    """The call of a function with parameters of these types, in order."""
    places = ", ".join(f"${number}::{type_}" for number, type_ in enumerate(types, 1))
    return f"SELECT * FROM {function}({places})"  # noqa: S608 - names of our own
