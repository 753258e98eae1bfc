"""Prices as everybody with a key may read them: candles, statistics, the index, conversion and concentration."""

from datetime import UTC, date, datetime
from fractions import Fraction
from typing import Any

from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response

from market.models import Instrument
from market.prices.candles import INTERVALS, bars
from market.prices.concentration import newest_concentrations
from market.prices.conversion import Conversion, conversions
from market.prices.hardware import hardware
from market.prices.publishing import days_before, newest_prices
from market.prices.reference import newest_reference
from market.prices.statistics import DayFigures, day_figures
from portal.api.forms import NothingIn, PageQuery
from portal.api.paging import cursor_of, next_cursor
from portal.api.price_documents import (
    CandleOut,
    CandlesOut,
    CandlesQuery,
    ConcentrationOut,
    ConcentrationsOut,
    ConversionsOut,
    IndexDayOut,
    IndexDaysOut,
    StatisticsOut,
)
from portal.api.routing import documented, query, route


@documented("GET", "candles_list", ok=CandlesOut, query=CandlesQuery)
@route(GET="read")
def candles(request: Request, code: str) -> Response:
    """The instrument's candles of one length, newest first. Where nothing was traded there is none."""
    asked = query(request, CandlesQuery)
    found, limit = get_object_or_404(Instrument, code=code), asked["limit"]
    seconds, named = INTERVALS[asked["interval"]], f"candles:{found.id}:{asked['interval']}"
    cursor = cursor_of(asked, named)
    before = None if cursor is None else datetime.fromtimestamp(cursor, tz=UTC)
    rows = bars(found.id, seconds, before=before, limit=limit + 1)[::-1]
    shown = rows[:limit]
    more = next_cursor(int(shown[-1].starts_at.timestamp()), named) if len(rows) > limit else None
    return Response({"results": CandleOut(shown, many=True).data, "next": more})


@documented("GET", "statistics_get", ok=StatisticsOut)
@route(GET="read")
def statistics(request: Request, code: str) -> Response:
    """The instrument's last 24 hours and its reference price."""
    query(request, NothingIn)
    found = get_object_or_404(Instrument, code=code)
    day = day_figures([found.id], now=timezone.now()).get(found.id, DayFigures(0, None, None, None))
    said = vars(day) | {"instrument": found.code, "last_price": found.last_price}
    return Response(StatisticsOut(said | {"reference": newest_reference(found.id)}).data)


@documented("GET", "index_list", ok=IndexDaysOut, query=PageQuery, names=False)
@route(GET="read")
def index(request: Request) -> Response:
    """The published days of the price index, newest first. The signed files are on the index's page."""
    asked = query(request, PageQuery)
    cursor, limit = cursor_of(asked, "index"), asked["limit"]
    found = days_before(None if cursor is None else date.fromordinal(cursor), most=limit + 1)
    shown = found[:limit]
    more = next_cursor(shown[-1].day.toordinal(), "index") if len(found) > limit else None
    return Response({"results": IndexDayOut(shown, many=True).data, "next": more})


@documented("GET", "conversions_list", ok=ConversionsOut, names=False)
@route(GET="read")
def conversion(request: Request) -> Response:
    """Between hardware generations: published and measured ratios of speed, and what the market implies."""
    query(request, NothingIn)
    known = hardware()
    rows = [_decimals(each) for each in conversions(newest_prices(), known)]
    said = {"published_on": date.fromisoformat(known.published_on), "source": known.source}
    return Response(ConversionsOut(said | {"results": rows}).data)


@documented("GET", "concentrations_list", ok=ConcentrationsOut, names=False)
@route(GET="read")
def concentration(request: Request) -> Response:
    """How each living series is held, by beneficial owner and without names."""
    query(request, NothingIn)
    return Response({"results": ConcentrationOut(newest_concentrations(now=timezone.now()), many=True).data})


def _decimals(one: Conversion) -> dict[str, Any]:
    return {
        "one": one.one,
        "other": one.other,
        "published": _four(one.published),
        "implied": _four(one.implied),
        "premium": _four(one.premium),
        "days": [date.fromisoformat(day) for day in one.days],
        "measured": [vars(each) | {"ratio": _four(each.ratio)} for each in one.measured],
    }


def _four(ratio: Fraction | None) -> str | None:
    return None if ratio is None else f"{round(ratio * 10_000) / 10_000:.4f}"
