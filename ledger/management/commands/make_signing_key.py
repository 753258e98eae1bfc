from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ledger.keys import make_key


class Command(BaseCommand):
    help = "Make the log's Ed25519 signing key in a new file of mode 0600."

    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", type=Path)

    def handle(self, *args: Any, file: Path, **options: Any) -> None:
        try:
            make_key(file)
        except OSError as error:
            raise CommandError(f"No key was made: {error}.") from error
        self.stdout.write(f"Made {file}.")
