"""Making, revoking and recognising API keys."""

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime, timedelta

from django.contrib.postgres.expressions import ArraySubquery
from django.db import transaction
from django.db.models import OuterRef, QuerySet
from django.utils.translation import gettext as _

from portal.api.errors import TooManyKeys
from portal.api.models import ApiKey
from portal.people.models import Membership, User

MARK = "hg_"
MOST_KEYS = 20
_NOTED_EVERY = timedelta(minutes=1)


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


def key_with(secret: str) -> ApiKey | None:
    """The key that this is the secret of, with its person; whether it is usable is another question."""
    if not secret.startswith(MARK) or len(secret) > 100:
        return None
    # A look-up by digest: what is compared with what was sent is a hash of 32 random bytes.
    roles = ArraySubquery(Membership.objects.filter(user=OuterRef("user")).values("role"))
    found = ApiKey.objects.select_related("user__wallet").annotate(roles=roles).filter(digest=digest_of(secret))
    for key in found:
        # All that a request asks about its person, in one query.
        key.user.known_roles = frozenset(key.roles)
        return key
    return None


def note_use(key: ApiKey, *, now: datetime) -> None:
    """Say when the key was used, at most once a minute."""
    if key.last_used_at is None or now - key.last_used_at >= _NOTED_EVERY:
        ApiKey.objects.filter(id=key.id).update(last_used_at=now)


def digest_of(secret: str) -> bytes:
    return hashlib.sha256(secret.encode()).digest()
