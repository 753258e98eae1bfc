"""What a CSV file of grants says: a pure function from bytes to lines and problems."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation

from portal.grants.errors import BadUpload

COLUMNS = ("email", "series", "amount")
LARGEST_FILE = 1_000_000
MOST_LINES = 5_000
MOST_PROBLEMS = 50
# Hours or credits: plain figures with at most two decimals, so that 1e9, NaN and thousands separators are refused.
FIGURE = re.compile(r"^\d{1,9}(\.\d{1,2})?$", re.ASCII)


@dataclass(frozen=True)
class Line:
    """One grant as written; `number` is the line in the file, the head being line 1."""

    number: int
    email: str
    series: str
    amount: Decimal


def parse(data: bytes) -> tuple[list[Line], list[str]]:
    """The file's lines, and what is wrong with the others. Raises BadUpload when it cannot be read at all."""
    if len(data) > LARGEST_FILE:
        raise BadUpload(f"The file is larger than {LARGEST_FILE:,} bytes.")
    text = _decoded(data)
    rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        head = [cell.strip().lower() for cell in next(rows, [])]
        missing = [column for column in COLUMNS if column not in head]
        if missing:
            raise BadUpload(f"Line 1 must name the columns email, series and amount; it lacks {', '.join(missing)}.")
        return _lines(rows, [head.index(column) for column in COLUMNS], len(head))
    except csv.Error as error:
        raise BadUpload(f"Line {rows.line_num} is not CSV: {error}.") from error


def _decoded(data: bytes) -> str:
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise BadUpload(f"Line {line} is not UTF-8. Save the file as “CSV UTF-8” and upload it again.") from error
    if "\x00" in text:
        raise BadUpload(f"Line {text[: text.index(chr(0))].count(chr(10)) + 1} holds a NUL character.")
    return text


def _lines(rows: csv._reader, places: list[int], width: int) -> tuple[list[Line], list[str]]:  # type: ignore[name-defined]
    lines: list[Line] = []
    problems: list[str] = []
    seen: dict[tuple[str, str], int] = {}
    for row in rows:
        number = rows.line_num
        if not any(cell.strip() for cell in row):
            continue
        if len(lines) + len(problems) >= MOST_LINES:
            raise BadUpload(f"The file has more than {MOST_LINES:,} lines.")
        if len(row) != width:
            problems.append(f"Line {number}: {len(row)} columns where the first line has {width}.")
            continue
        email, series, amount = (row[place].strip() for place in places)
        email = email.lower()
        problem = _problem(email, series, amount)
        if problem is None and (email, series) in seen:
            problem = f"repeats line {seen[email, series]}"
        if problem is not None:
            problems.append(f"Line {number}: {problem}.")
            continue
        seen[email, series] = number
        lines.append(Line(number, email, series, Decimal(amount)))
    if not lines and not problems:
        raise BadUpload("The file has no lines below the first.")
    return lines, problems


def _problem(email: str, series: str, amount: str) -> str | None:
    if not email or len(email) > 254:
        return "no e-mail address"
    if not series or len(series) > 40:
        return "no series"
    if not FIGURE.match(amount):
        return f"“{amount[:20]}” is no amount; write figures with at most two decimals, such as 12.50"
    try:
        return "the amount must be above zero" if Decimal(amount) <= 0 else None
    except InvalidOperation:
        return "no amount"
