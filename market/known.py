"""What never changes of a wallet, remembered in the process: its public id, and its accounts for an instrument.

Only what is asked for the first time is read. A transaction that is rolled back may take an account with it that it
has opened: whoever finds that one of them is not there calls forget() and asks again. With each new backend all is
forgotten, too: it may be of a database that was restored, where the numbers stand for others.
"""

from collections.abc import Iterable
from typing import Any, NamedTuple
from weakref import WeakSet

from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.backends.signals import connection_created
from django.dispatch import receiver

from ledger.arrays import integers
from ledger.pipelining import Cursor

# Of each kind; beyond that it starts anew.
_MOST = 200_000


class Accounts(NamedTuple):
    """A wallet's two accounts for an instrument: of its series, and of credits."""

    base: int
    price: int


_accounts: dict[tuple[int, int], Accounts] = {}
_tags: dict[int, bytes] = {}
# Connections that were seen before. Their backends' process ids would not tell: those come again.
_connections: WeakSet[Any] = WeakSet()


def accounts_for(cursor: Cursor, instrument_id: int, wallet_ids: Iterable[int]) -> dict[int, Accounts]:
    """By wallet. What a wallet does not have yet is opened."""
    found = {wallet: _accounts.get((instrument_id, wallet)) for wallet in wallet_ids}
    missing = [wallet for wallet, theirs in found.items() if theirs is None]
    if missing:
        if len(_accounts) > _MOST:
            _accounts.clear()
        cursor.execute(
            "SELECT * FROM market_accounts($1::bigint, $2::bigint[])",
            [instrument_id, integers(sorted(missing))],
        )
        for wallet, base, price in cursor.fetchall():
            found[wallet] = _accounts[instrument_id, wallet] = Accounts(base, price)
    return {wallet: theirs for wallet, theirs in found.items() if theirs is not None}


def tags_of(cursor: Cursor, wallet_ids: Iterable[int]) -> dict[int, bytes]:
    """The bytes of the wallets' public ids, as the ledger's log names them."""
    found = {wallet: _tags.get(wallet) for wallet in wallet_ids}
    missing = [wallet for wallet, tag in found.items() if tag is None]
    if missing:
        if len(_tags) > _MOST:
            _tags.clear()
        cursor.execute(
            "SELECT id, public_id FROM ledger_wallet WHERE id = ANY ($1::bigint[])",
            [integers(missing)],
        )
        for id_, public_id in cursor.fetchall():
            found[id_] = _tags[id_] = public_id.bytes
    return {wallet: tag for wallet, tag in found.items() if tag is not None}


def forget() -> None:
    """All is asked for anew."""
    _accounts.clear()
    _tags.clear()


@receiver(connection_created)
def _forget_with_a_new_backend(connection: BaseDatabaseWrapper, **_kwargs: object) -> None:
    """The signal comes each time that a connection is taken from a pool."""
    if connection.connection not in _connections:
        _connections.add(connection.connection)
        forget()
