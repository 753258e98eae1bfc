"""What the log says in JSON: definitions of assets, policies, capacity and keys, each version in its turn."""

import hashlib
from collections.abc import Mapping
from typing import Any
from uuid import UUID

from ledger.entries import ParsedEntry
from ledger.governance.rules import PLAIN, AssetRules, BadPolicy, WalletRules, asset_rules, wallet_rules
from ledger.verifying.replaying.books import (
    ISSUER,
    ROLES,
    Asset,
    Books,
    BrokenRule,
    Capacity,
    next_version,
    read_instant,
)
from ledger.verifying.replaying.books import read_json as read

_CAPACITY = {"resource_class", "gpus", "starts_at", "ends_at", "version"}


def define(books: Books, entry: ParsedEntry) -> None:
    """An asset's first entry: its definition's hash is the asset from now on."""
    identity = hashlib.sha256(entry.definition).digest()
    if identity in books.assets or any(asset.code == entry.code for asset in books.assets.values()):
        raise BrokenRule(f"defines {entry.code} a second time")
    definition = read(entry.definition, "definition")
    if definition.get("code") != entry.code:
        raise BrokenRule("names another code than its definition")
    issuer = books.roles.get(ISSUER)
    if issuer is None or issuer.id != entry.issuer:
        raise BrokenRule(f"gives {entry.code} an issuer that is not the log's")
    match definition.get("kind"):
        case "CREDITS":
            asset = Asset(entry.code, entry.issuer, AssetRules(is_credits=True))
        case "POOL":
            asset = _series(entry, definition)
        case _:
            raise BrokenRule("carries a definition of no kind that is known")
    books.assets[identity] = asset


def set_policy(books: Books, entry: ParsedEntry) -> None:
    """What a wallet or an asset may do from here on."""
    policy = read(entry.definition, "policy")
    whose, _, name = entry.reference.partition(":")
    try:
        if whose == "wallet":
            _set_wallet_policy(books, _uuid(name), policy, entry.reference)
        elif whose == "asset":
            _set_asset_policy(books, name, policy)
        else:
            raise BrokenRule(f"is a policy for {entry.reference or 'nobody'}")
    except BadPolicy as error:
        raise BrokenRule(f"carries a policy that cannot be read: {error}") from error


def attest(books: Books, entry: ParsedEntry) -> None:
    """So many GPUs of a class from one instant to another; a later version takes the place of an earlier one."""
    said = read(entry.definition, "capacity")
    whose, _, name = entry.reference.partition(":")
    gpus, resource_class = said.get("gpus"), said.get("resource_class")
    if whose != "capacity" or said.keys() != _CAPACITY or not isinstance(resource_class, str) or not resource_class:
        raise BrokenRule("carries a capacity that cannot be read")
    if not isinstance(gpus, int) or isinstance(gpus, bool) or gpus < 0:
        raise BrokenRule("attests no number of GPUs")
    starts_at, ends_at = (read_instant(said[name], "capacity") for name in ("starts_at", "ends_at"))
    if ends_at <= starts_at:
        raise BrokenRule("attests capacity that ends before it starts")
    subject = f"capacity:{UUID(bytes=_uuid(name))}"
    before = books.capacities.get(subject)
    version = next_version(before.version if before else 0, said["version"], subject)
    if before is not None and before.resource_class != resource_class:
        raise BrokenRule(f"moves {subject} to another resource class")
    books.capacities[subject] = Capacity(resource_class, gpus, starts_at, ends_at, version)


def rotate_key(books: Books, entry: ParsedEntry, index: int) -> None:
    """A new key signs from the checkpoint on that ends with this entry; which, the verifier checks."""
    said = read(entry.definition, "key")
    key = said.get("key")
    if entry.reference != "log" or said.keys() != {"key", "version"} or not isinstance(key, str):
        raise BrokenRule("carries a key that cannot be read")
    if any(key == known for _, known in books.keys):
        raise BrokenRule("takes a retired key into use again")
    # The first key is nobody's to announce: the first KEY entry names the second.
    books.key_version = next_version(books.key_version or 1, said["version"], "the log's key")
    books.keys.append((index, key))


def _series(entry: ParsedEntry, definition: Mapping[str, Any]) -> Asset:
    resource_class = definition.get("resource_class")
    if not isinstance(resource_class, str) or not resource_class:
        raise BrokenRule("carries a definition without a resource class")
    starts_at, expires_at = (read_instant(definition.get(name), "definition") for name in ("starts_at", "expires_at"))
    if not starts_at < expires_at or expires_at <= entry.recorded_at:
        raise BrokenRule("defines a series that is never worth anything")
    return Asset(entry.code, entry.issuer, AssetRules(expires_at=expires_at), resource_class, starts_at)


def _set_wallet_policy(books: Books, id_: bytes, policy: Mapping[str, Any], subject: str) -> None:
    wallet = books.wallet(id_)
    version = next_version(wallet.version, policy.get("version"), subject)
    rules = wallet_rules(policy)
    _check_role(books, id_, rules.role)
    wallet.version, wallet.said, wallet.role, wallet.rules = version, policy, rules.role, rules
    if rules.role:
        books.roles[rules.role] = wallet
    if rules == WalletRules(role=rules.role, owner=rules.owner):
        wallet.rules = PLAIN  # who it is, and no rule
    if wallet.owner:
        books.owned[wallet.owner].discard(id_)
    wallet.owner = rules.owner
    if wallet.owner:
        books.owned.setdefault(wallet.owner, {wallet.owner}).add(id_)


def _check_role(books: Books, wallet: bytes, role: str) -> None:
    """A system wallet is what it is from its first entry on, and there is one of each."""
    if role and role not in ROLES:
        raise BrokenRule(f"gives a wallet the unknown role {role}")
    holder = books.roles.get(role)
    known = books.wallets[wallet]
    taken = holder is not None and holder.id != wallet
    if taken or (known.role != role and (known.version or any(key[0] == wallet for key in books.accounts))):
        raise BrokenRule(f"gives or takes the role {role or known.role}, which is settled")


def _set_asset_policy(books: Books, code: str, policy: Mapping[str, Any]) -> None:
    asset = next((asset for asset in books.assets.values() if asset.code == code), None)
    if asset is None:
        raise BrokenRule(f"is a policy for {code}, which is not defined")
    version = next_version(asset.version, policy.get("version"), f"asset:{code}")
    asset.rules = asset_rules(policy, is_credits=asset.rules.is_credits, expires_at=asset.expires_at)
    asset.version, asset.said = version, policy


def _uuid(text: str) -> bytes:
    try:
        found = UUID(text)
    except ValueError:
        found = None
    if found is None or str(found) != text:
        raise BrokenRule(f"is for {text or 'nobody'}, which is no id")
    return found.bytes
