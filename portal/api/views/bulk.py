"""Many orders in one call."""

from typing import Any

from rest_framework import serializers
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from ledger.errors import Refusal
from market.answers import Answer, NewOrder, PlacedOrder
from market.models import Order
from market.orders import check_order, place_orders
from portal.api.documents import BulkOut
from portal.api.examples import BULK
from portal.api.fields import Anything, form_of
from portal.api.finding import instrument_id, wallet_to_act_for
from portal.api.forms import BulkIn, BulkOrderIn, WalletIn
from portal.api.problems import Problem, problem_of, refused
from portal.api.routing import documented, route, sent
from portal.api.throttling import BulkRate
from portal.api.views.orders import rejected, shown
from portal.people.access import refuse_administrator

MOST = 1000


class _Shell(WalletIn):
    """The call without its orders, which are read one by one: a bad one spoils no other."""

    orders = serializers.ListField(child=Anything(), min_length=1, max_length=MOST)


@documented("POST", "orders_place_bulk", ok=BulkOut, takes=BulkIn, examples=BULK)
@route(POST="trade", throttles=[BulkRate])
def bulk(request: Request) -> Response:
    """Place up to 1,000 orders; each is answered by itself, in its place."""
    asked = sent(request, _Shell)
    wallet = wallet_to_act_for(request, asked.get("wallet"))
    refuse_administrator(request.user)
    form = form_of(BulkOrderIn)
    rows = [_read(form, row, wallet.id) for row in asked["orders"]]
    answers = iter(place_orders([row for row in rows if isinstance(row, NewOrder)]))
    results = [
        _answer(row, next(answers)) if isinstance(row, NewOrder) else _refusal(row, sent_row)
        for row, sent_row in zip(rows, asked["orders"], strict=True)
    ]
    return Response({"results": results})


def _read(form: BulkOrderIn, row: Any, wallet_id: int) -> NewOrder | Problem:
    try:
        fields = dict(form.run_validation(row))
        order = NewOrder(instrument_id=instrument_id(fields.pop("instrument")), wallet_id=wallet_id, **fields)
        check_order(order)
    except (ValidationError, APIException, Refusal) as error:
        said = problem_of(error)
        assert said is not None
        return said
    return order


def _answer(row: NewOrder, answer: Answer) -> dict[str, Any]:
    if not isinstance(answer, PlacedOrder):
        said = refused(answer)
        return {"status": said["status"], "client_order_id": row.client_order_id, "problem": said}
    status = 422 if answer.status == Order.Status.REJECTED else 201
    found = {"status": status, "client_order_id": row.client_order_id, "order": shown(answer)}
    return found | ({"problem": rejected(answer)} if status == 422 else {})


def _refusal(said: Problem, row: Any) -> dict[str, Any]:
    named = row.get("client_order_id") if isinstance(row, dict) else None
    return {
        "status": said["status"],
        "client_order_id": named if isinstance(named, str) and len(named) <= 80 else None,
        "problem": said,
    }
