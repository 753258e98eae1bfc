"""Health checks and the status page: what they say when a part is well, slow or gone."""

from datetime import timedelta

import pytest
from django.core.cache import cache
from django.test import Client, override_settings
from django.utils import timezone

from ledger.models import Hold
from portal.reports.health import HEARTBEAT, beat, parts
from portal.reports.tasks import heartbeat
from tests.ledger.builders import given, some_series, some_wallet
from tests.people.builders import Role, some_person

pytestmark = pytest.mark.django_db(transaction=True)
NOBODY = "redis://127.0.0.1:1/0"
GONE = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": NOBODY}}


@pytest.fixture(autouse=True)
def _silence():
    cache.delete(HEARTBEAT)
    yield
    cache.delete(HEARTBEAT)


def tones() -> dict[str, str]:
    return {part.name: part.tone for part in parts(now=timezone.now())}


def test_a_live_process_says_so_without_asking_anybody(django_assert_num_queries):
    with override_settings(CACHES=GONE), django_assert_num_queries(0):
        answer = Client().get("/livez")

    assert (answer.status_code, answer.content) == (200, b"ok\n")


def test_ready_when_postgres_is_migrated_and_redis_answers():
    answer = Client().get("/readyz")

    assert (answer.status_code, answer.json()) == (200, {"database": "ok", "cache": "ok"})


def test_not_ready_without_redis():
    with override_settings(CACHES=GONE):
        answer = Client().get("/readyz")

    assert (answer.status_code, answer.json()["cache"]) == (503, "unreachable")


def test_the_worker_is_well_while_it_beats():
    assert tones()["Worker"] == "fault"

    heartbeat()

    assert (tones()["Worker"], tones()["Engine"]) == ("good", "good")


def test_a_silent_worker_makes_the_engine_unknown_not_down():
    beat(engine="slurm", problem="", now=timezone.now() - timedelta(minutes=1))

    assert (tones()["Worker"], tones()["Engine"]) == ("fault", "")


def test_an_unreachable_engine_is_a_fault_and_says_what_is_safe():
    beat(engine="slurm", problem="slurmctld does not answer", now=timezone.now())

    assert tones()["Engine"] == "fault"
    assert "keep what they hold" in Client().get("/status/").content.decode()


def test_the_page_is_shown_even_without_redis():
    with override_settings(CACHES=GONE):
        answer = Client().get("/status/")

    assert answer.status_code == 200
    assert "Redis does not answer" in answer.content.decode()


def test_entries_that_wait_too_long_for_the_sealer_are_told():
    given(some_wallet(), some_series(), 36)

    assert {part.name: part.tone for part in parts(now=timezone.now() + timedelta(minutes=2))}["Ledger"] == "attention"


def test_holds_that_are_over_are_counted():
    account = given(some_wallet(), some_series(), 3600)
    before = timezone.now() - timedelta(hours=1)
    Hold.objects.create(
        account=account, amount=36, reference="redemption:x", placed_at=before, expires_at=before + timedelta(minutes=1)
    )

    assert tones()["Holds"] == "attention"


def test_figures_are_for_operators_and_auditors():
    heartbeat()
    operator, auditor = Client(), Client()
    operator.force_login(some_person("Olga", (Role.OPERATOR, None)))
    auditor.force_login(some_person("Otto", (Role.AUDITOR, None)))

    assert "Longest wait" in operator.get("/status/").content.decode()
    assert "Longest wait" in auditor.get("/status/").content.decode()
    assert "Longest wait" not in Client().get("/status/").content.decode()
