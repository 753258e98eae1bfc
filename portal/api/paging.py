"""Lists a page at a time, newest first. A cursor says where the next page begins and is signed: nobody makes one up."""

from collections.abc import Callable, Sequence
from typing import Any

from django.core.signing import BadSignature, Signer
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from portal.api.problems import BadRequest


def page(
    rows: QuerySet[Any], *, by: str, named: str, asked: dict[str, Any], shown: Callable[[Sequence[Any]], Any]
) -> dict[str, Any]:
    """One page of rows, from the highest `by` down. `named` keeps a cursor of one list from being used in another."""
    before, limit = cursor_of(asked, named), asked["limit"]
    if before is not None:
        rows = rows.filter(**{f"{by}__lt": before})
    found = list(rows.order_by(f"-{by}")[: limit + 1])
    more = len(found) > limit
    return {
        "results": shown(found[:limit]),
        "next": next_cursor(getattr(found[limit - 1], by), named) if more else None,
    }


def cursor_of(asked: dict[str, Any], named: str) -> int | None:
    """Where the page begins; 400 for a cursor that we did not give for this list."""
    if "cursor" not in asked:
        return None
    try:
        return int(_signer(named).unsign(asked["cursor"]))
    except BadSignature as error:
        raise BadRequest("bad_cursor", _("This cursor is not one of this list."), field="cursor") from error


def next_cursor(last: int, named: str) -> str:
    return _signer(named).sign(str(last))


def _signer(named: str) -> Signer:
    return Signer(salt=f"portal.api.paging:{named}", sep=".")
