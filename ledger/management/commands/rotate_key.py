from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from ledger.clock import database_now
from ledger.proof.custody import is_in_device, signers_at
from ledger.proof.keys import KeyRefused, add_key
from ledger.proof.rotation import rotate_key, waiting_key


class Command(BaseCommand):
    help = "Make a new signing key, and write the entry from which on it signs the log in place of the present one."

    def handle(self, *args: Any, **options: Any) -> None:
        place = settings.LEDGER_SIGNING_KEY_FILE
        try:
            if waiting_key(signers_at(place, origin=settings.LEDGER_ORIGIN)) is None:
                if is_in_device(place):
                    raise CommandError("Make a key in the device and put its URI behind the others first.")
                add_key(Path(place))
            verifier = rotate_key(signers_at(place, origin=settings.LEDGER_ORIGIN), now=database_now())
        except KeyRefused as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"From the next checkpoint on the log is signed by\n{verifier}")
        self.stdout.write("Give this key to the witnesses and put it into the policy file.")
