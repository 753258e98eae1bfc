"""What a CSV file of grants says: a function from bytes to lines and problems, without database or clock."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from django.utils.translation import gettext as _

from portal.grants.errors import BadUpload, Problem

COLUMNS = ("email", "series", "amount")
LARGEST_FILE = 1_000_000
MOST_LINES = 5_000
# Hours or credits: plain figures with at most two decimals, so that 1e9, NaN and thousands separators are refused.
FIGURE = re.compile(r"^\d{1,9}(\.\d{1,2})?$", re.ASCII)


@dataclass(frozen=True)
class Line:
    """One grant as written; `number` is the line in the file, the head being line 1."""

    number: int
    email: str
    series: str
    amount: Decimal


def parse(data: bytes) -> tuple[list[Line], list[Problem]]:
    """The file's lines, and what is wrong with the others. Raises BadUpload when it cannot be read at all."""
    if len(data) > LARGEST_FILE:
        raise BadUpload(_("The file is larger than a megabyte."))
    text = _decoded(data)
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        head = [cell.strip().lower() for cell in next(rows, [])]
        missing = [column for column in COLUMNS if column not in head]
        if missing:
            said = _("Line 1 must name the columns email, series and amount; it lacks %(missing)s.")
            raise BadUpload(said % {"missing": ", ".join(missing)})
        numbered = ((rows.line_num, row) for row in rows)
        return _lines(numbered, [head.index(column) for column in COLUMNS], len(head))
    except csv.Error as error:
        raise BadUpload(_("Line %(line)d is not CSV.") % {"line": rows.line_num}) from error


def _decoded(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        said = _("Line %(line)d is not UTF-8. Save the file as “CSV UTF-8” and upload it again.")
        raise BadUpload(said % {"line": line}) from error
    if "\x00" in text:
        raise BadUpload(_("Line %(line)d holds a NUL character.") % {"line": text.partition("\x00")[0].count("\n") + 1})
    return text


def _lines(rows: Iterator[tuple[int, list[str]]], places: list[int], width: int) -> tuple[list[Line], list[Problem]]:
    lines: list[Line] = []
    problems: list[Problem] = []
    seen: dict[tuple[str, str], int] = {}
    for number, row in rows:
        if not any(cell.strip() for cell in row):
            continue
        if len(lines) + len(problems) >= MOST_LINES:
            raise BadUpload(_("The file has more than %(most)d lines.") % {"most": MOST_LINES})
        if len(row) != width:
            said = _("%(here)d columns where the first line has %(there)d.")
            problems.append(Problem(number, said % {"here": len(row), "there": width}))
            continue
        email, series, amount = (row[place].strip() for place in places)
        email = email.lower()
        problem = _problem(email, series, amount)
        if problem is None and (email, series) in seen:
            problem = _("repeats line %(line)d.") % {"line": seen[email, series]}
        if problem is not None:
            problems.append(Problem(number, problem))
            continue
        seen[email, series] = number
        lines.append(Line(number, email, series, Decimal(amount)))
    if not lines and not problems:
        raise BadUpload(_("The file has no lines below the first."))
    return lines, problems


def _problem(email: str, series: str, amount: str) -> str | None:
    if not email or len(email) > 254:
        return _("no e-mail address.")
    if not series or len(series) > 40:
        return _("no series.")
    if not FIGURE.match(amount):
        said = _("“%(amount)s” is no amount; write figures with at most two decimals, such as 12.50.")
        return said % {"amount": amount[:20]}
    return _("the amount must be above zero.") if Decimal(amount) <= 0 else None
