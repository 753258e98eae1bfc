"""The way of an API request to its view."""

from collections.abc import Callable

from django.core.handlers.base import BaseHandler
from django.core.handlers.exception import convert_exception_to_response
from django.http import HttpRequest, HttpResponse
from django.middleware.common import CommonMiddleware
from django.middleware.locale import LocaleMiddleware

# A browser that is made to open an answer runs, loads and frames nothing of it.
_POLICY = "default-src 'none'; frame-ancestors 'none'"


class _Views(BaseHandler):
    """Django's way from a request to its view, without any middleware."""

    _view_middleware = _template_response_middleware = _exception_middleware = ()

    def __init__(self) -> None:
        self.get_response = convert_exception_to_response(self._get_response)


class PastThePages:
    """Programs show a key and nothing else: their requests pass by sessions, the tokens of forms, messages and
    whatever else is there for browsers, which takes as long as all that the API asks about a key. They have the
    language of the answer, the check of the host and the answer's length in common with the pages.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self._pages = get_response
        self._api = LocaleMiddleware(CommonMiddleware(_Views().get_response))

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith("/api/"):
            return self._pages(request)
        response: HttpResponse = self._api(request)
        response.headers["Content-Security-Policy"] = _POLICY
        return response
