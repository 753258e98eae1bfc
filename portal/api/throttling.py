"""How often a key may ask: so many requests a minute in each of its scopes."""

import logging
import time

from django.conf import settings
from django.core.cache import cache
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from portal.api.models import ApiKey

WINDOW_SECONDS = 60
log = logging.getLogger(__name__)


class KeyRate(BaseThrottle):
    """Requests of one key and one bucket in the running minute. The bucket is the scope that the request needs."""

    bucket = ""
    left_seconds = 0.0

    def allow_request(self, request: Request, view: object) -> bool:
        key = request.auth
        if not isinstance(key, ApiKey):
            return True
        bucket = self.bucket or next(iter(view.get_permissions())).scopes.get(request.method, "read")  # type: ignore[attr-defined]
        now = time.time()
        self.left_seconds = WINDOW_SECONDS - now % WINDOW_SECONDS
        return (
            _count(f"api:{key.digest.hex()[:24]}:{bucket}:{int(now // WINDOW_SECONDS)}") <= settings.API_RATES[bucket]
        )

    def wait(self) -> float:
        return self.left_seconds


class AddressRate(BaseThrottle):
    """Requests of one address in the running minute, where nobody has a key yet."""

    def allow_request(self, request: Request, view: object) -> bool:
        minute = int(time.time() // WINDOW_SECONDS)
        return _count(f"api:{self.get_ident(request)}:device:{minute}") <= settings.API_RATES["device"]

    def wait(self) -> float:
        return WINDOW_SECONDS - time.time() % WINDOW_SECONDS


class BulkRate(KeyRate):
    """A bulk call may carry a thousand orders, so there are fewer of them."""

    bucket = "bulk"


def _count(name: str) -> int:
    try:
        return int(cache.incr(name))
    except ValueError:
        return _count_from_one(name)
    except RedisError as fault:
        # A limit is a kindness among callers, not a lock: without the cache, everybody may.
        log.warning("requests are not counted: %s", fault)
        return 0


def _count_from_one(name: str) -> int:
    """The first of its minute, or nearly: others may come at the same instant."""
    cache.add(name, 0, timeout=2 * WINDOW_SECONDS)
    try:
        return int(cache.incr(name))
    except ValueError:
        return 1  # it was emptied in between
