"""Positions that are gone on from: what was summed up lately is kept in the cache, and only what came since is read.

The cache can be emptied or away at any instant: then everything is read again.
"""

from collections.abc import Sequence
from contextlib import suppress

from django.core.cache import cache
from redis.exceptions import RedisError

from market.fills import Life, lives_of

# After so many movements more it is kept anew.
KEEP_AFTER = 100
_KEPT_SECONDS = 7 * 24 * 3600


def lives(account_ids: Sequence[int]) -> dict[int, Life]:
    """The lives of these accounts of tokens, in one statement."""
    known = dict.fromkeys(account_ids, Life()) | _kept(account_ids)
    found = lives_of(known)
    grown = {_name(id_): life for id_, life in found.items() if _has_grown(known[id_], life)}
    if grown:
        with suppress(RedisError, OSError):
            cache.set_many(grown, timeout=_KEPT_SECONDS)
    return found


def _has_grown(known: Life, life: Life) -> bool:
    return abs(life.movements - known.movements) >= KEEP_AFTER


def _kept(account_ids: Sequence[int]) -> dict[int, Life]:
    with suppress(RedisError, OSError):
        found = cache.get_many([_name(id_) for id_ in account_ids])
        return {id_: found[name] for id_ in account_ids if (name := _name(id_)) in found}
    return {}


def _name(account_id: int) -> str:
    return f"life:1:{account_id}"
