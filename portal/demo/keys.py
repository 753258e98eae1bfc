"""API keys of the simulated traders."""

from datetime import datetime

from django.utils import timezone

from portal.api.keys import keys_of, make_key, revoke_key
from portal.demo import people
from portal.people.models import User

NAME = "Simulated trader"
DAYS = 7


def fresh_key(name: str) -> str:
    """A new key for one of them; the one before opens nothing any more, so that they do not pile up."""
    user, now = User.objects.get(email=people.email(name)), timezone.now()
    _revoke_all(user, now)
    return make_key(user_id=user.id, name=NAME, scopes=["read", "trade"], days=DAYS, now=now)[1]


def _revoke_all(user: User, now: datetime) -> None:
    for key in keys_of(user).filter(name=NAME, revoked_at=None):
        revoke_key(key_id=key.id, now=now)
