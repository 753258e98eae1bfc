from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ledger.proof.configured import configured_policy, configured_verifiers
from ledger.proof.export import export_log


class Command(BaseCommand):
    help = "Write the sealed log into an empty folder, for `bin/hourglass-verify`."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("folder", type=Path)

    def handle(self, *args: Any, folder: Path, **options: Any) -> None:
        if folder.exists() and any(folder.iterdir()):
            raise CommandError(f"{folder} is not empty.")
        size = export_log(folder, configured_policy())
        self.stdout.write(f"Wrote {size} entries to {folder}.")
        keys = " ".join(f"--key {verifier}" for verifier in configured_verifiers())
        self.stdout.write(f"Verify them with: bin/hourglass-verify {folder} {keys}")
