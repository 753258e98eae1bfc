"""Placing, listing, amending and cancelling orders."""

from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from market.amending import amend_order
from market.answers import PlacedOrder
from market.errors import sentence_for
from market.models import CancelTimer, Instrument, Order
from market.orders import cancel_order, cancel_orders, place_order
from market.timers import set_cancel_timer
from portal.api.documents import CancelledOut, OrderOut, OrdersOut, PlacedOut, TimerOut
from portal.api.examples import AMEND, CANCEL_ALL, PLACE, TIMER
from portal.api.fields import form_of
from portal.api.finding import instrument_id, wallet_to_act_for, wallet_to_read
from portal.api.forms import AmendIn, CancelAllIn, NothingIn, OrdersQuery, PlaceIn, TimerIn, WalletIn
from portal.api.paging import page
from portal.api.problems import CONTENT_TYPE, Problem, problem
from portal.api.routing import IDEMPOTENCY_KEY, documented, idempotency_key, query, route, sent
from portal.people.access import refuse_administrator, wallets_of, wallets_readable


@documented("GET", "orders_list", ok=OrdersOut, query=OrdersQuery)
@documented("POST", "orders_place", ok=PlacedOut, status=201, takes=PlaceIn, headers=[IDEMPOTENCY_KEY], examples=PLACE)
@route(GET="read", POST="trade")
def orders(request: Request) -> Response:
    """The wallet's orders, newest first; or place one."""
    return _place(request) if request.method == "POST" else _listed(request)


@documented("GET", "orders_get", ok=OrderOut)
@documented("PATCH", "orders_amend", ok=PlacedOut, takes=AmendIn, problems=[409], examples=AMEND)
@documented("DELETE", "orders_cancel", ok=OrderOut, problems=[409])
@route(GET="read", PATCH="trade", DELETE="trade")
def order(request: Request, order_id: int) -> Response:
    """One order: read it, amend it in place, or cancel it."""
    wallets = wallets_readable(request.user) if request.method == "GET" else wallets_of(request.user)
    found = get_object_or_404(Order.objects.filter(wallet__in=wallets.values("id")), id=order_id)
    if request.method == "GET":
        query(request, NothingIn)
    elif request.method == "PATCH":
        terms = sent(request, AmendIn)
        refuse_administrator(request.user)
        return Response(shown(amend_order(order_id=found.id, **terms)))
    elif request.method == "DELETE":
        cancel_order(order_id=found.id, now=timezone.now())
    return Response(OrderOut(_orders().get(id=found.id)).data)


@documented("POST", "orders_cancel_all", ok=CancelledOut, takes=CancelAllIn, problems=[409], examples=CANCEL_ALL)
@route(POST="trade")
def cancel_all(request: Request) -> Response:
    """Cancel every order of the wallet, or those in one instrument."""
    asked = sent(request, CancelAllIn)
    wallet = wallet_to_act_for(request, asked.get("wallet"))
    instrument = instrument_id(asked["instrument"]) if "instrument" in asked else None
    count = cancel_orders(wallet_id=wallet.id, instrument_id=instrument)
    return Response({"cancelled": count})


@documented("GET", "cancel_timer_get", ok=TimerOut, query=WalletIn)
@documented("PUT", "cancel_timer_set", ok=TimerOut, takes=TimerIn, examples=TIMER)
@route(GET="read", PUT="trade")
def cancel_timer(request: Request) -> Response:
    """The dead man's switch: every order of the wallet is cancelled then, unless it is put off before."""
    if request.method == "GET":
        read = wallet_to_read(request, query(request, WalletIn).get("wallet"))
        timer = CancelTimer.objects.filter(wallet=read).first()
        return Response(TimerOut({"cancel_at": timer.cancel_at if timer else None}).data)
    asked = sent(request, TimerIn)
    wallet = wallet_to_act_for(request, asked.get("wallet"))
    cancel_at = set_cancel_timer(wallet_id=wallet.id, seconds=asked["seconds"])
    return Response(TimerOut({"cancel_at": cancel_at}).data)


def _orders() -> Any:
    return Order.objects.select_related("instrument", "wallet")


def _listed(request: Request) -> Response:
    asked = query(request, OrdersQuery)
    wallet = wallet_to_read(request, asked.get("wallet"))
    rows = _orders().filter(wallet=wallet)
    if "instrument" in asked:
        rows = rows.filter(instrument=get_object_or_404(Instrument, code=asked["instrument"]))
    if "status" in asked:
        rows = rows.filter(status=asked["status"])
    name = f"orders:{wallet.id}"
    return Response(page(rows, by="id", named=name, asked=asked, shown=lambda some: OrderOut(some, many=True).data))


def _place(request: Request) -> Response:
    key, asked = idempotency_key(request), sent(request, PlaceIn)
    wallet = wallet_to_act_for(request, asked.pop("wallet", None))
    instrument = instrument_id(asked.pop("instrument"))
    refuse_administrator(request.user)
    placed = place_order(instrument_id=instrument, wallet_id=wallet.id, client_order_id=key, **asked)
    if placed.status == Order.Status.REJECTED:
        return Response(rejected(placed), status=422, content_type=CONTENT_TYPE)
    return Response(shown(placed), status=201)


def shown(placed: PlacedOrder) -> Any:
    """What a placed or amended order is answered with."""
    return form_of(PlacedOut).to_representation(placed)


def rejected(placed: PlacedOrder) -> Problem:
    """The order is kept, with why it was not taken; asked again, it is answered the same."""
    return problem(placed.reason, sentence_for(placed.reason), status=422, order=shown(placed))
