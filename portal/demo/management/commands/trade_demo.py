import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from portal.demo import people
from portal.demo.keys import fresh_key
from portal.demo.trading import ApiSite, trade_until


class Command(BaseCommand):
    help = "Let the demo's simulated traders trade over HTTP until stopped."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--url", required=True)

    def handle(self, *args: Any, url: str, **options: Any) -> None:
        ended = threading.Event()
        signal.signal(signal.SIGTERM, lambda *_: ended.set())
        trade_until(ended, ApiSite(url, fresh_key), list(people.TRADERS))
