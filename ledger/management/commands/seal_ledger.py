from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.utils import timezone

from ledger.proof.configured import configured_sealer
from ledger.proof.keys import KeyRefused
from ledger.proof.sealing import seal_entries
from ledger.proof.treehead import TreeHeadConflict


class Command(BaseCommand):
    help = "Seal all entries that wait and sign a checkpoint, as the worker does every few seconds."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            sealer = configured_sealer()
            while (checkpoint := seal_entries(sealer, now=timezone.now())) is not None:
                self.stdout.write(f"Sealed up to {checkpoint.size}.")
        except (KeyRefused, TreeHeadConflict) as error:
            raise CommandError(str(error)) from error
