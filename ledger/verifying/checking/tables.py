"""Tables that only repeat or sum up what the log says: accounts, postings, holds, policies, capacity, corrections."""

import hashlib
import json
from collections.abc import Iterator, Mapping
from typing import Any

from ledger.entries import parse
from ledger.governance.governing import policy_of_asset, policy_of_wallet
from ledger.holds import HELD_BY_OTHERS
from ledger.models import Account, Asset, Capacity, Correction, Hold, Policy, Wallet
from ledger.verifying.checking.faults import LedgerFault, rows_of
from ledger.verifying.replay import Replay

_HELD = """
SELECT a.id, a.held, coalesce(h.amount, 0) FROM ledger_account a LEFT JOIN (SELECT account_id, sum(amount) AS amount
FROM (SELECT account_id, amount FROM ledger_hold WHERE status = 'OPEN'{others}) every GROUP BY account_id) h
ON h.account_id = a.id WHERE a.held <> coalesce(h.amount, 0)
"""


def sums_faults() -> Iterator[LedgerFault]:
    """Balances are the sums of postings, what is held that of holds and orders, and each transfer sums to zero."""
    for account_id, balance, posted in rows_of(
        "SELECT a.id, a.balance, coalesce(sum(p.amount), 0) FROM ledger_account a"
        " LEFT JOIN ledger_posting p ON p.account_id = a.id"
        " GROUP BY a.id HAVING a.balance <> coalesce(sum(p.amount), 0)"
    ):
        yield LedgerFault(f"account {account_id} has a balance of {balance}, but its postings sum to {posted}")
    held_by = "".join(f" UNION ALL {query}" for query in HELD_BY_OTHERS)
    for account_id, held, counted in rows_of(_HELD.format(others=held_by)):
        yield LedgerFault(f"account {account_id} holds {held}, but its open holds sum to {counted}")
    for transfer_id, asset_id in rows_of(
        "SELECT p.transfer_id, a.asset_id FROM ledger_posting p JOIN ledger_account a ON a.id = p.account_id"
        " GROUP BY 1, 2 HAVING sum(p.amount) <> 0"
    ):
        yield LedgerFault(f"transfer {transfer_id} does not sum to zero in asset {asset_id}")
    for (transfer_id,) in rows_of(
        "SELECT DISTINCT p.transfer_id FROM ledger_posting p WHERE NOT EXISTS"
        " (SELECT 1 FROM ledger_entry e WHERE e.id = p.transfer_id AND e.kind = 'TRANSFER')"
    ):
        yield LedgerFault(f"postings belong to transfer {transfer_id}, which is not there")


def repeated_faults() -> Iterator[LedgerFault]:
    """Rows that repeat an entry say what it says."""
    for policy in Policy.objects.select_related("entry").iterator():
        if {**policy.rules, "version": policy.version} != _said(bytes(policy.entry.body)) or (
            policy.entry.reference != policy.subject
        ):
            yield LedgerFault(f"{policy.subject} version {policy.version} is another policy than its entry says")
    for capacity in Capacity.objects.select_related("entry").iterator():
        said = {
            "resource_class": capacity.resource_class,
            "gpus": capacity.gpus,
            "starts_at": capacity.starts_at.isoformat(),
            "ends_at": capacity.ends_at.isoformat(),
            "version": capacity.version,
        }
        if said != _said(bytes(capacity.entry.body)) or capacity.entry.reference != f"capacity:{capacity.attestation}":
            yield LedgerFault(f"capacity {capacity.attestation} is another in its row than in its entry")
    for kind, table in (("POLICY", "policy"), ("CAPACITY", "capacity")):
        for (entry_id,) in rows_of(
            f"SELECT e.id FROM ledger_entry e WHERE e.kind = %s AND NOT EXISTS"  # noqa: S608
            f" (SELECT 1 FROM ledger_{table} r WHERE r.entry_id = e.id)",
            [kind],
        ):
            yield LedgerFault(f"entry of id {entry_id} says a {table} that has no row")
    for correction in Correction.objects.select_related("entry", "corrected").iterator():
        if correction.entry.reference != f"corrects:{bytes(correction.corrected.leaf_hash).hex()}":
            yield LedgerFault(f"correction {correction.pk} corrects another entry than it says")


