from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from ledger.models import Checkpoint, Entry
from ledger.proof.configured import configured_policy, configured_verifiers
from ledger.proof.treehead import TreeHeadFile
from ledger.verifying.verification import ledger_faults


class Command(BaseCommand):
    help = "Check that balances, holds, entries, tiles and checkpoints in the database agree."

    def handle(self, *args: Any, **options: Any) -> None:
        # Read first: the numbering that it is of was committed before it was swapped.
        head = TreeHeadFile(Path(settings.LEDGER_TREE_HEAD_FILE)).read()
        faults = list(ledger_faults(configured_verifiers(), configured_policy(), head))
        for fault in faults:
            self.stderr.write(f"FAULT {fault}")
        if faults:
            raise CommandError(f"{len(faults)} faults in the ledger.")
        checkpoint = Checkpoint.objects.order_by("-size").first()
        self.stdout.write(
            f"{Entry.objects.count()} entries, {checkpoint.size if checkpoint else 0} of them sealed: no fault."
        )
