"""The site with one address more: a view that does nothing but insert one row. The reference for placing over HTTP."""

import json
from typing import Any

from django.db import connection
from django.http import HttpRequest, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

from portal.urls import urlpatterns as site

TABLE = """
CREATE TABLE bare (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, instrument text, side text, price bigint,
    quantity bigint, client text);
GRANT INSERT, SELECT ON bare TO PUBLIC;
"""


@csrf_exempt
@require_POST
def insert(request: HttpRequest) -> JsonResponse:
    """One row of what an order says, committed."""
    order = json.loads(request.body)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO bare (instrument, side, price, quantity, client) VALUES (%s, %s, %s, %s, %s) RETURNING id",
            [
                order["instrument"], order["side"], order["limit_price"], order["quantity"],
                request.headers["Idempotency-Key"],
            ],
        )  # fmt: skip
        row: Any = cursor.fetchone()
    return JsonResponse({"id": row[0]}, status=201)


urlpatterns = [path("bare/", insert), *site]
