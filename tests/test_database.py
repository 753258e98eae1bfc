"""The pool of connections gives out the one that was used last."""

import copy

import pytest
from django.db import connection

from portal.database.base import DatabaseWrapper

pytestmark = pytest.mark.django_db(transaction=True)

ALIAS = "pooled"


@pytest.fixture
def wrappers():
    """Connections of four threads, so to say, that share a pool."""
    settings = copy.deepcopy(connection.settings_dict)
    settings["CONN_MAX_AGE"] = 0
    settings["OPTIONS"] = settings.get("OPTIONS", {}) | {"pool": {"min_size": 1, "max_size": 4, "timeout": 10}}
    made = [DatabaseWrapper(settings, ALIAS) for _ in range(4)]
    yield made
    for wrapper in made:
        wrapper.close()
    made[0].close_pool()


def backend(wrapper: DatabaseWrapper) -> int:
    with wrapper.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        return cursor.fetchone()[0]


def test_after_a_crowd_one_caller_meets_one_backend(wrappers):
    crowd = [backend(wrapper) for wrapper in wrappers]
    assert len(set(crowd)) == 4
    for wrapper in wrappers:
        wrapper.close()
    met = []
    for wrapper in [*wrappers, *wrappers]:
        met.append(backend(wrapper))
        wrapper.close()

    assert set(met) == {crowd[-1]}
