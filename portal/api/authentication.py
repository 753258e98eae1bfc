"""Who asks: the person whose key is in the Authorization header, and nobody by session."""

from django.utils import timezone
from django.utils.translation import gettext as _
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from ledger.pipelining import Asked
from portal.api.keys import key_in, note_use
from portal.api.models import ApiKey
from portal.people.models import User


class BearerKey(BaseAuthentication):
    """`Authorization: Bearer hg_…`."""

    def authenticate(self, request: Request) -> tuple[User, ApiKey] | None:
        words = request.META.get("HTTP_AUTHORIZATION", "").split(" ")
        if words == [""]:
            return None
        if len(words) != 2 or words[0].lower() != "bearer" or not words[1].isascii():
            raise AuthenticationFailed(_("Send the header as: Authorization: Bearer, a space, and the key."), "bad_key")
        # It was asked for when the request came (middleware).
        asked: Asked | None = request._request.asked_key
        key, now = (None if asked is None else key_in(asked)), timezone.now()
        # One answer for a key that never was, is over, or is of somebody who left.
        if key is None or not key.is_usable(now) or not key.user.is_active:
            raise AuthenticationFailed(_("This key is not one of ours, or it is no longer in use."), "bad_key")
        note_use(key, now=now)
        return key.user, key

    def authenticate_header(self, request: Request) -> str:
        return 'Bearer realm="hourglass"'


class Anybody(BaseAuthentication):
    """Whoever asks is let in, and nobody wants to know what key they have."""

    def authenticate(self, request: Request) -> None:
        asked: Asked | None = request._request.asked_key
        if asked is not None:
            asked.drop()
