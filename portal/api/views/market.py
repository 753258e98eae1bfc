"""What everybody with a key may read of the market. No names."""

import hashlib
from typing import Any

from django.conf import settings
from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from market.auctions.reads import auction_state
from market.feed import TOP
from market.models import Instrument, Trade
from market.reads import DayFigures, Level, day_figures, depth
from portal.api.documents import AuctionOut, BookOut, InstrumentOut, InstrumentsOut, TradeOut, TradesOut
from portal.api.examples import BOOK
from portal.api.forms import BookQuery, NothingIn, PageQuery
from portal.api.paging import page
from portal.api.routing import IF_NONE_MATCH, documented, etagged, query, route


@documented("GET", "instruments_list", ok=InstrumentsOut, headers=[IF_NONE_MATCH], names=False)
@route(GET="read")
def instruments(request: Request) -> Response:
    """Every instrument with its last price and day."""
    query(request, NothingIn)
    found = list(_instruments().order_by("asset__expires_at", "id"))
    return _hashed(request, {"results": _shown(found)})


@documented("GET", "instruments_get", ok=InstrumentOut, headers=[IF_NONE_MATCH])
@route(GET="read")
def instrument(request: Request, code: str) -> Response:
    """One instrument."""
    query(request, NothingIn)
    return _hashed(request, _shown([get_object_or_404(_instruments(), code=code)])[0])


@documented("GET", "book_get", ok=BookOut, query=BookQuery, headers=[IF_NONE_MATCH], examples=BOOK)
@route(GET="read")
def book(request: Request, code: str) -> Response:
    """The book's price levels with the number of the event that they stand after: where a stream goes on from."""
    asked = query(request, BookQuery)
    found = get_object_or_404(Instrument, code=code)

    def document() -> dict[str, Any]:
        snapshot = depth(found.id, levels=max(asked["levels"], TOP))
        state = auction_state(found, now=timezone.now())
        return {
            "instrument": found.code,
            "number": snapshot.number,
            "checksum": snapshot.checksum,
            "phase": found.phase,
            "auction": AuctionOut(state).data if state else None,
            "events": request.build_absolute_uri(f"{settings.EVENTS_ORIGIN}/events/{found.code}/"),
            "bids": _levels(snapshot.bids[: asked["levels"]]),
            "asks": _levels(snapshot.asks[: asked["levels"]]),
        }

    # Every change of the book, and of the phase, is an event with the next number.
    return etagged(request, f'"{found.code}-{found.last_event}-{asked["levels"]}"', document)


@documented("GET", "trades_list", ok=TradesOut, query=PageQuery)
@route(GET="read")
def trades(request: Request, code: str) -> Response:
    """The tape, newest first."""
    asked = query(request, PageQuery)
    found = get_object_or_404(Instrument, code=code)
    rows = Trade.objects.filter(instrument=found)
    return Response(
        page(
            rows,
            by="number",
            named=f"trades:{found.id}",
            asked=asked,
            shown=lambda some: TradeOut(some, many=True).data,
        )
    )


def _instruments() -> Any:
    return Instrument.objects.select_related("asset", "price_asset")


def _shown(found: list[Instrument]) -> list[Any]:
    days = day_figures([each.id for each in found], now=timezone.now())
    for each in found:
        each.day = days.get(each.id, DayFigures(0, None, None, None))  # type: ignore[attr-defined]
    return list(InstrumentOut(found, many=True).data)


def _levels(levels: list[Level]) -> list[dict[str, int]]:
    return [{"price": price, "quantity": quantity, "orders": orders} for price, quantity, orders in levels]


def _hashed(request: Request, document: Any) -> Response:
    digest = hashlib.sha256(JSONRenderer().render(document)).hexdigest()
    return etagged(request, f'"{digest[:32]}"', lambda: document)
