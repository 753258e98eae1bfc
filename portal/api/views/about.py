"""The schema, and what is answered where there is nothing."""

import json
from functools import cache

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils import translation
from django.utils.translation import gettext as _
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_safe
from drf_spectacular.generators import SchemaGenerator

from portal.api.problems import CONTENT_TYPE, problem


@require_safe
def schema(request: HttpRequest) -> HttpResponse:
    """OpenAPI 3.1, for everybody."""
    response = HttpResponse(_schema(), content_type="application/vnd.oai.openapi+json; charset=utf-8")
    response["Cache-Control"] = "public, max-age=300"
    return response


@csrf_exempt
def unknown(request: HttpRequest) -> HttpResponse:
    """An address under /api/ that is none, said the way the others say it."""
    said = problem("not_found", _("There is no such address here."), status=404)
    return JsonResponse(said, status=404, content_type=CONTENT_TYPE)


@cache
def _schema() -> bytes:
    # It is the same for the life of the process, whatever language it was first asked for in.
    with translation.override("en"):
        return json.dumps(SchemaGenerator().get_schema(request=None, public=True), indent=1).encode()
