"""Errors as application/problem+json (RFC 9457), each with a stable code."""

from collections.abc import Iterator
from typing import Any

from django.core.exceptions import PermissionDenied, RequestDataTooBig
from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework import exceptions, status
from rest_framework.response import Response

from ledger.errors import Refusal
from market.errors import TooManyOrders

CONTENT_TYPE = "application/problem+json"
# Refusals that are about the state of what is asked for, and not about what was sent.
CONFLICTS = frozenset({"order_not_open", "no_cancel", "cannot_cancel", "hold_already_resolved"})

Problem = dict[str, Any]


class BadRequest(exceptions.APIException):
    """The request cannot be read as one; `field` says which parameter or header."""

    status_code = status.HTTP_400_BAD_REQUEST

    def __init__(self, code: str, detail: str, *, field: str | None = None) -> None:
        super().__init__(detail, code)
        self.field = field


class Missing(exceptions.NotFound):
    """There is no such thing, or none for this person; both answer alike."""

    def __init__(self, *, field: str | None = None, code: str = "not_found", detail: str = "") -> None:
        super().__init__(detail or _("There is no such thing, or none that you may see."), code)
        self.field = field


class TooLarge(exceptions.APIException):
    status_code = status.HTTP_413_REQUEST_ENTITY_TOO_LARGE


def titles() -> dict[int, str]:
    return {
        400: _("The request cannot be read."),
        401: _("A key is needed."),
        403: _("The key may not do this."),
        404: _("Not found."),
        405: _("Not done that way here."),
        409: _("Too late."),
        413: _("The request is too large."),
        415: _("Send JSON."),
        422: _("Understood, and no."),
        429: _("Too many requests."),
    }


def problem(code: str, detail: str, *, status: int, field: str | None = None, **more: Any) -> Problem:
    said: Problem = {
        "type": f"urn:hourglass:problem:{code}",
        "title": titles().get(status, _("The request failed.")),
        "status": status,
        "code": code,
        "detail": detail,
    }
    return said | ({"field": field} if field else {}) | more


def status_of(refusal: Refusal) -> int:
    if isinstance(refusal, TooManyOrders):
        return 429
    return 409 if refusal.code in CONFLICTS else 422


def refused(refusal: Refusal, **more: Any) -> Problem:
    """An action's refusal: its own code and sentence."""
    code = getattr(refusal, "reason", None) or refusal.code
    return problem(code, refusal.message, status=status_of(refusal), field=refusal.field, **more)


def invalid(error: exceptions.ValidationError) -> Problem:
    """Everything that is wrong with the fields; the first of it in the problem itself."""
    faults = [
        {"field": field, "code": code, "detail": detail} for field, code, detail in faults_of(error.get_full_details())
    ]
    first = faults[0]
    more = {"errors": faults} if len(faults) > 1 else {}
    return problem(first["code"], first["detail"], status=422, field=first["field"] or None, **more)


def answer(error: Exception, _context: dict[str, Any]) -> Response | None:
    """DRF's exception handler: what is not understood here stays an error of ours."""
    # Its module reads the settings, which name modules that import this one.
    from rest_framework.views import set_rollback

    set_rollback()
    said = problem_of(error)
    if said is None:
        return None
    headers = {}
    if getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = error.auth_header  # type: ignore[attr-defined]
    wait = getattr(error, "wait", None) or getattr(error, "retry_after", None)
    if wait:
        headers["Retry-After"] = str(max(1, -int(-wait // 1)))
    return Response(said, status=said["status"], headers=headers, content_type=CONTENT_TYPE)


def problem_of(error: Exception) -> Problem | None:
    if isinstance(error, Refusal):
        return refused(error)
    if isinstance(error, RequestDataTooBig):
        error = TooLarge(_("A request has at most a million bytes."), "too_large")
    if isinstance(error, Http404):
        error = Missing()
    if isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied(str(error) or None)
    if isinstance(error, exceptions.ValidationError):
        return invalid(error)
    if not isinstance(error, exceptions.APIException):
        return None
    detail = error.detail
    assert isinstance(detail, str), "only a ValidationError says several things"
    return problem(detail.code, str(detail), status=error.status_code, field=getattr(error, "field", None))  # type: ignore[attr-defined]


def faults_of(details: Any, path: str = "") -> Iterator[tuple[str, str, str]]:
    """Field, code and sentence of each fault, in DRF's nested answer."""
    if isinstance(details, dict) and set(details) == {"message", "code"} and isinstance(details["code"], str):
        yield path, details["code"], str(details["message"])
    elif isinstance(details, dict):
        for name, inner in details.items():
            here = "" if name == "non_field_errors" else f"{path}.{name}" if path else str(name)
            yield from faults_of(inner, here or path)
    else:
        for inner in details:
            yield from faults_of(inner, path)
