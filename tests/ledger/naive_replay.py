"""A second replay, written from docs/ledger.md as plainly as can be: sums over the whole history, nothing kept.

It knows nothing of the first one, and is asked only of small histories.
"""

import hashlib
import json
from datetime import datetime, timedelta
from uuid import UUID

from ledger.entries import ParsedEntry, leaf_hash, parse

STOPS_NOBODY = {"EXPIRE", "CORRECT", "REDEEM", "FORCE", "RECOVER"}
SYSTEM = {"ISSUER", "REDEEMED", "EXPIRED"}


class History:
    """Entries that were all accepted, and every question answered by reading them again."""

    def __init__(self) -> None:
        self.bodies: list[bytes] = []
        self.entries: list[ParsedEntry] = []

    def accepts(self, body: bytes) -> bool:
        """May this entry come next? If so it has."""
        entry = parse(body)
        try:
            self._check(entry, body)
        except AssertionError:
            return False
        return True

    def _check(self, entry: ParsedEntry, body: bytes) -> None:
        latest = max((other.recorded_at for other in self.entries), default=entry.recorded_at)
        assert latest - entry.recorded_at <= timedelta(days=1)
        {
            "ASSET": self._asset, "TRANSFER": self._transfer, "HOLD": self._hold, "POLICY": self._policy,
            "CAPACITY": self._capacity,
        }[entry.kind](entry)  # fmt: skip
        touched = {(posting.wallet, posting.asset) for posting in entry.postings}
        self.bodies.append(body)
        self.entries.append(entry)
        try:
            for place in touched:
                self._account(place)
            if entry.transfer_kind == "ISSUE":
                self._deliverable(entry)
        except AssertionError:
            self.bodies.pop()
            self.entries.pop()
            raise

    def _account(self, place: tuple[bytes, bytes]) -> None:
        balance, held = self.balance(*place), self.held(*place)
        assert held >= 0
        assert self.held(*place, orders_only=True) >= 0
        assert place[0] == self.role("ISSUER") or held <= balance
        assert not held or self.role_of(place[0]) not in SYSTEM

    # Answers, each by reading everything again

    def balance(self, wallet: bytes, asset: bytes) -> int:
        return sum(
            posting.amount
            for entry in self.entries
            if entry.kind == "TRANSFER"
            for posting in entry.postings
            if (posting.wallet, posting.asset) == (wallet, asset)
        )

    def held(self, wallet: bytes, asset: bytes, *, orders_only: bool = False) -> int:
        return sum(
            posting.amount
            for entry in self.entries
            if entry.kind == "HOLD" and (entry.action == "ORDERS" or not orders_only)
            for posting in entry.postings
            if (posting.wallet, posting.asset) == (wallet, asset)
        )

    def policy(self, subject: str) -> dict:
        said = [entry.definition for entry in self.entries if entry.kind == "POLICY" and entry.reference == subject]
        return json.loads(said[-1]) if said else {}

    def of_wallet(self, wallet: bytes) -> dict:
        return self.policy(f"wallet:{UUID(bytes=wallet)}")

    def role_of(self, wallet: bytes) -> str:
        return self.of_wallet(wallet).get("role", "")

    def role(self, role: str) -> bytes | None:
        wallets = {UUID(entry.reference[7:]).bytes for entry in self.entries if entry.reference.startswith("wallet:")}
        return next((wallet for wallet in wallets if self.role_of(wallet) == role), None)

    def definition(self, asset: bytes) -> dict:
        found = [entry.definition for entry in self.entries if hashlib.sha256(entry.definition).digest() == asset]
        assert found
        return json.loads(found[0])

    def assets(self) -> list[bytes]:
        return [hashlib.sha256(entry.definition).digest() for entry in self.entries if entry.kind == "ASSET"]

    # The rules, in the order of the page

    def _asset(self, entry: ParsedEntry) -> None:
        said = json.loads(entry.definition)
        assert hashlib.sha256(entry.definition).digest() not in self.assets()
        assert all(other.code != entry.code for other in self.entries if other.kind == "ASSET")
        assert said["code"] == entry.code
        assert entry.issuer == self.role("ISSUER")
        if said["kind"] != "CREDITS":
            starts_at, expires_at = (datetime.fromisoformat(said[name]) for name in ("starts_at", "expires_at"))
            assert starts_at < expires_at > entry.recorded_at

    def _transfer(self, entry: ParsedEntry) -> None:
        kind, sides = entry.transfer_kind, entry.postings
        assert sides
        assert all(side.amount for side in sides)
        for asset in {side.asset for side in sides}:
            self.definition(asset)
            assert sum(side.amount for side in sides if side.asset == asset) == 0
        for side in sides:
            self._side(kind or "", side.amount < 0, self.role_of(side.wallet))
            self._captured(kind or "", side.wallet, side.asset, side.amount)
            if kind == "EXPIRE":
                assert self.expiry(side.asset) is not None
                assert self.expiry(side.asset) <= entry.recorded_at
        if kind in {"FORCE", "RECOVER"}:
            assert entry.reference.startswith("approval:")
            UUID(entry.reference.removeprefix("approval:"))
        if kind == "CORRECT":
            self._correction(entry)
        elif kind not in STOPS_NOBODY:
            for side in sides:
                others = [other.wallet for other in sides if other.amount > 0 and other.asset == side.asset]
                self._may(kind or "", entry, side.wallet, side.asset, side.amount < 0, others)
                if side.amount > 0:
                    self._limit(side.wallet, side.asset, entry)

    def _side(self, kind: str, gives: bool, role: str) -> None:
        if kind == "CORRECT":
            assert not (gives and role == "ISSUER")
        elif gives:
            assert role == "ISSUER" if kind == "ISSUE" else role not in SYSTEM
        else:
            receiver = {"REDEEM": "REDEEMED", "EXPIRE": "EXPIRED"}.get(kind)
            assert role == receiver if receiver else role not in SYSTEM
        assert kind in {"ISSUE", "GRANT", "SEND", "TRADE"} | STOPS_NOBODY

    def _captured(self, kind: str, wallet: bytes, asset: bytes, amount: int) -> None:
        last = next(
            (
                entry
                for entry in reversed(self.entries)
                if any((side.wallet, side.asset) == (wallet, asset) for side in entry.postings)
            ),
            None,
        )
        captured = last.captured if last is not None and last.kind == "HOLD" and last.action == "CAPTURED" else 0
        if captured or (kind == "REDEEM" and amount < 0):
            assert amount == -captured

    def _correction(self, entry: ParsedEntry) -> None:
        named = entry.reference.removeprefix("corrects:")
        corrected = [self.entries[place] for place, body in enumerate(self.bodies) if leaf_hash(body).hex() == named]
        assert corrected
        assert corrected[0].transfer_kind not in {None, "CORRECT", "EXPIRE"}
        family = [*corrected, *(other for other in self.entries if other.reference == entry.reference)]
        for place in {(side.wallet, side.asset) for side in entry.postings}:
            left, takes = (
                sum(side.amount for one in entries for side in one.postings if (side.wallet, side.asset) == place)
                for entries in (family, [entry])
            )
            assert 0 <= -takes <= left or left <= -takes <= 0

    def expiry(self, asset: bytes) -> datetime | None:
        text = self.definition(asset).get("expires_at")
        return datetime.fromisoformat(text) if text else None

    def _may(
        self, kind: str, entry: ParsedEntry, wallet: bytes, asset: bytes, gives: bool, others: list[bytes]
    ) -> None:
        rules, series, now = self.of_wallet(wallet), self.definition(asset), entry.recorded_at
        about = self.policy(f"asset:{series['code']}")
        assert not rules.get("frozen")
        assert not about.get("paused")
        expiry = self.expiry(asset)
        assert expiry is None or now < expiry
        if series["kind"] == "CREDITS":
            return
        if not gives:
            assert wallet in ids(about["receivers"]) if "receivers" in about else True
            return
        if kind in {"SEND", "TRADE"}:
            assert rules.get("may_sell", True)
        if kind in {"GRANT", "SEND", "TRADE"}:
            for one in (rules, about):
                assert "locked_until" not in one or datetime.fromisoformat(one["locked_until"]) <= now
            if "receivers" in rules:
                assert kind != "TRADE"
                assert set(others) <= ids(rules["receivers"])

    def _limit(self, wallet: bytes, asset: bytes, entry: ParsedEntry) -> None:
        rules, series = self.of_wallet(wallet), self.definition(asset)
        if series["kind"] == "CREDITS":
            return
        about = self.policy(f"asset:{series['code']}")
        limits = [rules.get("position_limit")] + ([] if rules.get("unlimited") else [about.get("position_limit")])
        owner = self.owner(wallet)
        wallets = {owner} | {
            other for one in [*self.entries, entry] for other in wallets_in(one) if self.owner(other) == owner
        }
        position = sum(self.balance(one, asset) for one in wallets) + sum(
            side.amount for side in entry.postings if side.asset == asset and side.wallet in wallets
        )
        assert all(limit is None or position <= limit for limit in limits)

    def owner(self, wallet: bytes) -> bytes:
        said = self.of_wallet(wallet).get("owner")
        return UUID(said).bytes if said else wallet

    def _hold(self, entry: ParsedEntry) -> None:
        for side in entry.postings:
            self.definition(side.asset)
            self._captured("", side.wallet, side.asset, 0)
            if entry.action == "PLACED" or (entry.action == "ORDERS" and side.amount > 0):
                assert self.role_of(side.wallet) not in SYSTEM
                self._may("TRADE" if entry.action == "ORDERS" else "HOLD", entry, side.wallet, side.asset, True, [])
        if entry.action == "ORDERS":
            assert entry.postings
            return
        (side,) = entry.postings if len(entry.postings) == 1 else (None,)
        assert side is not None
        of_it = [other for other in self.entries if other.kind == "HOLD" and other.hold == entry.hold]
        if entry.action == "PLACED":
            assert not of_it
            assert side.amount > 0
            return
        assert len(of_it) == 1
        placed = of_it[0].postings[0]
        assert (side.wallet, side.asset, side.amount) == (placed.wallet, placed.asset, -placed.amount)
        ends = of_it[0].expires_at
        is_due = ends is not None and ends <= entry.recorded_at
        if entry.action == "CAPTURED":
            assert 0 < entry.captured <= placed.amount
            assert not is_due
        assert entry.action != "EXPIRED" or is_due

    def _policy(self, entry: ParsedEntry) -> None:
        said = json.loads(entry.definition)
        assert said["version"] == self.policy(entry.reference).get("version", 0) + 1
        if entry.reference.startswith("asset:"):
            assert any(other.code == entry.reference[6:] for other in self.entries if other.kind == "ASSET")
            return
        wallet, role = UUID(entry.reference[7:]).bytes, said.get("role", "")
        if role != self.role_of(wallet):
            assert not self.of_wallet(wallet)
            assert not any(side.wallet == wallet for other in self.entries for side in other.postings)
            assert self.role(role) is None
            assert role in SYSTEM | {"FEES"}

    def _capacity(self, entry: ParsedEntry) -> None:
        said = json.loads(entry.definition)
        earlier = [json.loads(other.definition) for other in self.entries if other.reference == entry.reference]
        assert said["version"] == len(earlier) + 1
        assert said["gpus"] >= 0
        assert datetime.fromisoformat(said["starts_at"]) < datetime.fromisoformat(said["ends_at"])
        assert all(other["resource_class"] == said["resource_class"] for other in earlier)

    def _deliverable(self, entry: ParsedEntry) -> None:
        """By serving, second by second of what is attested, whoever expires first would do too: here the bound."""
        now = entry.recorded_at
        newest = {o.reference: json.loads(o.definition) for o in self.entries if o.kind == "CAPACITY"}.values()
        for name in {self.definition(side.asset).get("resource_class") for side in entry.postings} - {None}:
            series = [
                (a, self.definition(a)) for a in self.assets() if self.definition(a).get("resource_class") == name
            ]
            claims = []
            for asset, said in series:
                starts_at, expires_at = (datetime.fromisoformat(said[each]) for each in ("starts_at", "expires_at"))
                gone = [wallet for wallet in map(self.role, SYSTEM) if wallet]
                if expires_at > now:
                    claims.append((max(now, starts_at), expires_at, -sum(self.balance(w, asset) for w in gone)))
            for begin in {claim[0] for claim in claims}:
                for end in {claim[1] for claim in claims}:
                    due = sum(amount for s, e, amount in claims if s >= begin and e <= end)
                    made = timedelta(0)
                    for said in newest:
                        a, b = (datetime.fromisoformat(said[each]) for each in ("starts_at", "ends_at"))
                        if said["resource_class"] == name and min(end, b) > max(begin, a):
                            made += (min(end, b) - max(begin, a)) * said["gpus"]
                    assert due <= made // timedelta(seconds=1)


def ids(wallets: list[str]) -> set[bytes]:
    return {UUID(wallet).bytes for wallet in wallets}


def wallets_in(entry: ParsedEntry) -> set[bytes]:
    named = {side.wallet for side in entry.postings}
    return named | ({UUID(entry.reference[7:]).bytes} if entry.reference.startswith("wallet:") else set())
