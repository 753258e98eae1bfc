"""Device login (RFC 8628): a program without a browser gets a key that a person approves on a page of the site."""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from portal.api.errors import DeviceRefused
from portal.api.keys import add_key, digest_of
from portal.api.models import DeviceLogin

LIFETIME = timedelta(minutes=10)
# How long a program waits between two questions.
INTERVAL = timedelta(seconds=3)
KEY_DAYS = 90
# No vowels, so no words, and nothing that looks like something else (RFC 8628, 6.1).
_LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
_TRIES = 5


@dataclass(frozen=True)
class StartedLogin:
    """What the program is told: its own secret, and the code that its person types."""

    device_code: str
    login: DeviceLogin


def start_device_login(*, name: str, scopes: Sequence[str], now: datetime) -> StartedLogin:
    """A new login, waiting for a person. What is long over is forgotten on the way."""
    DeviceLogin.objects.filter(expires_at__lt=now - LIFETIME).delete()
    device_code = secrets.token_urlsafe(32)
    for _attempt in range(_TRIES):
        user_code = "".join(secrets.choice(_LETTERS) for _letter in range(8))
        try:
            with transaction.atomic():
                login = DeviceLogin.objects.create(
                    digest=digest_of(device_code), user_code=user_code, name=name, scopes=sorted(set(scopes)),
                    created_at=now, expires_at=now + LIFETIME,
                )  # fmt: skip
        except IntegrityError:
            continue
        return StartedLogin(device_code, login)
    raise AssertionError("five codes in a row were taken")


def pending_login(user_code: str, *, now: datetime) -> DeviceLogin | None:
    """The login that a person's code is of, while it can still be decided; however it is typed."""
    letters = "".join(letter for letter in user_code.upper() if letter.isalnum())
    waiting = DeviceLogin.objects.filter(status=DeviceLogin.Status.PENDING, expires_at__gt=now)
    return waiting.filter(user_code=letters).first() if len(letters) == 8 else None


@transaction.atomic(durable=True)
def decide_login(*, login_id: int, user_id: int, approves: bool, now: datetime) -> DeviceLogin:
    """The person says yes or no. Raises DeviceRefused where it was decided already or is over."""
    login = DeviceLogin.objects.select_for_update().get(id=login_id)
    if login.status != DeviceLogin.Status.PENDING or login.expires_at <= now:
        raise DeviceRefused("expired_token", _("This code is used up or over. Start again from the program."))
    login.status = DeviceLogin.Status.APPROVED if approves else DeviceLogin.Status.DENIED
    login.user_id = user_id if approves else None
    login.save(update_fields=["status", "user"])
    return login


def take_key(device_code: str, *, now: datetime) -> tuple[list[str], str]:
    """The scopes and the secret of the key, once its person has approved. Raises DeviceRefused, with the codes of
    RFC 8628: authorization_pending, slow_down, access_denied, expired_token."""
    answer = _take(device_code, now)
    if isinstance(answer, DeviceRefused):
        # That it was asked is kept, so it is raised only here.
        raise answer
    return answer


@transaction.atomic(durable=True)
def _take(device_code: str, now: datetime) -> tuple[list[str], str] | DeviceRefused:
    login = DeviceLogin.objects.select_for_update().filter(digest=digest_of(device_code)).first()
    if login is None or login.expires_at <= now or login.status == DeviceLogin.Status.TAKEN:
        return DeviceRefused("expired_token", _("This login is over. Start again."))
    if login.status == DeviceLogin.Status.DENIED:
        return DeviceRefused("access_denied", _("The person said no."))
    if login.status == DeviceLogin.Status.PENDING:
        soon = login.asked_at is not None and now - login.asked_at < INTERVAL
        login.asked_at = now
        login.save(update_fields=["asked_at"])
        if soon:
            return DeviceRefused("slow_down", _("Ask less often: every few seconds."))
        return DeviceRefused("authorization_pending", _("Nobody has approved it yet. Ask again in a few seconds."))
    assert login.user_id is not None
    login.status = DeviceLogin.Status.TAKEN
    login.save(update_fields=["status"])
    _key, secret = add_key(user_id=login.user_id, name=login.name, scopes=login.scopes, days=KEY_DAYS, now=now)
    return login.scopes, secret
