"""A real SMTP server that keeps what it is given."""

import queue
import re
from collections.abc import Iterator
from contextlib import contextmanager
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from aiosmtpd.controller import Controller
from django.test import override_settings


class Mailbox:
    def __init__(self) -> None:
        self.letters: queue.Queue[EmailMessage] = queue.Queue()

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:
        self.letters.put(message_from_bytes(envelope.content, policy=policy.default))  # type: ignore[arg-type]
        return "250 OK"

    def next(self) -> EmailMessage:
        return self.letters.get(timeout=10)

    def next_code(self) -> str:
        """The code in the next letter: alone on its line."""
        text = self.next().get_content()
        found = re.search(r"^([A-Z0-9]{3,}(?:-[A-Z0-9]{3,})*)\s*$", text, re.M)
        assert found, text
        return found.group(1)


class FreePort(Controller):
    """On whatever port the system gives."""

    def _trigger_server(self) -> None:
        self.port = self.server.sockets[0].getsockname()[1]
        super()._trigger_server()


@contextmanager
def smtp_server() -> Iterator[Mailbox]:
    mailbox = Mailbox()
    controller = FreePort(mailbox, hostname="127.0.0.1", port=0)
    controller.start()
    try:
        with override_settings(
            EMAIL_BACKEND="django.core.mail.backends.smtp.EmailBackend",
            EMAIL_HOST="127.0.0.1",
            EMAIL_PORT=controller.port,
        ):
            yield mailbox
    finally:
        controller.stop()
