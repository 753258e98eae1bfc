"""The way of an API request to its view."""

from collections.abc import Callable, Sequence
from typing import Any

from django.core.handlers.base import BaseHandler
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest
from django.http.response import HttpResponseBase
from django.utils import translation
from django.utils.cache import patch_vary_headers

from portal.api.keys import ask_for_key

# A browser that is made to open an answer runs, loads and frames nothing of it.
_POLICY = "default-src 'none'; frame-ancestors 'none'"


class _Views(BaseHandler):
    """Django's way from a request to its view, without any middleware."""

    _view_middleware: Sequence[Any] = ()
    _template_response_middleware: Sequence[Any] = ()
    _exception_middleware: Sequence[Any] = ()


def _asking_first(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """Postgres looks for the key while the rest of the request is read."""

    def answer(request: HttpRequest) -> Any:
        asked = request.asked_key = ask_for_key(request.META.get("HTTP_AUTHORIZATION", ""))  # type: ignore[attr-defined]
        try:
            return get_response(request)
        finally:
            if asked is not None:
                asked.drop()

    return answer


def _as_the_pages(get_response: Callable[[HttpRequest], Any]) -> Callable[[HttpRequest], Any]:
    """What programs need of what Django's middleware does for pages: the host is one of ours, sentences are in the
    language that was asked for, and the answer says its length."""

    def answer(request: HttpRequest) -> Any:
        request.get_host()
        language = translation.get_language_from_request(request)
        translation.activate(language)
        response = get_response(request)
        if not response.streaming:
            response.headers["Content-Length"] = str(len(response.content))
        patch_vary_headers(response, ["Accept-Language"])
        response.headers["Content-Language"] = language
        return response

    return answer


class PastThePages:
    """Programs show a key and nothing else: their requests pass by sessions, the tokens of forms, messages and
    whatever else is there for browsers, which takes as long as all that the API asks about a key.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self._pages = get_response
        to_view = convert_exception_to_response(_Views()._get_response)  # type: ignore[attr-defined]
        self._api: Callable[[HttpRequest], Any] = convert_exception_to_response(_asking_first(_as_the_pages(to_view)))

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path_info.startswith("/api/"):
            return self._pages(request)
        wants_body = request.method != "HEAD"
        if not wants_body:
            # The same question in every respect, up to the body of its answer.
            request.method = "GET"
        response: HttpResponseBase = self._api(request)
        if not wants_body:
            response.content = b""  # type: ignore[attr-defined]
        response.headers["Content-Security-Policy"] = _POLICY
        return response
