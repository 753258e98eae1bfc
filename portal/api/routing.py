"""How a view becomes a route: its methods, the scope each needs, and what the schema says of it."""

from collections.abc import Callable, Sequence
from functools import wraps
from typing import Any

from django.utils.cache import get_conditional_response
from django.utils.translation import gettext as _
from drf_spectacular.utils import OpenApiExample, OpenApiParameter, extend_schema
from rest_framework.decorators import api_view
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from portal.api.documents import ProblemOut
from portal.api.fields import Strict, form_of
from portal.api.permissions import ScopeNeeded
from portal.api.problems import CONTENT_TYPE, BadRequest, faults_of
from portal.api.throttling import KeyRate

__all__ = ["IDEMPOTENCY_KEY", "IF_NONE_MATCH", "documented", "etagged", "idempotency_key", "query", "route", "sent"]

View = Callable[..., Any]
Throttles = Sequence[type[KeyRate]]

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    {"type": "string", "minLength": 1, "maxLength": 80, "pattern": "^[!-~]{1,80}$"},
    OpenApiParameter.HEADER,
    required=True,
    description="1 to 80 visible ASCII characters. The same key with the same content has one effect and one answer.",
)
IF_NONE_MATCH = OpenApiParameter(
    "If-None-Match", str, OpenApiParameter.HEADER, description="An ETag: 304 while nothing has changed."
)


def route(*, throttles: Throttles = (KeyRate,), **scopes: str) -> Callable[[View], View]:
    """`@route(GET="read", POST="trade")`: the methods of the view and the scope that each needs."""

    def wrap(view: View) -> View:
        @wraps(view)
        def strict(request: Request, *arguments: Any, **keywords: Any) -> Any:
            if request.method != "GET" and request.query_params:
                raise BadRequest("bad_parameter", _("This address takes no parameters."))
            return view(request, *arguments, **keywords)

        strict.permission_classes = [type("Needs", (ScopeNeeded,), {"scopes": scopes})]  # type: ignore[attr-defined]
        strict.throttle_classes = list(throttles)  # type: ignore[attr-defined]
        # A HEAD comes as a GET (middleware); it is named for what Allow says.
        made: View = api_view([*scopes, *(["HEAD"] if "GET" in scopes else [])])(strict)
        # The framework adds it to every view, and to what Allow says.
        made.cls.http_method_names.remove("options")  # type: ignore[attr-defined]
        return made

    return wrap


def documented(
    method: str, name: str, *, ok: Any, status: int = 200, problems: Sequence[int] = (), takes: Any = None,
    query: Any = None, headers: Sequence[OpenApiParameter] = (), media: str = "application/json", names: bool = True,
    examples: Sequence[OpenApiExample] = (),
) -> Callable[[View], View]:  # fmt: skip
    """What the schema says of one method of a route, beside what is true of every one; without `names` a request names
    nothing that could be missing."""
    answers: dict[Any, Any] = {(status, media): ok}
    if IF_NONE_MATCH in headers:
        answers[304] = None
    every = {400, 401, 403, 429} | ({404} if names else set()) | set(problems)
    every |= {413, 415, 422} if takes is not None else set()
    for code in sorted(every):
        answers[code, CONTENT_TYPE] = ProblemOut
    said: Callable[[View], View] = extend_schema(
        methods=[method], operation_id=name, request=takes, responses=answers,
        parameters=[*([query] if query else []), *headers], examples=list(examples),
    )  # fmt: skip
    return said


def sent(request: Request, form: type[Strict]) -> dict[str, Any]:
    """The body as the form takes it; 422 where it does not."""
    if request.META.get("HTTP_TRANSFER_ENCODING") and not request.META.get("CONTENT_LENGTH"):
        raise BadRequest("length_missing", _("Send the body in one piece, with its Content-Length."))
    # A serializer without data is not one with null.
    return dict(form_of(form).run_validation([] if request.data is None else request.data))


def query(request: Request, form: type[Strict]) -> dict[str, Any]:
    """The address's parameters; an unknown, repeated or malformed one is 400."""
    repeated = next((name for name, values in request.query_params.lists() if len(values) > 1), None)
    if repeated is not None:
        raise BadRequest("bad_parameter", _("A parameter stands once."), field=repeated[:80])
    read = form(data=request.query_params.dict())
    try:
        read.is_valid(raise_exception=True)
    except ValidationError as error:
        field, _code, detail = next(faults_of(error.get_full_details()))
        raise BadRequest("bad_parameter", detail, field=field) from error
    return dict(read.validated_data)


def idempotency_key(request: Request) -> str:
    """The header that makes it safe to ask twice; 400 without a good one."""
    key: str = request.META.get("HTTP_IDEMPOTENCY_KEY", "")
    if not key:
        raise BadRequest("key_missing", _("Send an Idempotency-Key header."), field="Idempotency-Key")
    if len(key) > 80 or not all("!" <= letter <= "~" for letter in key):
        raise BadRequest(
            "key_malformed", _("An Idempotency-Key is 1 to 80 visible characters."), field="Idempotency-Key"
        )
    return key


def etagged(request: Request, etag: str, document: Callable[[], Any]) -> Any:
    """The document with its ETag, or 304 where the client has it already."""
    response = get_conditional_response(request._request, etag=etag)
    if response is None or response.status_code != 304:
        response = Response(document())
    response["ETag"] = etag
    response["Cache-Control"] = "private, no-cache"
    return response
