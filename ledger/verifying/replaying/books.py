"""What the log so far says of wallets, assets, balances and holds."""

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from ledger.governance.rules import PLAIN, AssetRules, WalletRules

ISSUER, REDEEMED, EXPIRED = "ISSUER", "REDEEMED", "EXPIRED"
# Beyond these three wallets an asset is in circulation.
ROLES = frozenset({ISSUER, REDEEMED, EXPIRED, "FEES"})

_BEFORE_ALL = datetime.min.replace(tzinfo=UTC)


class BrokenRule(ValueError):
    """An entry breaks a rule; the message goes on from "entry 7: "."""


@dataclass(slots=True, eq=False)
class Wallet:
    id: bytes
    rules: WalletRules = PLAIN
    role: str = ""
    owner: bytes = b""
    version: int = 0
    # The newest policy as the log has it.
    said: Mapping[str, Any] = field(default_factory=dict)


@dataclass(slots=True, eq=False)
class Asset:
    """`rules` are the newest policy's, with the definition's expiry."""

    code: str
    issuer: bytes
    rules: AssetRules
    resource_class: str = ""
    starts_at: datetime | None = None
    version: int = 0
    said: Mapping[str, Any] = field(default_factory=dict)

    @property
    def expires_at(self) -> datetime | None:
        return self.rules.expires_at


@dataclass(slots=True, eq=False)
class Account:
    """`orders` is the part of `held` that no hold of its own stands for."""

    wallet: Wallet
    asset: Asset
    may_go_negative: bool
    balance: int = 0
    held: int = 0
    orders: int = 0


@dataclass(slots=True, eq=False)
class Hold:
    account: Account
    amount: int
    expires_at: datetime | None
    resolved: str = ""
    captured: int = 0


@dataclass(slots=True)
class Capacity:
    resource_class: str
    gpus: int
    starts_at: datetime
    ends_at: datetime
    version: int


@dataclass(slots=True, eq=False)
class Books:
    """Everything the next entry is judged by."""

    wallets: dict[bytes, Wallet] = field(default_factory=dict)
    assets: dict[bytes, Asset] = field(default_factory=dict)
    accounts: dict[tuple[bytes, bytes], Account] = field(default_factory=dict)
    roles: dict[str, Wallet] = field(default_factory=dict)
    # A beneficial owner's wallets, where there are several: its own and those that name it.
    owned: dict[bytes, set[bytes]] = field(default_factory=dict)
    holds: dict[bytes, Hold] = field(default_factory=dict)
    # Captured of a hold, and not moved yet: the account's next entry is the transfer that does.
    captured: dict[Account, int] = field(default_factory=dict)
    capacities: dict[str, Capacity] = field(default_factory=dict)
    # The latest instant of any entry so far.
    latest: datetime = _BEFORE_ALL
    # Every leaf's hash so far, 32 bytes each: corrections name one.
    leaves: bytearray = field(default_factory=bytearray)
    # By a corrected entry's leaf hash: what corrections of it moved, by wallet and asset.
    corrected: dict[bytes, defaultdict[tuple[bytes, bytes], int]] = field(default_factory=dict)
    # The log's signing keys: (index of the entry that names it, the verifier key).
    keys: list[tuple[int, str]] = field(default_factory=list)
    key_version: int = 0

    def wallet(self, id_: bytes) -> Wallet:
        found = self.wallets.get(id_)
        if found is None:
            found = self.wallets[id_] = Wallet(id_)
        return found

    def account(self, wallet: bytes, asset: bytes) -> Account:
        """The wallet's balance of the asset, empty when first named."""
        found = self.accounts.get((wallet, asset))
        return found if found is not None else self._opened(wallet, asset)

    def balance(self, wallet: bytes, asset: bytes) -> int:
        found = self.accounts.get((wallet, asset))
        return 0 if found is None else found.balance

    def _opened(self, wallet: bytes, asset: bytes) -> Account:
        known = self.assets.get(asset)
        if known is None:
            raise BrokenRule(f"moves an asset that is not defined ({asset.hex()[:12]})")
        account = Account(self.wallet(wallet), known, may_go_negative=wallet == known.issuer)
        self.accounts[wallet, asset] = account
        return account


def read_json(text: bytes, what: str) -> dict[str, Any]:
    """An object in its one canonical form (RFC 8785, of text, integers, booleans and lists of them)."""
    try:
        value = json.loads(text, parse_float=_no_float, parse_constant=_no_float)
    except (ValueError, RecursionError) as error:
        raise BrokenRule(f"carries a {what} that cannot be read") from error
    if not isinstance(value, dict):
        raise BrokenRule(f"carries a {what} that cannot be read")
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode(errors="replace")
    if canonical != text:
        raise BrokenRule(f"carries a {what} that is not canonical JSON")
    return value


def read_instant(value: object, what: str) -> datetime:
    """ISO 8601 with its zone."""
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise BrokenRule(f"carries a {what} with an instant that cannot be read")
    return at


def next_version(before: int, version: object, what: str) -> int:
    """Versions count from 1 and leave none out."""
    if not isinstance(version, int) or isinstance(version, bool) or version != before + 1:
        raise BrokenRule(f"is version {version} of {what}, where {before + 1} comes next")
    return version


def _no_float(_text: str) -> float:
    raise ValueError("no floats")
