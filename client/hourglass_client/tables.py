"""Tables for people: plain text, numbers to the right."""

from __future__ import annotations

from collections.abc import Sequence


def table(heads: Sequence[str], rows: Sequence[Sequence[str]], empty: str) -> str:
    """Columns as wide as they need; a head that ends in a unit stands over numbers. `empty` where there is no row."""
    if not rows:
        return f"{empty}\n"
    # What comes from others is shown, never obeyed: no control characters reach the terminal.
    cells = [[_plain(cell) for cell in row] for row in (heads, *rows)]
    widths = [max(len(row[place]) for row in cells) for place in range(len(heads))]
    right = [head.endswith(("GPU-h", "cr", "s", "GPU-s")) for head in heads]
    lines = [
        "  ".join(
            cell.rjust(width) if is_right else cell.ljust(width)
            for cell, width, is_right in zip(row, widths, right, strict=True)
        ).rstrip()
        for row in cells
    ]
    return "\n".join(lines) + "\n"


def _plain(text: str) -> str:
    return "".join(letter if letter.isprintable() else "?" for letter in text)
