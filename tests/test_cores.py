"""Threads of one process keep to one core, and workers of one web to different ones."""

import json
import os
import subprocess
import sys
import threading
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest

from portal.cores import keep_to_one_core
from portal.embedded.serve import ROOT, WEB, answers, free_port
from tests.waiting import wait_until

pytestmark = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="this system keeps no thread to a core")


def test_threads_that_are_started_there_stay_there():
    seen: list[set[int]] = []
    before = os.sched_getaffinity(0)

    def look() -> None:
        seen.append(os.sched_getaffinity(0))

    def keep() -> None:
        keep_to_one_core(1)
        look()
        run(look)

    run(keep)

    here, started_there = seen
    assert len(here) == 1
    assert started_there == here
    assert os.sched_getaffinity(0) == before


def run(act: Callable[[], None]) -> None:
    thread = threading.Thread(target=act)
    thread.start()
    thread.join()


@contextmanager
def served(workers: int) -> Iterator[str]:
    port = free_port(18600)
    command = [
        sys.executable, "-m", "gunicorn", *WEB[:2], "tests.cores_app", "--bind", f"127.0.0.1:{port}", "--log-level",
        "warning",
    ]  # fmt: skip
    process = subprocess.Popen(command, cwd=ROOT, env=os.environ | {"WEB_CONCURRENCY": str(workers)})
    try:
        wait_until(lambda: answers(f"http://127.0.0.1:{port}/"))
        yield f"http://127.0.0.1:{port}/"
    finally:
        process.terminate()
        process.wait()


def test_each_worker_of_the_web_keeps_to_a_core_of_its_own():
    cores: dict[int, list[int]] = {}

    def ask() -> int:
        with urllib.request.urlopen(url) as answer:
            said = json.load(answer)
        cores[said["pid"]] = said["cores"]
        return len(cores)

    with served(2) as url:
        wait_until(lambda: ask() == 2)

    one, other = cores.values()
    assert (len(one), len(other)) == (1, 1)
    assert one != other or len(os.sched_getaffinity(0)) == 1
