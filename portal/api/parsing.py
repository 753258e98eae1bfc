"""JSON as strictly as money wants it: one reading of every document, or none."""

import json
import re
from collections.abc import Mapping
from typing import IO, Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser, JSONParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from portal.api.problems import BadRequest, TooLarge

LARGEST_BODY = 1_000_000
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class StrictJSONParser(JSONParser):
    """Refuses duplicate keys, NaN, infinities, other encodings than UTF-8 and what is too large or too deep."""

    def parse(
        self, stream: IO[bytes], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        meta = parser_context["request"].META if parser_context else {}
        if meta.get("HTTP_CONTENT_ENCODING", "identity") != "identity":
            raise UnsupportedMediaType(meta["HTTP_CONTENT_ENCODING"], _("Send the body as it is, not compressed."))
        body = stream.read(LARGEST_BODY + 1)
        if len(body) > LARGEST_BODY:
            raise TooLarge(_("A request has at most a million bytes."), "too_large")
        try:
            text = body.decode("utf-8")
            found = json.loads(
                text, object_pairs_hook=_members, parse_constant=_no_constant, parse_float=_finite, parse_int=_whole
            )
            if _SURROGATE.search(text):
                json.dumps(found, ensure_ascii=False).encode()
        except RecursionError as error:
            raise _malformed(_("The JSON is nested too deeply.")) from error
        except ValueError as error:
            raise _malformed(_("The body is not JSON in UTF-8, or has a key twice.")) from error
        return found


class AlwaysJSON(BaseContentNegotiation):
    """We answer in one format, whatever a client would rather have, and so never with 406."""

    def select_parser(self, request: Request, parsers: list[BaseParser]) -> BaseParser | None:
        kind = request.content_type.partition(";")[0].strip().lower()
        return next((parser for parser in parsers if kind == parser.media_type), None)

    def select_renderer(
        self, request: Request, renderers: list[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        return renderers[0], renderers[0].media_type


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key twice")
    return found


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise ValueError("no such number")
    return number


def _whole(text: str) -> int:
    if len(text) > 1000:
        raise ValueError("no such number")
    return int(text)


def _malformed(detail: str) -> BadRequest:
    return BadRequest("malformed", detail)
