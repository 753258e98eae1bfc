"""The rules of value, replayed from entries alone: what any outsider can check. Pure."""

from dataclasses import dataclass, field
from datetime import timedelta

from ledger.entries import MalformedEntry, ParsedEntry, leaf_hash, parse
from ledger.verifying.replaying.attested import attest, define, rotate_key, set_policy
from ledger.verifying.replaying.books import Books, BrokenRule
from ledger.verifying.replaying.corrections import Bodies, check_correction
from ledger.verifying.replaying.holds import hold
from ledger.verifying.replaying.transfers import move

_LONGEST_DELAY = timedelta(days=1)


@dataclass
class Replay:
    """The books as the log so far leaves them; `apply` answers what is wrong with the next entry.

    After a fault the books are worth nothing: whoever finds one stops there. `bodies` reads an earlier entry again,
    which only corrections need; without it every entry is kept.
    """

    bodies: Bodies | None = None
    entries: int = 0
    books: Books = field(default_factory=Books)
    _kept: list[bytes] = field(default_factory=list)

    def apply(self, body: bytes, leaf: bytes | None = None) -> str | None:
        """Take one entry in; a sentence when it breaks a rule, None when it keeps them all."""
        index = self.entries
        self.entries += 1
        try:
            entry = parse(body)
            self._check_instant(entry)
            if entry.kind == "TRANSFER":
                move(self.books, entry)
                if entry.transfer_kind == "CORRECT":
                    check_correction(self.books, entry, self.bodies or self._kept.__getitem__)
            elif entry.kind == "HOLD":
                hold(self.books, entry)
            else:
                self._attested(entry, index)
        except MalformedEntry as error:
            return f"cannot be read: {error}"
        except BrokenRule as error:
            return str(error)
        self.books.leaves += leaf or leaf_hash(body)
        if self.bodies is None:
            self._kept.append(body)
        return None

    @property
    def balances(self) -> dict[tuple[bytes, bytes], int]:
        """By wallet id and the asset's definition hash."""
        return {place: account.balance for place, account in self.books.accounts.items()}

    def trial_balance(self) -> dict[str, dict[str, int]]:
        """Balances by the asset's code and the wallet's opaque id, zeros left out."""
        table: dict[str, dict[str, int]] = {asset.code: {} for asset in self.books.assets.values()}
        for (wallet, _), account in sorted(self.books.accounts.items()):
            if account.balance:
                table[account.asset.code][wallet.hex()] = account.balance
        return table

    def _check_instant(self, entry: ParsedEntry) -> None:
        """Neighbours may cross, but nothing is written long after the instant it claims: not to escape an expiry."""
        if entry.recorded_at > self.books.latest:
            self.books.latest = entry.recorded_at
        elif self.books.latest - entry.recorded_at > _LONGEST_DELAY:
            raise BrokenRule("was recorded more than a day before an entry in front of it")

    def _attested(self, entry: ParsedEntry, index: int) -> None:
        match entry.kind:
            case "ASSET":
                define(self.books, entry)
            case "POLICY":
                set_policy(self.books, entry)
            case "CAPACITY":
                attest(self.books, entry)
            case _:
                rotate_key(self.books, entry, index)
