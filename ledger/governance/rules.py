"""The rules of policies: whether a wallet may give or receive an asset. Pure, and asked by everybody.

The form's preview, the ledger's door, the market's clearing and the outsider's replay all ask `refusal`, so that what
is foretold, what is enforced and what is verified cannot differ.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any
from uuid import UUID

# Put upon the holder by an operator, two persons or the end of a job: the holder's policies do not stop them.
NOT_THE_HOLDERS_ACT = frozenset({"EXPIRE", "CORRECT", "REDEEM", "FORCE", "RECOVER"})
# The holder lets go of compute to somebody else; a HOLD for a redemption does not.
_GIVEN_AWAY = frozenset({"TRADE", "SEND", "GRANT"})
_SOLD = frozenset({"TRADE", "SEND"})


class BadPolicy(ValueError):
    """A policy has a field this version does not know, or one of another type."""


@dataclass(frozen=True, slots=True)
class WalletRules:
    """What one wallet may do. `owner` is the beneficial owner's wallet id where it is not the wallet's own."""

    frozen: bool = False
    may_sell: bool = True
    locked_until: datetime | None = None
    receivers: frozenset[bytes] | None = None  # to whom it may give; None is to anybody
    position_limit: int | None = None  # of each series, in GPU-seconds, over all wallets of the owner
    unlimited: bool = False  # the series' own limit does not count for it: an organisation's or a system's wallet
    owner: bytes = b""
    role: str = ""


@dataclass(frozen=True, slots=True)
class AssetRules:
    """What may be done with one asset."""

    is_credits: bool = False
    paused: bool = False
    expires_at: datetime | None = None
    locked_until: datetime | None = None
    receivers: frozenset[bytes] | None = None  # who may receive it; None is anybody
    position_limit: int | None = None  # in GPU-seconds by beneficial owner


PLAIN = WalletRules()


def refusal(
    kind: str,
    asset: AssetRules,
    wallet: WalletRules,
    *,
    gives: bool,
    now: datetime,
    wallet_id: bytes = b"",
    other: bytes | None = None,
    position: int | None = None,
) -> str | None:
    """The stable code of why this wallet may not give (or receive) this asset now; None when it may.

    `kind` is a transfer's kind, or HOLD. `other` is the wallet on the other side, None where that is not known (on the
    order book it never is). `position` is what the beneficial owner would have of the series afterwards.
    """
    if kind in NOT_THE_HOLDERS_ACT:
        return None
    if wallet.frozen:
        return "wallet_frozen"
    if asset.paused:
        return "asset_paused"
    if asset.expires_at is not None and asset.expires_at <= now:
        return "series_expired"
    if asset.is_credits:
        return None
    if gives:
        return None if wallet is PLAIN and asset.locked_until is None else _giving(kind, asset, wallet, now, other)
    return _receiving(asset, wallet, wallet_id, position)


def limit_of(asset: AssetRules, wallet: WalletRules) -> int | None:
    """How much of the series the wallet's beneficial owner may have, in GPU-seconds; None for any amount."""
    if asset.is_credits:
        return None
    limits = [wallet.position_limit, None if wallet.unlimited else asset.position_limit]
    return min((limit for limit in limits if limit is not None), default=None)


def wallet_rules(policy: Mapping[str, Any]) -> WalletRules:
    """A wallet's policy as the log has it. Raises BadPolicy."""
    known = _known(policy, WalletRules)
    if not known:
        return PLAIN
    return WalletRules(**known)


def asset_rules(policy: Mapping[str, Any], *, is_credits: bool, expires_at: datetime | None) -> AssetRules:
    """An asset's policy as the log has it, with what its definition says. Raises BadPolicy."""
    known = _known(policy, AssetRules)
    if known.keys() & {"is_credits", "expires_at"}:
        raise BadPolicy("a policy cannot change an asset's definition")
    return AssetRules(is_credits=is_credits, expires_at=expires_at, **known)


def _giving(kind: str, asset: AssetRules, wallet: WalletRules, now: datetime, other: bytes | None) -> str | None:
    if kind in _SOLD and not wallet.may_sell:
        return "wallet_may_not_sell"
    if kind not in _GIVEN_AWAY:
        return None
    if any(until is not None and now < until for until in (wallet.locked_until, asset.locked_until)):
        return "locked_up"
    if wallet.receivers is not None and other not in wallet.receivers:
        return "receiver_not_allowed"
    return None


def _receiving(asset: AssetRules, wallet: WalletRules, wallet_id: bytes, position: int | None) -> str | None:
    if asset.receivers is not None and wallet_id not in asset.receivers:
        return "receiver_not_allowed"
    if position is None:
        return None
    limit = limit_of(asset, wallet)
    return "position_limit" if limit is not None and position > limit else None


def _known(policy: Mapping[str, Any], rules: type[WalletRules | AssetRules]) -> dict[str, Any]:
    """The policy's fields in our types; `version` counts its changes and is no rule."""
    names = {field.name for field in fields(rules)}
    known: dict[str, Any] = {}
    for name, value in policy.items():
        if name == "version":
            continue
        if name not in names:
            raise BadPolicy(f"unknown rule {name}")
        if value is not None:
            known[name] = _read(name, value)
    return known


def _read(name: str, value: Any) -> Any:
    try:
        match name, value:
            case (("frozen" | "may_sell" | "unlimited" | "paused"), bool()):
                return value
            case "position_limit", int() if not isinstance(value, bool) and value >= 0:
                return value
            case "locked_until", str() if (at := datetime.fromisoformat(value)).tzinfo is not None:
                return at
            case "receivers", list():
                return frozenset(UUID(wallet).bytes for wallet in value)
            case "owner", str():
                return UUID(value).bytes
            case "role", str():
                return value
    except (ValueError, TypeError, AttributeError) as error:
        raise BadPolicy(f"{name} cannot be read") from error
    raise BadPolicy(f"{name} has the wrong type")