def books_faults(replay: Replay) -> Iterator[LedgerFault]:
    """Accounts, holds and policies as the log leaves them."""
    yield from _account_faults(replay)
    yield from _hold_faults(replay)
    yield from _asset_faults(replay)
    yield from _wallet_faults(replay)


def _account_faults(replay: Replay) -> Iterator[LedgerFault]:
    booked = dict(replay.books.accounts)
    for account in Account.objects.select_related("wallet", "asset").iterator():
        place = (account.wallet.public_id.bytes, bytes(account.asset.definition_hash))
        found = booked.pop(place, None)
        balance, held = (found.balance, found.held) if found else (0, 0)
        if (account.balance, account.held) != (balance, held):
            yield LedgerFault(
                f"account {account.pk} has {account.balance} and holds {account.held}, by the log {balance} and {held}"
            )
        if account.may_go_negative != (account.wallet.role == Wallet.Role.ISSUER):
            yield LedgerFault(f"account {account.pk} may go below zero, or may not, against the rule")
    for (wallet, _), lost in booked.items():
        if lost.balance or lost.held:
            yield LedgerFault(f"wallet {wallet.hex()} has no account of {lost.asset.code}, but a balance in the log")


def _hold_faults(replay: Replay) -> Iterator[LedgerFault]:
    booked = dict(replay.books.holds)
    for row in Hold.objects.select_related("account__wallet", "account__asset").iterator():
        found = booked.pop(row.public_id.bytes, None)
        place = (row.account.wallet.public_id.bytes, bytes(row.account.asset.definition_hash))
        if (
            found is None
            or replay.books.accounts.get(place) is not found.account
            or (row.amount, row.expires_at) != (found.amount, found.expires_at)
            or (row.status, row.captured_amount) != (found.resolved or Hold.Status.OPEN, found.captured)
        ):
            yield LedgerFault(f"hold {row.public_id} is another in its row than in the log")
    for id_ in booked:
        yield LedgerFault(f"hold {id_.hex()} of the log has no row")


def _asset_faults(replay: Replay) -> Iterator[LedgerFault]:
    booked = dict(replay.books.assets)
    for asset in Asset.objects.iterator():
        found = booked.pop(bytes(asset.definition_hash), None)
        if found is None or hashlib.sha256(bytes(asset.definition)).digest() != bytes(asset.definition_hash):
            yield LedgerFault(f"asset {asset.code} has another definition than the log")
            continue
        for name, said in json.loads(bytes(asset.definition)).items():
            has = getattr(asset, name, said)
            if (has.isoformat() if hasattr(has, "isoformat") else has) != said:
                yield LedgerFault(f"asset {asset.code} has another {name} than its definition")
        if policy_of_asset(asset) != _rules(found.said):
            yield LedgerFault(f"asset {asset.code} has another policy than the log")
    for lost in booked.values():
        yield LedgerFault(f"asset {lost.code} of the log has no row")


def _wallet_faults(replay: Replay) -> Iterator[LedgerFault]:
    for wallet in Wallet.objects.select_related("beneficial_owner").iterator():
        found = replay.books.wallets.get(wallet.public_id.bytes)
        if policy_of_wallet(wallet) != _rules(found.said if found else {}):
            yield LedgerFault(f"wallet {wallet.public_id} has another policy than the log")
    known = {id_.bytes for id_ in Wallet.objects.values_list("public_id", flat=True)}
    for id_ in replay.books.wallets.keys() - known:
        yield LedgerFault(f"wallet {id_.hex()} of the log has no row")


def _said(body: bytes) -> object:
    """What an entry carries in JSON; nothing where it carries none."""
    try:
        return json.loads(parse(body).definition)
    except ValueError:
        return None


def _rules(said: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in said.items() if name != "version"}
