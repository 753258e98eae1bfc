"""Rows of a bench: for people a table, with --json a list of {name, per_second, ratio, ratio_to}."""

import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Row:
    name: str
    per_second: float
    ratio: float
    ratio_to: str


def print_rows(rows: Sequence[Row], *, as_json: bool) -> None:
    if as_json:
        print(json.dumps([asdict(row) for row in rows], indent=1))
        return
    width = max(len(row.name) for row in rows)
    print(f"{'':{width}}  per second     ratio  to")
    for row in rows:
        print(f"{row.name:{width}}  {row.per_second:10,.1f}  {row.ratio:8.2f}  {row.ratio_to}")


def say(text: str) -> None:
    """Progress, beside the rows and not among them."""
    print(text, file=sys.stderr, flush=True)
