"""A thousand wallets with credits, two people whose pages are looked at, and a signed log."""

import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.utils import timezone

from bench.calling import Caller, per_second, per_second_of_processes, some_pairs
from bench.world import some_wallets
from ledger.assets import credits
from ledger.door.posting import post_batch, post_single
from ledger.door.requests import ISSUER, NewTransfer
from ledger.proof.configured import configured_sealer
from ledger.proof.keys import make_key
from ledger.proof.sealing import Sealer, seal_entries
from portal.people.accounts import sign_up
from portal.people.models import User

PLENTY = 10**12


@dataclass
class LedgerWorld:
    asset: int
    wallets: list[int]
    few: User
    many: User
    sealer: Sealer
    _batches: int = field(default=0)

    @classmethod
    def make(cls, folder: Path) -> "LedgerWorld":
        settings.LEDGER_SIGNING_KEY_FILE, settings.LEDGER_TREE_HEAD_FILE = str(folder / "key"), str(folder / "head")
        settings.ALLOWED_HOSTS = ["*"]
        make_key(folder / "key")
        now = timezone.now()
        few, many = (
            sign_up(email=f"{name}@example.org", password=None, name=name, now=now, verified=True)
            for name in ("few", "many")
        )
        world = cls(credits(now=now).id, some_wallets(), few, many, configured_sealer())
        assert few.wallet_id is not None
        assert many.wallet_id is not None
        world.post([world.moved(ISSUER, wallet, PLENTY) for wallet in [*world.wallets, few.wallet_id, many.wallet_id]])
        return world

    def moved(self, giver: int, receiver: int, amount: int, key: str = "") -> NewTransfer:
        return NewTransfer(
            kind="SEND" if giver else "ISSUE", asset_id=self.asset, from_wallet_id=giver, to_wallet_id=receiver,
            amount=amount, scope="bench" if key else "", key=key,
        )  # fmt: skip

    def post(self, rows: list[NewTransfer]) -> None:
        answers = post_batch(rows)
        assert all(answer.is_done for answer in answers), "a transfer was refused"

    def seal(self, *, limit: int | None = None) -> int:
        """Seal what waits; answers the log's size."""
        size = 0
        while (checkpoint := seal_entries(self.sealer, now=timezone.now())) is not None:
            size = checkpoint.size
            if limit is not None:
                break
        return size

    def singles(self, *, callers: int, seconds: float, seed: int, hot: bool = False) -> float:
        """Sends one by one, each with a key of its own; hot ones all go to one wallet, as fees do."""

        def caller(number: int) -> Callable[[], None]:
            pairs, name, count = some_pairs(self.wallets[1:], seed + number), f"{seed}-{number}", 0
            connection.ensure_connection()

            def call() -> None:
                nonlocal count
                count += 1
                giver, receiver = next(pairs)
                row = self.moved(giver, self.wallets[0] if hot else receiver, 1, f"{name}-{count}")
                assert post_single(row).is_done

            return call

        return per_second(caller, callers=callers, seconds=seconds, close=lambda: connection.close())

    def batches(self, *, size: int, seconds: float, seed: int, callers: int = 1) -> float:
        """Transfers a second in whole batches; making the requests is the caller's work and counted."""
        caller = self._batch_caller(size, seed, callers)
        return size * per_second(caller, callers=callers, seconds=seconds, close=lambda: connection.close())

    def batches_of_processes(self, *, size: int, seconds: float, seed: int, callers: int) -> float:
        """The same by several processes, as a site has them, each for wallets of its own, as departments have them: on
        common ones each would wait for the other."""
        connection.close()
        return size * per_second_of_processes(self._batch_caller(size, seed, callers), callers=callers, seconds=seconds)

    def _batch_caller(self, size: int, seed: int, callers: int) -> Caller:
        def caller(number: int) -> Callable[[], None]:
            pairs, count = some_pairs(self.wallets[number::callers], seed + number), 0

            def call() -> None:
                nonlocal count
                rows = []
                for giver, receiver in itertools.islice(pairs, size):
                    count += 1
                    rows.append(self.moved(giver, receiver, 1, f"{seed}-{number}-{count}"))
                self.post(rows)

            return call

        return caller

    def grow(self, user: User, count: int) -> None:
        """So many postings more in the user's account."""
        chooser = random.Random(count)
        wallet = user.wallet_id
        assert wallet is not None
        for start in range(0, count, 1000):
            self._batches += 1
            self.post([self.moved(wallet, chooser.choice(self.wallets), 1) for _ in range(min(1000, count - start))])
