"""The site's REST API as a class. Amounts are integers of the smallest unit, as docs/api.md says: ticks of 0.01 credit
a GPU-hour, lots of 0.01 GPU-hour, GPU-seconds, 1/10,000 credit."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Document = dict[str, Any]

TIMEOUT_SECONDS = 30
# A call that got no answer, or was told to wait, is asked again so often; it has one effect all the same.
TRIES = 4
_LONGEST_WAIT_SECONDS = 60.0
# A name of this machine only, or nothing travels unencrypted.
_NEAR = {"localhost", "127.0.0.1", "::1"}


class Problem(Exception):
    """Understood, and no (RFC 9457). `code` is stable, `detail` a sentence, `field` what it is about, if anything."""

    def __init__(self, status: int, document: Mapping[str, Any]) -> None:
        self.status = status
        self.code = str(document.get("code", "failed"))
        self.detail = str(document.get("detail", f"The site answered with status {status}."))
        self.field: str | None = document.get("field")
        self.document = dict(document)
        super().__init__(f"{self.detail} ({self.code})")


class Unreachable(Exception):
    """The site did not answer, or not as a Hourglass site does."""


class BadAddress(Unreachable):
    """No address to send a key to."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The API never sends anybody elsewhere, and a key is shown to one site only."""

    def redirect_request(self, *_arguments: Any) -> None:
        return None


NO_REDIRECTS = urllib.request.build_opener(_NoRedirects)


