"""The rules of value, replayed from entries alone: what any outsider can check. Pure."""

import hashlib
import json
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from ledger.entries import MalformedEntry, ParsedEntry, parse

# What an operator or the end of a job brings about (ledger.policies says the same).
_AFTER_EXPIRY = {"EXPIRE", "CORRECT", "REDEEM"}
_ALLOWANCE_MAY_NOT = {"TRADE", "SEND"}


@dataclass
class _Asset:
    code: str
    issuer: bytes
    expires_at: datetime | None
    is_credits: bool


@dataclass
class Replay:
    """Balances as the log so far leaves them; `apply` answers what is wrong with the next entry."""

    balances: dict[tuple[bytes, bytes], int] = field(default_factory=lambda: defaultdict(int))
    entries: int = 0
    _assets: dict[bytes, _Asset] = field(default_factory=dict)
    _frozen: set[bytes] = field(default_factory=set)
    _may_not_sell: set[bytes] = field(default_factory=set)

    def apply(self, body: bytes) -> str | None:
        """Take one entry in; a sentence when it breaks a rule, None when it keeps them all."""
        self.entries += 1
        try:
            entry = parse(body)
        except (MalformedEntry, UnicodeDecodeError, OverflowError) as error:
            return f"cannot be read: {error}"
        match entry.kind:
            case "ASSET":
                return self._define(entry)
            case "POLICY":
                return self._set_policy(entry)
            case _:
                return self._transfer(entry)

    def trial_balance(self) -> dict[str, dict[str, int]]:
        """Balances by the asset's code and the wallet's opaque id, zeros left out."""
        table: dict[str, dict[str, int]] = {asset.code: {} for asset in self._assets.values()}
        for (wallet, asset), amount in sorted(self.balances.items()):
            if amount:
                table[self._assets[asset].code][wallet.hex()] = amount
        return table

    def _define(self, entry: ParsedEntry) -> str | None:
        identity = hashlib.sha256(entry.definition).digest()
        if identity in self._assets or any(asset.code == entry.code for asset in self._assets.values()):
            return f"defines {entry.code} a second time"
        try:
            definition = json.loads(entry.definition)
            expiry = definition.get("expires_at")
            expires_at = datetime.fromisoformat(expiry) if expiry else None
            is_credits = definition["kind"] == "CREDITS"
        except (ValueError, KeyError, AttributeError, TypeError):
            return "carries a definition that cannot be read"
        if definition.get("code") != entry.code:
            return "names another code than its definition"
        self._assets[identity] = _Asset(entry.code, entry.issuer, expires_at, is_credits)
        return None

    def _set_policy(self, entry: ParsedEntry) -> str | None:
        try:
            policy = json.loads(entry.definition)
            wallet = bytes.fromhex(entry.reference.removeprefix("wallet:").replace("-", ""))
            frozen, may_sell = policy["frozen"], policy["may_sell"]
        except (ValueError, KeyError, TypeError):
            return "carries a policy that cannot be read"
        (self._frozen.add if frozen else self._frozen.discard)(wallet)
        (self._may_not_sell.discard if may_sell else self._may_not_sell.add)(wallet)
        return None

    def _transfer(self, entry: ParsedEntry) -> str | None:
        sums: dict[bytes, int] = defaultdict(int)
        for posting in entry.postings:
            asset = self._assets.get(posting.asset)
            if asset is None:
                return f"moves an asset that is not defined ({posting.asset.hex()[:12]})"
            if fault := self._policy_fault(entry, asset, posting.wallet, posting.amount):
                return fault
            sums[posting.asset] += posting.amount
        if not entry.postings or any(sums.values()):
            return "does not sum to zero in every asset"
        return self._move(entry)

    def _move(self, entry: ParsedEntry) -> str | None:
        for posting in entry.postings:
            self.balances[posting.wallet, posting.asset] += posting.amount
        for posting in entry.postings:
            asset = self._assets[posting.asset]
            if self.balances[posting.wallet, posting.asset] < 0 and posting.wallet != asset.issuer:
                return f"takes a wallet below zero in {asset.code}"
            if posting.wallet == asset.issuer and posting.amount < 0 and entry.transfer_kind != "ISSUE":
                return f"makes new {asset.code} without being an issue"
        return None

    def _policy_fault(self, entry: ParsedEntry, asset: _Asset, wallet: bytes, amount: int) -> str | None:
        if entry.transfer_kind in _AFTER_EXPIRY:
            return None
        if asset.expires_at is not None and entry.recorded_at >= asset.expires_at:
            return f"moves {asset.code} after it expired"
        if wallet in self._frozen:
            return "moves value of a frozen wallet"
        sells = amount < 0 and not asset.is_credits and entry.transfer_kind in _ALLOWANCE_MAY_NOT
        if sells and wallet in self._may_not_sell:
            return f"sells or sends an allowance of {asset.code}"
        return None
