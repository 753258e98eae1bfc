"""Movements of value: sums, balances, who may be on which side, policies and capacity."""

import re
from datetime import datetime

from ledger.entries import ParsedEntry
from ledger.governance.deliverable import shortfall
from ledger.governance.rules import NOT_THE_HOLDERS_ACT, PLAIN, limit_of, refusal
from ledger.verifying.replaying.books import EXPIRED, ISSUER, REDEEMED, Account, Asset, Books, BrokenRule

_ANY = frozenset({"", "FEES", ISSUER, REDEEMED, EXPIRED})
_CIRCULATING = frozenset({"", "FEES"})
# Of each kind: the roles of wallets that may give, and of those that may receive.
_SIDES: dict[str, tuple[frozenset[str], frozenset[str]]] = {
    "ISSUE": (frozenset({ISSUER}), _CIRCULATING),
    "GRANT": (_CIRCULATING, _CIRCULATING),
    "SEND": (_CIRCULATING, _CIRCULATING),
    "TRADE": (_CIRCULATING, _CIRCULATING),
    "REDEEM": (_CIRCULATING, frozenset({REDEEMED})),
    "EXPIRE": (_CIRCULATING, frozenset({EXPIRED})),
    "CORRECT": (_ANY - {ISSUER}, _ANY),
    "FORCE": (_CIRCULATING, _CIRCULATING),
    "RECOVER": (_CIRCULATING, _CIRCULATING),
}
# What two persons decided; what a correction refers to is ledger.verifying.replaying.corrections'.
_APPROVED = frozenset({"FORCE", "RECOVER"})
_APPROVAL = re.compile(r"approval:[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_MAX = 2**63

SAID = {
    "wallet_frozen": "moves value of a frozen wallet in {code}",
    "asset_paused": "moves {code} while it is paused",
    "series_expired": "moves {code} after it expired",
    "wallet_may_not_sell": "sells or sends an allowance of {code}",
    "locked_up": "gives away {code} that is locked up",
    "receiver_not_allowed": "gives {code} to a wallet that may not receive it",
    "position_limit": "takes an owner above the position limit of {code}",
}


def move(books: Books, entry: ParsedEntry) -> None:
    """Take a transfer in; BrokenRule where it may not be."""
    kind = entry.transfer_kind or ""
    sides = _SIDES.get(kind)
    if sides is None:
        raise BrokenRule(f"is a transfer of the unknown kind {kind}")
    if kind in _APPROVED and not _APPROVAL.fullmatch(entry.reference):
        raise BrokenRule(f"is a {kind} that does not say by what right ({entry.reference or 'nothing'})")
    may_give, may_receive = sides
    moved: list[tuple[Account, int]] = []
    sums: dict[Asset, int] = {}
    for posting in entry.postings:
        amount = posting.amount
        account = books.account(posting.wallet, posting.asset)
        if account.wallet.role not in (may_give if amount < 0 else may_receive):
            _wrong_side(kind, account, amount)
        account.balance += amount
        asset = account.asset
        sums[asset] = sums.get(asset, 0) + amount
        moved.append((account, amount))
    if not moved or any(sums.values()) or not all(amount for _, amount in moved):
        raise BrokenRule("does not sum to zero in every asset")
    for account, _ in moved:
        if (account.balance < account.held and not account.may_go_negative) or not -_MAX <= account.balance < _MAX:
            _overdrawn(account)
    if books.captured or kind == "REDEEM":
        _check_captured(books, kind, moved)
    if kind not in NOT_THE_HOLDERS_ACT:
        _check_policies(books, kind, moved, entry)
    if kind == "ISSUE":
        _check_capacity(books, sums, entry.recorded_at)
    elif kind == "EXPIRE":
        _check_expired(sums, entry.recorded_at)


def _check_captured(books: Books, kind: str, moved: list[tuple[Account, int]]) -> None:
    """What was captured of a hold leaves its account at once, whole; and nothing is redeemed without a hold."""
    for account, amount in moved:
        captured = books.captured.pop(account, 0)
        if (captured or (kind == "REDEEM" and amount < 0)) and amount != -captured:
            raise BrokenRule(f"moves {-amount} {account.asset.code} of a wallet where {captured} were captured")


def refuse(code: str | None, asset: Asset) -> None:
    if code is not None:
        raise BrokenRule(SAID.get(code, code).format(code=asset.code))


def outstanding(books: Books, identity: bytes, asset: Asset) -> int:
    """Issued, and neither redeemed nor expired."""
    gone = [books.roles[role].id for role in (REDEEMED, EXPIRED) if role in books.roles]
    return -sum(books.balance(wallet, identity) for wallet in (asset.issuer, *gone))


def _check_policies(books: Books, kind: str, moved: list[tuple[Account, int]], entry: ParsedEntry) -> None:
    now = entry.recorded_at
    for account, amount in moved:
        wallet, asset = account.wallet, account.asset
        gives = amount < 0
        if wallet.rules is PLAIN and (gives or asset.rules.position_limit is None):
            code = refusal(kind, asset.rules, PLAIN, gives=gives, now=now, wallet_id=wallet.id)
        elif gives:
            code = _giving(kind, account, moved, now)
        else:
            limited = limit_of(asset.rules, wallet.rules) is not None
            position = _position(books, account) if limited else None
            code = refusal(
                kind, asset.rules, wallet.rules, gives=False, now=now, wallet_id=wallet.id, position=position
            )
        if code is not None:
            refuse(code, asset)


def _giving(kind: str, account: Account, moved: list[tuple[Account, int]], now: datetime) -> str | None:
    """May it be given to each that gets some? On the order book nobody knows who that is."""
    others: list[bytes | None] = [
        other.wallet.id for other, amount in moved if amount > 0 and other.asset is account.asset
    ]
    for other in [None] if kind == "TRADE" else others:
        code = refusal(
            kind,
            account.asset.rules,
            account.wallet.rules,
            gives=True,
            now=now,
            wallet_id=account.wallet.id,
            other=other,
        )
        if code is not None:
            return code
    return None


def _position(books: Books, account: Account) -> int:
    """What the beneficial owner has of the series now, over all their wallets."""
    owner = account.wallet.owner or account.wallet.id
    wallets = books.owned.get(owner, {owner})
    identity = next(identity for identity, asset in books.assets.items() if asset is account.asset)
    return sum(books.balance(wallet, identity) for wallet in wallets)


def _check_capacity(books: Books, sums: dict[Asset, int], now: datetime) -> None:
    for asset in sums:
        if not asset.resource_class:
            continue
        series = [
            (other.starts_at, other.expires_at, outstanding(books, identity, other))
            for identity, other in books.assets.items()
            if other.resource_class == asset.resource_class and other.starts_at and other.expires_at
        ]
        attested = [
            (said.starts_at, said.ends_at, said.gpus)
            for said in books.capacities.values()
            if said.resource_class == asset.resource_class
        ]
        missing = shortfall(series, attested, now)
        if missing > 0:
            raise BrokenRule(f"issues {asset.code} beyond its capacity: {missing} GPU-seconds cannot be delivered")


def _check_expired(sums: dict[Asset, int], now: datetime) -> None:
    for asset in sums:
        if asset.expires_at is None or now < asset.expires_at:
            raise BrokenRule(f"expires {asset.code} before its time")


def _wrong_side(kind: str, account: Account, amount: int) -> None:
    asset, role = account.asset, account.wallet.role
    if amount < 0 and role == ISSUER:
        raise BrokenRule(f"makes new {asset.code} without being an issue")
    if kind == "ISSUE" and amount < 0:
        raise BrokenRule(f"issues {asset.code} from a wallet that is not its issuer")
    whose = f"the {role.lower()} wallet" if role else "a wallet in circulation"
    raise BrokenRule(
        f"{'takes' if amount < 0 else 'puts'} {asset.code} {'from' if amount < 0 else 'into'} {whose} by {kind}"
    )


def _overdrawn(account: Account) -> None:
    if not -_MAX <= account.balance < _MAX:
        raise BrokenRule(f"takes a balance of {account.asset.code} beyond 64 bits")
    if account.balance < 0:
        raise BrokenRule(f"takes a wallet below zero in {account.asset.code}")
    raise BrokenRule(f"takes what is held in {account.asset.code}")
