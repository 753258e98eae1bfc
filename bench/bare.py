"""The site with two addresses more: views that do nothing but insert one row, by SQL and by the ORM. What placing over
HTTP is measured by."""

import json
from typing import Any

from django.db import connection, models
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


class Bare(models.Model):
    """The same table."""

    instrument = models.TextField()
    side = models.TextField()
    price = models.BigIntegerField()
    quantity = models.BigIntegerField()
    client = models.TextField()

    class Meta:
        app_label = "bench"
        managed = False
        db_table = "bare"

    def __str__(self) -> str:
        return self.client


@csrf_exempt
@require_POST
def create(request: HttpRequest) -> JsonResponse:
    """The same row as most Django views would insert it."""
    order = json.loads(request.body)
    row = Bare.objects.create(
        instrument=order["instrument"], side=order["side"], price=order["limit_price"], quantity=order["quantity"],
        client=request.headers["Idempotency-Key"],
    )  # fmt: skip
    return JsonResponse({"id": row.pk}, status=201)


urlpatterns = [path("bare/", insert), path("bare/orm/", create), *site]
