"""The events process: only /events/ and /livez, nothing of the pages. Served by uvicorn beside the WSGI web."""

import asyncio
import contextlib
import os
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any
from urllib.parse import parse_qs

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "portal.settings")

import django

django.setup()

from django.db import connection  # noqa: E402

from portal.trading.stream import Hub, UnknownInstrument  # noqa: E402

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Events:
    """The ASGI application. The tape has no names, so it needs no sign-in and may be read from any page."""

    def __init__(self) -> None:
        self._hub: Hub | None = None
        self._reader: asyncio.Task[None] | None = None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        params = {
            name: value for name, value in connection.get_connection_params().items() if isinstance(value, str | int)
        }
        self._hub = Hub({name: params[name] for name in params if name in _CONNECTION_WORDS})
        self._reader = asyncio.create_task(self._hub.run())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._reader.cancel()
        await self._hub.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        parts = scope["path"].strip("/").split("/")
        if scope["path"] == "/livez":
            await _text(send, 200, "ok")
        elif len(parts) == 2 and parts[0] == "events" and scope["method"] == "GET" and self._hub is not None:
            after = _after(scope)
            if after == _BAD:
                await _text(send, 400, "after must be an event's number")
            else:
                await _stream(self._hub, parts[1], after, receive, send)
        else:
            await _text(send, 404, "no such stream")


_BAD = -1
_CONNECTION_WORDS = {"dbname", "user", "password", "host", "port"}


def _after(scope: Scope) -> int | None:
    """The number to go on from: the browser's own memory first, then the page's."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    query = parse_qs(scope["query_string"].decode("latin-1"))
    text = headers.get("last-event-id") or (query.get("after") or [""])[0]
    if not text:
        return None
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else _BAD


async def _stream(hub: Hub, code: str, after: int | None, receive: Receive, send: Send) -> None:
    events = hub.events(code, after)
    try:
        first = await anext(events)
    except UnknownInstrument:
        await _text(send, 404, "no such instrument")
        return
    headers = [
        (b"content-type", b"text/event-stream; charset=utf-8"),
        (b"cache-control", b"no-cache"),
        (b"x-accel-buffering", b"no"),
        (b"access-control-allow-origin", b"*"),
    ]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    gone = asyncio.create_task(_until_gone(receive))
    writing = asyncio.create_task(_write(first, events, send))
    await asyncio.wait({gone, writing}, return_when=asyncio.FIRST_COMPLETED)
    for task in (gone, writing):
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError, OSError):
            await task
    await events.aclose()


async def _write(first: bytes, events: Any, send: Send) -> None:
    await send({"type": "http.response.body", "body": first, "more_body": True})
    async for text in events:
        await send({"type": "http.response.body", "body": text, "more_body": True})
    await send({"type": "http.response.body", "body": b"", "more_body": False})


async def _until_gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


async def _text(send: Send, status: int, text: str) -> None:
    headers = [(b"content-type", b"text/plain; charset=utf-8")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": text.encode()})


application = Events()
