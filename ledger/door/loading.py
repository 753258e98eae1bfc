"""Entering the door: every account is locked once, in id order, and what a batch may touch is read in one call."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from json import loads
from typing import Any
from uuid import UUID

from ledger.arrays import integers, texts
from ledger.door.book import AccountState, AssetState, Book, Supply
from ledger.door.contents import KnownKey, is_key
from ledger.door.requests import ISSUER, HoldState, NewHold, NewPostings, NewTransfer, Request
from ledger.governance.capacity import attested, outstanding, queue_for
from ledger.governance.policies import positions_of
from ledger.governance.rules import (
    NOT_THE_HOLDERS_ACT,
    PLAIN,
    AssetRules,
    WalletRules,
    asset_rules,
    limit_of,
    wallet_rules,
)
from ledger.pipelining import Cursor
from ledger.statements import call

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_ENTER = call("ledger_enter", [*["bigint[]"] * 4, "uuid[]", *["text[]"] * 2])


def enter(cursor: Cursor, rows: Sequence[Request]) -> Book:
    """Lock and read. With the locks comes the instant: what follows in time follows in the log."""
    pairs: dict[tuple[int, int], None] = {}
    accounts: list[int] = []
    hold_ids: list[int] = []
    hold_names: list[UUID] = []
    scopes: list[str] = []
    keys: list[str] = []
    for row in rows:
        if row.key and is_key(row.scope, row.key):
            scopes.append(row.scope)
            keys.append(row.key)
        if isinstance(row, NewTransfer):
            pairs[row.from_wallet_id, row.asset_id] = None
            pairs[row.to_wallet_id, row.asset_id] = None
        elif isinstance(row, NewHold):
            pairs[row.wallet_id, row.asset_id] = None
            hold_names.append(row.hold)
            if row.to_wallet_id is not None:
                pairs[row.to_wallet_id, row.asset_id] = None
        elif isinstance(row, NewPostings):
            accounts.extend(move.account_id for move in row.moves)
        else:
            if isinstance(row.hold, UUID):
                hold_names.append(row.hold)
            else:
                hold_ids.append(row.hold)
            target = getattr(row, "to_account_id", None)
            if target is not None:
                accounts.append(target)
    cursor.execute(
        _ENTER,
        [
            integers(wallet for wallet, _ in pairs),
            integers(asset for _, asset in pairs),
            integers(accounts),
            integers(hold_ids),
            texts(map(str, hold_names)),
            texts(scopes),
            texts(keys),
        ],
    )
    book = _read(cursor.fetchall())
    if any(row.kind == "ISSUE" for row in rows if isinstance(row, NewTransfer | NewPostings)):
        _read_supplies(book, rows)
    if _limits_somebody(book):
        _read_positions(book, rows)
    return book


def _read(rows: Sequence[tuple[Any, ...]]) -> Book:
    book = Book(now=_EPOCH)
    policies: dict[int, tuple[WalletRules, int, str]] = {}
    for kind, a, b, c, d, e, f, t, u, v, x in rows:
        if kind == 1:
            book.add(AccountState(a, b, c, d, e, bool(f), x, b, PLAIN, d, e))
        elif kind == 5:
            policies[a] = (_wallet_rules(t), b or a, u)
        elif kind == 4:
            book.keys[t, u] = KnownKey(v, a, b)
        elif kind == 3:
            ends_at = None if f is None else _EPOCH + f * _MICROSECOND
            hold = HoldState(a, UUID(bytes=x), b, c, d, u, t, ends_at, e)
            book.holds[hold.id] = book.holds[hold.name] = hold
        elif kind == 2:
            code, resource_class = u.split("\x1f")
            book.assets[a] = AssetState(a, code, x, _asset_rules(t, bool(b), v), resource_class)
        else:
            book.now = _EPOCH + a * _MICROSECOND
    if policies:
        _add_policies(book, policies)
    return book


def _add_policies(book: Book, policies: dict[int, tuple[WalletRules, int, str]]) -> None:
    for account in book.accounts.values():
        if account.wallet_id in policies:
            account.rules, account.owner_id, role = policies[account.wallet_id]
            if role == "ISSUER":
                book.issuer_id = account.wallet_id
                book.by_pair[ISSUER, account.asset_id] = account


@lru_cache(1000)
def _wallet_rules(text: str) -> WalletRules:
    return wallet_rules(loads(text))


@lru_cache(1000)
def _asset_rules(text: str, is_credits: bool, expires_at: str | None) -> AssetRules:
    ends_at = None if expires_at is None else datetime.fromisoformat(expires_at)
    return asset_rules(loads(text), is_credits=is_credits, expires_at=ends_at)


def _limits_somebody(book: Book) -> bool:
    if any(asset.rules.position_limit is not None for asset in book.assets.values()):
        return True
    return any(account.rules.position_limit is not None for account in book.accounts.values())


def _has_limit(book: Book, account: AccountState) -> bool:
    return limit_of(book.assets[account.asset_id].rules, account.rules) is not None


def _read_positions(book: Book, rows: Sequence[Request]) -> None:
    """What owners under a limit have of what these rows bring them, in one order for everybody."""
    wanted: dict[int, set[int]] = {}
    for row in rows:
        if isinstance(row, NewHold) or getattr(row, "kind", "") in NOT_THE_HOLDERS_ACT:
            continue
        for account in _receivers(book, row):
            if account is not None and _has_limit(book, account):
                wanted.setdefault(account.asset_id, set()).add(account.owner_id)
    for asset, owners in sorted(wanted.items()):
        for owner, position in positions_of(owners, asset).items():
            book.positions[owner, asset] = position


def _receivers(book: Book, row: Request) -> list[AccountState | None]:
    if isinstance(row, NewTransfer):
        return [book.by_pair.get((row.to_wallet_id, row.asset_id))]
    if isinstance(row, NewPostings):
        return [book.accounts.get(move.account_id) for move in row.moves if move.amount > 0]
    return list(book.accounts.values())


def _read_supplies(book: Book, rows: Sequence[Request]) -> None:
    """What the resource classes of issued series can still deliver. Issues of one class queue until they commit."""
    issued = {
        account.asset_id
        for row in rows
        if isinstance(row, NewTransfer | NewPostings) and row.kind == "ISSUE"
        for account in _receivers(book, row)
        if account is not None
    }
    classes = {book.assets[asset].resource_class for asset in issued} - {""}
    for name in sorted(classes):
        queue_for(name)
        book.supplies[name] = Supply(attested(name), dict(outstanding(name, book.now)))
