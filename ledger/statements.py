"""Statements in Postgres's own style of parameters, $1 and on, for the cursors of ledger.pipelining: what is asked for
again and again is sent as it stands, where the driver's own style is taken apart first, each time anew where there are
many."""

from collections.abc import Sequence


def call(function: str, types: Sequence[str]) -> str:
    """The call of a function with parameters of these types, in order; its rows are the answer."""
    return f"SELECT * FROM {act(function, types).removeprefix('SELECT ')}"  # noqa: S608 - names of our own


def act(function: str, types: Sequence[str]) -> str:
    """The call of one that answers nothing: Postgres makes no table for its rows."""
    places = ", ".join(f"${number}::{type_}" for number, type_ in enumerate(types, 1))
    return f"SELECT {function}({places})"
