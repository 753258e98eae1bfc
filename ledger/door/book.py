"""What a decision stands on: accounts, assets, holds and keys as they are while everything is locked. Pure."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from ledger.door.contents import KnownKey
from ledger.door.requests import HoldState
from ledger.governance.deliverable import Attested, Outstanding, shortfall
from ledger.governance.rules import AssetRules, WalletRules

MAX_AMOUNT = 2**62 - 1
# What fits into the database's 64 bits, on either side of zero.
MAX_BALANCE = 2**63 - 1


@dataclass(slots=True, eq=False)
class AccountState:
    """One account as the batch so far leaves it, and its wallet. `owner_id` is the beneficial owner's wallet."""

    id: int
    wallet_id: int
    asset_id: int
    balance: int
    held: int
    may_go_negative: bool
    tag: bytes
    owner_id: int
    rules: WalletRules
    balance_before: int
    held_before: int

    @property
    def available(self) -> int:
        return self.balance - self.held


@dataclass(slots=True)
class AssetState:
    id: int
    code: str
    tag: bytes
    rules: AssetRules
    resource_class: str = ""


@dataclass(slots=True)
class Supply:
    """What one resource class can still deliver: what was attested, and what each series of it still owes."""

    attested: list[Attested]
    outstanding: dict[int, Outstanding]

    def can_issue(self, asset_id: int, amount: int, now: datetime) -> bool:
        return shortfall(self._with(asset_id, amount), self.attested, now) == 0

    def issue(self, asset_id: int, amount: int) -> None:
        starts_at, expires_at, owed = self.outstanding[asset_id]
        self.outstanding[asset_id] = (starts_at, expires_at, owed + amount)

    def _with(self, asset_id: int, amount: int) -> list[Outstanding]:
        return [
            (starts_at, expires_at, owed + (amount if id_ == asset_id else 0))
            for id_, (starts_at, expires_at, owed) in self.outstanding.items()
        ]


@dataclass(slots=True)
class Book:
    """Everything a batch may touch, read under its locks."""

    now: datetime
    issuer_id: int = 0
    accounts: dict[int, AccountState] = field(default_factory=dict)
    by_pair: dict[tuple[int, int], AccountState] = field(default_factory=dict)
    assets: dict[int, AssetState] = field(default_factory=dict)
    holds: dict[int | UUID, HoldState] = field(default_factory=dict)
    keys: dict[tuple[str, str], KnownKey] = field(default_factory=dict)
    # By beneficial owner and asset, where a limit is set; and by resource class, where something is issued.
    positions: dict[tuple[int, int], int] = field(default_factory=dict)
    supplies: dict[str, Supply] = field(default_factory=dict)

    def add(self, account: AccountState) -> None:
        self.accounts[account.id] = account
        self.by_pair[account.wallet_id, account.asset_id] = account


Undo = Callable[[], None]
