"""What a checker says."""

from dataclasses import dataclass
from typing import Any

from django.db import connection


@dataclass(frozen=True)
class LedgerFault:
    """Something that is not as it must be. `position` is the entry's index in the log, where it is about one."""

    message: str
    position: int | None = None

    def __str__(self) -> str:
        return self.message if self.position is None else f"entry {self.position}: {self.message}"


def rows_of(sql: str, params: list[Any] | None = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, params)
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
