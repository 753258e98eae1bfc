"""Array literals of numbers: one parameter type whatever their sizes, so that one prepared statement serves all."""

from collections.abc import Iterable


def integers(values: Iterable[int]) -> str:
    return "{" + ",".join(map(str, values)) + "}"


def optional_integers(values: Iterable[int | None]) -> str:
    """The same with nothing in some places."""
    return "{" + ",".join("NULL" if value is None else str(value) for value in values) + "}"
