"""A person with tokens, and a place for jobs."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from django.test import Client

from ledger.models import Asset
from portal.people.models import User
from scheduler.configured import site
from scheduler.engines.local import LocalEngine
from scheduler.submission import Site
from tests.people.builders import some_department, some_person
from tests.scheduler.builders import drawn_series, granted


@pytest.fixture
def jobs_home(settings: Any) -> Iterator[Path]:
    home = Path(tempfile.mkdtemp(prefix="hg-jobs-", dir="/tmp"))
    settings.HOURGLASS_JOBS_DIR = str(home)
    yield home
    LocalEngine(home=home).stop_all()
    shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def local_site(jobs_home: Path) -> Site:
    return site()


@pytest.fixture
def series(db: None) -> Asset:
    return drawn_series()


@pytest.fixture
def ada(series: Asset) -> User:
    user = some_person("Ada Byron", ("RESEARCHER", some_department()))
    assert user.wallet is not None
    granted(user.wallet, series, gpu_hours=10)
    return user


@pytest.fixture
def page(ada: User, jobs_home: Path) -> Client:
    """Ada, signed in."""
    client = Client()
    client.force_login(ada)
    return client
