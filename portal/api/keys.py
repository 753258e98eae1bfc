"""Making, revoking and recognising API keys."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import DEFAULT_DB_ALIAS, models, transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from ledger.models import Wallet
from ledger.pipelining import Asked
from portal.api.errors import TooManyKeys
from portal.api.models import ApiKey
from portal.people.models import User

MARK = "hg_"
MOST_KEYS = 20
_NOTED_EVERY = timedelta(minutes=1)


def _columns(model: type[models.Model], *names: str) -> list[str]:
    """In the order in which from_db wants them."""
    return [field.attname for field in model._meta.concrete_fields if field.attname in names]


# Every request asks this first: one prepared statement for all that a request asks about its key and person, where
# building the query anew would take longer than placing an order. What else is asked of them is read when it is.
_KEY_COLUMNS = _columns(ApiKey, "id", "user_id", "scopes", "digest", "expires_at", "revoked_at", "last_used_at")
_USER_COLUMNS = _columns(User, "id", "is_active", "is_superuser", "wallet_id")
_BY_DIGEST = f"""
    SELECT {", ".join(f"k.{name}" for name in _KEY_COLUMNS)}, {", ".join(f"u.{name}" for name in _USER_COLUMNS)},
        w.public_id, ARRAY(SELECT m.role FROM people_membership m WHERE m.user_id = u.id)
    FROM api_apikey k JOIN people_user u ON u.id = k.user_id LEFT JOIN ledger_wallet w ON w.id = u.wallet_id
    WHERE k.digest = $1
"""  # noqa: S608


def keys_of(user: User) -> QuerySet[ApiKey]:
    """The person's keys, newest first."""
    return ApiKey.objects.filter(user=user).order_by("-id")


@transaction.atomic(durable=True)
def make_key(*, user_id: int, name: str, scopes: Sequence[str], days: int, now: datetime) -> tuple[ApiKey, str]:
    """A new key and its secret, which nobody can read again. Raises TooManyKeys."""
    return add_key(user_id=user_id, name=name, scopes=scopes, days=days, now=now)


def add_key(*, user_id: int, name: str, scopes: Sequence[str], days: int, now: datetime) -> tuple[ApiKey, str]:
    """The same as a step of another action."""
    User.objects.select_for_update().get(id=user_id)
    in_use = ApiKey.objects.filter(user_id=user_id, revoked_at=None, expires_at__gt=now).count()
    if in_use >= MOST_KEYS:
        raise TooManyKeys(
            _("You have %(most)s keys in use, and nobody may have more. Revoke one.") % {"most": MOST_KEYS}
        )
    secret = MARK + secrets.token_urlsafe(32)
    key = ApiKey.objects.create(
        user_id=user_id,
        name=name,
        scopes=sorted(set(scopes)),
        prefix=secret[: len(MARK) + 6],
        digest=digest_of(secret),
        created_at=now,
        expires_at=now + timedelta(days=days),
    )
    return key, secret


@transaction.atomic(durable=True)
def revoke_key(*, key_id: int, now: datetime) -> None:
    """The key opens nothing from now on. Revoking twice changes nothing."""
    ApiKey.objects.filter(id=key_id, revoked_at=None).update(revoked_at=now)


def ask_for_key(header: str) -> Asked | None:
    """Ask Postgres for the key whose secret is the last word, and for its person; None where that is no key's."""
    secret = header.rpartition(" ")[2]
    if not (secret.startswith(MARK) and secret.isascii() and len(secret) <= 100):
        return None
    # A look-up by digest: what is compared with what was sent is a hash of 32 random bytes.
    return Asked(_BY_DIGEST, [digest_of(secret)])


def key_in(asked: Asked) -> ApiKey | None:
    """The key that was asked for; whether it is usable is another question."""
    row = asked.row()
    return None if row is None else _key_of(row)


def _key_of(row: tuple[Any, ...]) -> ApiKey:
    *values, public_id, roles = row
    key = ApiKey.from_db(DEFAULT_DB_ALIAS, _KEY_COLUMNS, values[: len(_KEY_COLUMNS)])
    key.user = User.from_db(DEFAULT_DB_ALIAS, _USER_COLUMNS, values[len(_KEY_COLUMNS) :])
    key.user.known_roles = frozenset(roles)
    if key.user.wallet_id is not None:
        key.user.wallet = Wallet.from_db(DEFAULT_DB_ALIAS, ["id", "public_id"], [key.user.wallet_id, public_id])
    return key


def note_use(key: ApiKey, *, now: datetime) -> None:
    """Say when the key was used, at most once a minute."""
    if key.last_used_at is None or now - key.last_used_at >= _NOTED_EVERY:
        ApiKey.objects.filter(id=key.id).update(last_used_at=now)


def digest_of(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
