"""What requests and answers look like, for the schema's readers. A test sends each of them."""

from typing import Any

from drf_spectacular.utils import OpenApiExample

from portal.api.problems import CONTENT_TYPE

_ORDER = {"instrument": "H100-2026Q4", "side": "BUY", "limit_price": 250, "quantity": 100}
_PLACED = {
    "id": 4711, "status": "OPEN", "quantity": 100, "filled_quantity": 0, "filled_value": 0, "fees_paid": 0,
    "reason": "",
}  # fmt: skip
_NOT_ENOUGH = {
    "type": "urn:hourglass:problem:not_enough", "title": "Understood, and no.", "status": 422, "code": "not_enough",
    "detail": "Your available balance does not cover this order.",
}  # fmt: skip
_TOO_LATE = {
    "type": "urn:hourglass:problem:order_not_open", "title": "Too late.", "status": 409, "code": "order_not_open",
    "detail": "Order 4711 is already filled.",
}  # fmt: skip


def _request(name: str, value: Any, summary: str = "") -> OpenApiExample:
    return OpenApiExample(name, value=value, summary=summary or None, request_only=True)


def _answer(name: str, value: Any, status: int = 200) -> OpenApiExample:
    media = CONTENT_TYPE if status >= 400 else "application/json"
    return OpenApiExample(name, value=value, response_only=True, status_codes=[str(status)], media_type=media)


PLACE = [
    _request("limit", _ORDER, "1 GPU-h at no more than 2.50 cr/GPU-h, until it is cancelled"),
    _request(
        "market", _ORDER | {"kind": "MARKET", "time_in_force": "IOC"}, "At once, no worse than the protection limit"
    ),
    _request("maker", _ORDER | {"post_only": True, "self_trade": "CANCEL_OLDEST"}, "Only ever added to the book"),
    _answer("open", _PLACED, 201),
    _answer("rejected", _NOT_ENOUGH | {"order": _PLACED | {"status": "REJECTED", "reason": "not_enough"}}, 422),
]
BULK = [
    _request(
        "two",
        {
            "orders": [
                _ORDER | {"client_order_id": "morning-1"},
                _ORDER | {"client_order_id": "morning-2", "side": "SELL", "limit_price": 260},
            ]
        },
    ),
    _answer(
        "each-answered",
        {
            "results": [
                {"status": 201, "client_order_id": "morning-1", "order": _PLACED},
                {"status": 422, "client_order_id": "morning-2", "problem": _NOT_ENOUGH},
            ]
        },
    ),
]
AMEND = [
    _request("less", {"quantity": 50}, "Less at the same price keeps its place"),
    _request("price", {"limit_price": "245"}, "Another price loses it; amounts may be digits in a string"),
    _answer("amended", _PLACED | {"quantity": 50}),
    _answer("too-late", _TOO_LATE, 409),
]
CANCEL_ALL = [_request("one-instrument", {"instrument": "H100-2026Q4"}), _answer("cancelled", {"cancelled": 3})]
TIMER = [_request("a-minute", {"seconds": 60}), _answer("set", {"cancel_at": "2026-11-23T09:01:00Z"})]
SEND = [
    _request(
        "one-gpu-hour", {"to": "6f1c24f0-6b6c-4c5e-9a0e-2f1f4b1d9c11", "asset": "H100-2026Q4", "amount": 3600}
    ),
    _answer(
        "sent",
        {
            "entry": 812, "kind": "SEND", "reference": "", "recorded_at": "2026-11-23T09:00:00.120034Z",
            "sides": [{"asset": "H100-2026Q4", "amount": -3600}],
        },
        201,
    ),
]  # fmt: skip
REDEEM = [
    _request(
        "script",
        {
            "asset": "H100-2026Q4", "kind": "SCRIPT", "gpus": 1, "walltime_minutes": 10, "job_name": "first",
            "script": "#!/bin/sh\nnvidia-smi\n",
        },
    )
]  # fmt: skip
DEVICE = [_request("read-and-trade", {"name": "notebook on alpha", "scopes": ["read", "trade"]})]
DEVICE_TOKEN = [_request("ask", {"device_code": "wW6f0yQzvVtQ0m0l2b8Wq5m7cFzR1n3k"})]
BOOK = [
    _answer(
        "book",
        {
            "instrument": "H100-2026Q4", "number": 418, "checksum": 2342519659, "phase": "CONTINUOUS", "auction": None,
            "events": "https://hourglass.example/events/H100-2026Q4/",
            "bids": [{"price": 499, "quantity": 1000, "orders": 2}],
            "asks": [{"price": 505, "quantity": 50, "orders": 1}, {"price": 510, "quantity": 150, "orders": 1}],
        },
    )
]  # fmt: skip
