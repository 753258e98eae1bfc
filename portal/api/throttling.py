"""How often a key may ask: so many requests a minute in each of its scopes."""

import logging
import os
import threading
import time
from collections import Counter

from django.conf import settings
from django.core.cache import cache
from redis.exceptions import RedisError
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from portal.api.models import ApiKey

WINDOW_SECONDS = 60
_LARGEST_SHARE = 25
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
        name = f"{bytes(key.digest).hex()[:24]}:{bucket}"
        return _shares.allow(name, settings.API_RATES[bucket], int(now // WINDOW_SECONDS))

    def wait(self) -> float:
        return self.left_seconds


class AddressRate(BaseThrottle):
    """Requests of one address in the running minute, where nobody has a key yet."""

    def allow_request(self, request: Request, view: object) -> bool:
        minute = int(time.time() // WINDOW_SECONDS)
        return _shares.allow(f"{self.get_ident(request)}:device", settings.API_RATES["device"], minute)

    def wait(self) -> float:
        return WINDOW_SECONDS - time.time() % WINDOW_SECONDS


class BulkRate(KeyRate):
    """A bulk call may carry a thousand orders, so there are fewer of them."""

    bucket = "bulk"


class Shares:
    """What this process may still let through in the running minute, by key and bucket.

    The cache counts for all processes. Each takes from it a share at a time, so that not every request has to ask: no
    more pass than the limit says, and at most one share in each process is left unused.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._minute, self._left = 0, Counter[str]()

    def allow(self, name: str, limit: int, minute: int) -> bool:
        name = f"api:{name}:{minute}"
        if self._takes_one(name, minute):
            return True
        share = max(1, min(_LARGEST_SHARE, limit // 50))
        # What was left for everybody before we took ours.
        room = limit - _counted(name, share) + share
        if room > 0:
            with self._lock:
                self._left[name] += min(share, room) - 1
        return room > 0

    def _takes_one(self, name: str, minute: int) -> bool:
        with self._lock:
            if minute != self._minute:
                self._minute, self._left = minute, Counter()
            if self._left[name] < 1:
                return False
            self._left[name] -= 1
            return True


_shares = Shares()


def _forget() -> None:
    global _shares
    _shares = Shares()


# A forked child takes shares of its own.
os.register_at_fork(after_in_child=_forget)


def _counted(name: str, share: int) -> int:
    """The count in the cache, with this share."""
    try:
        try:
            return int(cache.incr(name, share))
        except ValueError:
            # The first of its minute, or nearly: others may come at the same instant.
            cache.add(name, 0, timeout=2 * WINDOW_SECONDS)
            return int(cache.incr(name, share))
    except ValueError:
        return share  # it was emptied in between
    except RedisError as fault:
        # A limit is a kindness among callers, not a lock: without the cache, everybody may.
        log.warning("requests are not counted: %s", fault)
        return 0
