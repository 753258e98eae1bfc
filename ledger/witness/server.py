"""The witness over HTTP. Every request is bounded in size, in time and in number."""

import logging
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socket import socket
from typing import Any

from ledger.witness.cosigning import TEXT_TYPE, Reply, Witness

MAX_BODY = 256 * 1024
REQUEST_SECONDS = 10.0
IDLE_SECONDS = 30.0
MAX_CONNECTIONS = 64
PATH = "/add-checkpoint"
log = logging.getLogger("witness")


class WitnessServer(ThreadingHTTPServer):
    """A thread a connection, up to a limit; one too many is hung up on."""

    daemon_threads = True
    request_queue_size = MAX_CONNECTIONS

    def __init__(self, address: tuple[str, int], witness: Witness) -> None:
        self.witness = witness
        self._places = threading.BoundedSemaphore(MAX_CONNECTIONS)
        super().__init__(address, _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        if self._places.acquire(blocking=False):
            super().process_request(request, client_address)
        else:
            self.shutdown_request(request)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._places.release()


class _Handler(BaseHTTPRequestHandler):
    server: WitnessServer
    protocol_version = "HTTP/1.1"
    server_version = "hourglass-witness"
    sys_version = ""
    timeout = IDLE_SECONDS
    connection: socket

    def do_POST(self) -> None:
        if self.path != PATH:
            self._answer(Reply(404, "no such place\n"), keep=False)
            return
        length = self.headers.get("Content-Length", "")
        if not length.isascii() or not length.isdigit() or "Transfer-Encoding" in self.headers:
            self._answer(Reply(411, "say the body's length\n"), keep=False)
        elif len(length) > 9 or int(length) > MAX_BODY:
            self._answer(Reply(413, "the body is too long\n"), keep=False)
        elif (body := self._body(int(length))) is None:
            self._answer(Reply(408, "the body did not come\n"), keep=False)
        else:
            self._answer(self.server.witness.add_checkpoint(body, at=int(time.time())))

    def do_GET(self) -> None:
        if self.path != "/":
            self._answer(Reply(404, "no such place\n"))
            return
        witness = self.server.witness
        lines = [f"witness {cosigner.verifier}\n" for cosigner in witness.cosigners]
        for origin, cosigned in witness.cosigned().items():
            lines.append(f"log {origin} size {cosigned.size} at {cosigned.at or '-'}\n")
        self._answer(Reply(200, "".join(lines)))

    def log_message(self, format: str, *args: Any) -> None:
        # The request line is a stranger's: one escaped line of it.
        log.info("%s %r", self.address_string(), (format % args)[:200])

    def _body(self, length: int) -> bytes | None:
        """All of the body, within the time for one request, however slowly it drips."""
        deadline, parts, missing = time.monotonic() + REQUEST_SECONDS, [], length
        while missing:
            left = deadline - time.monotonic()
            if left <= 0:
                return None
            self.connection.settimeout(left)
            try:
                part = self.rfile.read1(missing)
            except OSError:
                return None
            if not part:
                return None
            parts.append(part)
            missing -= len(part)
        self.connection.settimeout(IDLE_SECONDS)
        return b"".join(parts)

    def _answer(self, reply: Reply, *, keep: bool = True) -> None:
        body = reply.body.encode()
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type or TEXT_TYPE)
        self.send_header("Content-Length", str(len(body)))
        if not keep:
            self.send_header("Connection", "close")
            self.close_connection = True
        self.end_headers()
        self.wfile.write(body)