class Client:
    """One site and one API key; without a key only what needs none."""

    def __init__(self, url: str, key: str = "") -> None:
        """Raises BadAddress where the key could be read on its way."""
        self.url = checked(url)
        self._key = key

    # The market

    def instruments(self) -> list[Document]:
        return list(self._call("GET", "instruments/")["results"])

    def instrument(self, code: str) -> Document:
        return self._call("GET", f"instruments/{_part(code)}/")

    def book(self, code: str, *, levels: int = 20) -> Document:
        return self._call("GET", f"instruments/{_part(code)}/book/", query={"levels": levels})

    def trades(self, code: str, *, limit: int = 50) -> Iterator[Document]:
        """Newest first, page by page for as long as they are asked for."""
        return self._pages(f"instruments/{_part(code)}/trades/", {"limit": limit})

    def candles(self, code: str, **query: Any) -> Iterator[Document]:
        return self._pages(f"instruments/{_part(code)}/candles/", query)

    # Orders

    def place_order(
        self, instrument: str, side: str, *, limit_price: int, quantity: int, key: str | None = None, **more: Any
    ) -> Document:
        """Place one order; `key` is its client order id, made up where none is given. `more` as the schema says: kind,
        time_in_force, post_only, self_trade, expires_at, wallet."""
        body = {"instrument": instrument, "side": side, "limit_price": limit_price, "quantity": quantity, **more}
        return self._call("POST", "orders/", body, key=key or _new_key())

    def place_orders(self, orders: Sequence[Mapping[str, Any]], **more: Any) -> list[Document]:
        """Up to 1,000 at once, each with its client_order_id; each is answered in its place."""
        rows = [{"client_order_id": _new_key(), **order} for order in orders]
        # Their ids make it safe to ask twice.
        return list(self._call("POST", "orders/bulk/", {"orders": rows, **more}, safe=True)["results"])

    def orders(self, **query: Any) -> Iterator[Document]:
        """The wallet's orders, newest first; `instrument` and `status` narrow them."""
        return self._pages("orders/", query)

    def order(self, order_id: int | str) -> Document:
        return self._call("GET", f"orders/{_part(order_id)}/")

    def amend_order(self, order_id: int | str, **changes: int) -> Document:
        """Another total `quantity`, `limit_price`, or both."""
        return self._call("PATCH", f"orders/{_part(order_id)}/", changes)

    def cancel_order(self, order_id: int | str) -> Document:
        return self._call("DELETE", f"orders/{_part(order_id)}/")

    def cancel_orders(self, instrument: str | None = None, **more: Any) -> int:
        """All open orders of the wallet, or those in one instrument; answers how many they were."""
        body = more if instrument is None else {"instrument": instrument, **more}
        return int(self._call("POST", "orders/cancel-all/", body)["cancelled"])

    def set_cancel_timer(self, seconds: int, **more: Any) -> Document:
        """Cancel everything unless this is called again in time; 0 switches it off."""
        return self._call("PUT", "cancel-timer/", {"seconds": seconds, **more})

    def cancel_timer(self, **query: Any) -> Document:
        """When everything will be cancelled, if a timer is set."""
        return self._call("GET", "cancel-timer/", query=query)

    # The wallet

    def balances(self, **query: Any) -> list[Document]:
        return list(self._call("GET", "balances/", query=query)["results"])

    def transfers(self, **query: Any) -> Iterator[Document]:
        return self._pages("transfers/", query)

    def send(self, *, to: str, asset: str, amount: int, key: str | None = None, **more: Any) -> Document:
        """Send to another wallet, named by its public id."""
        return self._call(
            "POST", "transfers/", {"to": to, "asset": asset, "amount": amount, **more}, key=key or _new_key()
        )

    def receipt(self, entry_id: int | str) -> str:
        """The entry's receipt: a tlog-proof that anybody can verify."""
        return self._ask("GET", f"receipts/{_part(entry_id)}/").decode()

    # Jobs

    def redemptions(self, **query: Any) -> Iterator[Document]:
        return self._pages("redemptions/", query)

    def redemption(self, public_id: str) -> Document:
        return self._call("GET", f"redemptions/{_part(public_id)}/")

    def redeem(self, *, key: str | None = None, **wish: Any) -> Document:
        """Redeem tokens for a job: asset, kind, gpus, walltime_minutes, job_name, script."""
        return self._call("POST", "redemptions/", wish, key=key or _new_key())

    def cancel_redemption(self, public_id: str) -> Document:
        return self._call("DELETE", f"redemptions/{_part(public_id)}/")

    # Device login

    def start_device_login(self, name: str, scopes: Sequence[str]) -> Document:
        return self._call("POST", "device/", {"name": name, "scopes": list(scopes)})

    def take_device_key(self, device_code: str) -> Document:
        return self._call("POST", "device/token/", {"device_code": device_code})

    # How it is asked

    def _pages(self, path: str, query: Mapping[str, Any]) -> Iterator[Document]:
        cursor: str | None = None
        while True:
            page = self._call("GET", path, query={**query, **({"cursor": cursor} if cursor else {})})
            yield from page["results"]
            cursor = page.get("next")
            if not cursor:
                return

    def _call(
        self, method: str, path: str, body: Any = None, *, query: Mapping[str, Any] | None = None, key: str = "",
        safe: bool = False,
    ) -> Document:  # fmt: skip
        text = self._ask(method, path, body, query=query, key=key, safe=safe)
        try:
            document = json.loads(text)
        except ValueError as error:
            raise Unreachable(f"{self.url} does not answer as a Hourglass site does.") from error
        if not isinstance(document, dict):
            raise Unreachable(f"{self.url} does not answer as a Hourglass site does.")
        return document

    def _ask(
        self, method: str, path: str, body: Any = None, *, query: Mapping[str, Any] | None = None, key: str = "",
        safe: bool = False,
    ) -> bytes:  # fmt: skip
        address = f"{self.url}/api/v1/{path}"
        if query:
            address += f"?{urllib.parse.urlencode(query)}"
        headers = {"Accept": "application/json", **({"Authorization": f"Bearer {self._key}"} if self._key else {})}
        data = None
        if body is not None:
            headers["Content-Type"], data = "application/json", json.dumps(body).encode()
        if key:
            headers["Idempotency-Key"] = key
        request = urllib.request.Request(address, data, headers, method=method)
        # What is safe to ask twice: reading, and what has a key or is the same however often it is done.
        safe = safe or method != "POST" or bool(key)
        for attempt in range(TRIES):
            last = attempt == TRIES - 1
            try:
                with NO_REDIRECTS.open(request, timeout=TIMEOUT_SECONDS) as response:
                    return bytes(response.read())
            except urllib.error.HTTPError as error:
                wait = _wait_for(error, attempt)
                if last or wait is None or not (safe or error.code == 429):
                    raise Problem(error.code, _document(error)) from None
            except (OSError, http.client.HTTPException) as error:
                if last or not safe:
                    why = getattr(error, "reason", None) or error or type(error).__name__
                    raise Unreachable(f"{self.url} does not answer: {why}.") from error
                wait = 0.2 * 2**attempt
            time.sleep(wait)
        raise AssertionError("unreachable")


def checked(url: str) -> str:
    """The site's address, where a key may travel: encrypted, or within this machine."""
    try:
        parts = urllib.parse.urlsplit(url)
        near = parts.scheme == "http" and parts.hostname in _NEAR
        if (parts.scheme == "https" and parts.hostname) or near:
            return f"{parts.scheme}://{parts.netloc}"
    except ValueError:
        pass
    raise BadAddress("The site's address begins with https://, or with http:// for one on this machine.")


def _wait_for(error: urllib.error.HTTPError, attempt: int) -> float | None:
    """Seconds until it makes sense to ask again; None where it does not."""
    if error.code == 429:
        after = error.headers.get("Retry-After", "")
        return min(float(after), _LONGEST_WAIT_SECONDS) if after.isdigit() else 1.0
    return 0.2 * 2**attempt if error.code in {502, 503, 504} else None


def _document(error: urllib.error.HTTPError) -> Mapping[str, Any]:
    try:
        document = json.loads(error.read())
    except ValueError:
        return {}
    return document if isinstance(document, dict) else {}


def _part(value: object) -> str:
    return urllib.parse.quote(str(value), safe="")


def _new_key() -> str:
    return uuid.uuid4().hex
