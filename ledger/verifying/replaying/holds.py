"""What is set aside: each hold is placed once and resolved once, and never more is held than is there."""

from ledger.entries import ParsedEntry
from ledger.governance.rules import refusal
from ledger.verifying.replaying.books import Account, Books, BrokenRule, Hold
from ledger.verifying.replaying.transfers import refuse


def hold(books: Books, entry: ParsedEntry) -> None:
    """Take in a hold that is placed or resolved, or the changes of what orders hold."""
    if entry.action == "ORDERS":
        _orders(books, entry)
    else:
        account, change = _one_side(books, entry)
        if entry.action == "PLACED":
            _place(books, entry, account, change)
        else:
            _resolve(books, entry, account, change)


def _place(books: Books, entry: ParsedEntry, account: Account, amount: int) -> None:
    if entry.hold in books.holds:
        raise BrokenRule(f"places hold {entry.hold.hex()} a second time")
    if amount <= 0:
        raise BrokenRule("places a hold of nothing")
    books.holds[entry.hold] = Hold(account, amount, entry.expires_at)
    _check_may_give("HOLD", account, entry)
    _change_held(books, account, amount)


def _resolve(books: Books, entry: ParsedEntry, account: Account, change: int) -> None:
    found = books.holds.get(entry.hold)
    if found is None:
        raise BrokenRule(f"resolves hold {entry.hold.hex()}, which was never placed")
    if found.resolved:
        raise BrokenRule(f"resolves hold {entry.hold.hex()} a second time: it was {found.resolved.lower()}")
    if found.account is not account or change != -found.amount:
        raise BrokenRule(f"resolves hold {entry.hold.hex()} for another account or amount")
    is_due = found.expires_at is not None and entry.recorded_at >= found.expires_at
    if entry.action == "CAPTURED":
        if not 0 < entry.captured <= found.amount:
            raise BrokenRule(f"captures {entry.captured} of a hold of {found.amount}")
        if is_due:
            raise BrokenRule("captures a hold after it expired")
    if entry.action == "EXPIRED" and not is_due:
        raise BrokenRule("expires a hold before its time")
    found.resolved, found.captured = entry.action, entry.captured
    _change_held(books, account, change)
    if entry.action == "CAPTURED":
        books.captured[account] = entry.captured


def _orders(books: Books, entry: ParsedEntry) -> None:
    """Orders are their own holds: the log knows what they hold of each account in sum."""
    if not entry.postings:
        raise BrokenRule("changes nothing")
    for side in entry.postings:
        account = books.account(side.wallet, side.asset)
        account.orders += side.amount
        if account.orders < 0:
            raise BrokenRule(f"releases {account.asset.code} that no order held")
        if side.amount > 0:
            _check_may_give("TRADE", account, entry)
        _change_held(books, account, side.amount)


def _one_side(books: Books, entry: ParsedEntry) -> tuple[Account, int]:
    if len(entry.postings) != 1:
        raise BrokenRule("is a hold of more or less than one account")
    (side,) = entry.postings
    return books.account(side.wallet, side.asset), side.amount


def _check_may_give(kind: str, account: Account, entry: ParsedEntry) -> None:
    wallet, asset = account.wallet, account.asset
    if wallet.role not in {"", "FEES"}:
        raise BrokenRule(f"holds {asset.code} of the {wallet.role.lower()} wallet")
    refuse(
        refusal(kind, asset.rules, wallet.rules, gives=True, now=entry.recorded_at, wallet_id=wallet.id),
        asset,
    )


def _change_held(books: Books, account: Account, change: int) -> None:
    if account in books.captured:
        raise BrokenRule(f"holds or releases {account.asset.code} before what was captured of it has moved")
    account.held += change
    if not 0 <= account.held <= account.balance:
        raise BrokenRule(f"holds more {account.asset.code} than is there")
