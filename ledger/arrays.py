"""Array literals: one parameter type whatever their sizes, so that one prepared statement serves all, and written in
a tenth of the time that a driver takes for lists, which it looks through for what they hold."""

from collections.abc import Iterable


def integers(values: Iterable[int]) -> str:
    return "{" + ",".join(map(str, values)) + "}"


def optional_integers(values: Iterable[int | None]) -> str:
    """The same with nothing in some places."""
    return "{" + ",".join("NULL" if value is None else str(value) for value in values) + "}"


def texts(values: Iterable[str]) -> str:
    """Strings; what means something in a literal is escaped, which is looked for in all of them at once."""
    values = list(values)
    plain = '","'.join(values)
    if values and "\\" not in plain and plain.count('"') == 2 * (len(values) - 1):
        return f'{{"{plain}"}}'
    return "{" + ",".join(map(_quoted, values)) + "}"


def optional_texts(values: Iterable[str | None]) -> str:
    """The same with nothing in some places."""
    return "{" + ",".join("NULL" if value is None else _quoted(value) for value in values) + "}"


def byte_strings(values: Iterable[bytes]) -> str:
    return "{" + ",".join([f'"\\\\x{value.hex()}"' for value in values]) + "}"


def _quoted(value: str) -> str:
    escaped = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
