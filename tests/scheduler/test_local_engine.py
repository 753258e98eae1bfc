"""What only the engine on this machine does: it counts GPU slots, and knows a dead runner from a live one."""

import fcntl
import json
import os
import signal
import subprocess
from pathlib import Path

import pytest

from scheduler.engines import JobRequest, Phase
from scheduler.engines.local import LocalEngine
from scheduler.errors import BadOutput, EngineRefused, NotEnded
from tests.scheduler.fake_slurm import START
from tests.slurm.lab import wait_until


@pytest.fixture
def engine(jobs_home: Path) -> LocalEngine:
    return LocalEngine(home=jobs_home, gpus=4)


def request(engine: LocalEngine, name: str, script: str, *, gpus: int = 1, walltime: int = 600) -> JobRequest:
    directory = engine.home / f"hg-{name}"
    directory.mkdir()
    (directory / "job.sh").write_text(script)
    return JobRequest(f"hg-{name}", directory, directory / "job.sh", gpus=gpus, walltime_seconds=walltime)


def phase(engine: LocalEngine, name: str) -> Phase:
    (job,) = engine.look([f"hg-{name}"], since=START).named(f"hg-{name}")
    return job.phase


def devices(engine: LocalEngine, name: str) -> list[str]:
    path = engine.home / f"hg-{name}" / "output.txt"
    wait_until(lambda: path.exists() and path.read_text().endswith("\n"), "the job's output")
    return path.read_text().strip().split(",")


SHOW = 'echo "$CUDA_VISIBLE_DEVICES"\nsleep 1000\n'


def test_two_jobs_never_have_a_gpu_in_common_and_a_third_waits(engine: LocalEngine) -> None:
    for name, gpus in (("a", 2), ("b", 2)):
        engine.submit(request(engine, name, SHOW, gpus=gpus))
    assert sorted(devices(engine, "a") + devices(engine, "b")) == ["0", "1", "2", "3"]
    third = engine.submit(request(engine, "c", SHOW, gpus=1))

    wait_until(lambda: engine.look(["hg-c"], since=START).jobs["hg-c"][0].reason == "Resources", "the third to wait")
    assert phase(engine, "c") == Phase.WAITING

    (first,) = engine.look(["hg-a"], since=START).jobs["hg-a"]
    engine.cancel(first.job_id)
    wait_until(lambda: phase(engine, "c") == Phase.RUNNING, f"job {third} to start")


def test_more_gpus_than_there_are_is_refused(engine: LocalEngine) -> None:
    with pytest.raises(EngineRefused, match="counts 4 GPUs and the job asks for 5"):
        engine.submit(request(engine, "a", "true", gpus=5))


def test_submitting_the_same_folder_again_answers_the_same_job(engine: LocalEngine) -> None:
    asked = request(engine, "a", "sleep 1000")

    assert engine.submit(asked) == engine.submit(asked) == "1"
    assert len(engine.live_jobs()) == 1


def test_a_job_whose_runner_was_killed_is_ended_with_all_its_processes_and_is_free(engine: LocalEngine) -> None:
    engine.submit(request(engine, "a", "sleep 1000 & echo $!\nwait\n"))
    child = int(devices(engine, "a")[0])
    record = json.loads((engine.home / "hg-a" / "state.json").read_text())
    os.kill(record["pid"], signal.SIGKILL)

    wait_until(lambda: phase(engine, "a") == Phase.ENDED, "the runner's end to be seen")

    (run,) = engine.usage("hg-a", since=START)
    assert (run.state, run.is_free) == ("NODE_FAIL", True)
    wait_until(lambda: not runs(child), "the job's child to be gone")


def test_stopping_the_site_ends_every_job_and_nobody_pays(engine: LocalEngine) -> None:
    for name in ("a", "b"):
        engine.submit(request(engine, name, SHOW, gpus=3))

    assert engine.stop_all() == 0

    assert engine.live_jobs() == []
    assert {engine.usage(f"hg-{name}", since=START)[0].state for name in ("a", "b")} == {"NODE_FAIL"}


def test_what_a_job_left_running_in_the_background_ends_with_it(engine: LocalEngine) -> None:
    engine.submit(request(engine, "a", "sleep 1000 &\necho $!\n"))
    child = int(devices(engine, "a")[0])

    wait_until(lambda: phase(engine, "a") == Phase.ENDED, "the job's end")

    wait_until(lambda: not runs(child), "the job's child to be gone")


def test_a_running_jobs_usage_is_not_known_yet(engine: LocalEngine) -> None:
    engine.submit(request(engine, "a", "sleep 1000"))

    with pytest.raises(NotEnded):
        engine.usage("hg-a", since=START)
    with pytest.raises(NotEnded):
        engine.usage("hg-nobody", since=START)


def test_a_record_that_cannot_be_read_concludes_nothing_and_keeps_nobody_else_waiting(engine: LocalEngine) -> None:
    request(engine, "broken", "true")
    (engine.home / "hg-broken" / "state.json").write_text("{")
    engine.submit(request(engine, "a", "sleep 1000"))

    look = engine.look(["hg-broken", "hg-a"], since=START)

    assert (list(look.jobs), look.complete) == (["hg-a"], False)
    assert "cannot be read" in look.reason
    with pytest.raises(BadOutput):
        engine.usage("hg-broken", since=START)


def test_a_job_whose_runner_died_before_it_said_its_number_is_waited_for(engine: LocalEngine, monkeypatch) -> None:
    directory = request(engine, "a", "true").directory
    record = {"job_id": "1", "name": "hg-a", "state": "RUNNING", "reason": "", "pid": 0, "gpus": 1, "exit_code": 0}
    times = {"submitted_at": 1.0, "started_at": 2.0, "ended_at": None, "elapsed": 0}
    (directory / "state.json").write_text(json.dumps(record | times))
    # What the dead runner left: a process that has the job's lock, and has not come to its first act.
    with (directory / "job.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        left = subprocess.Popen(["/bin/sleep", "1000"], start_new_session=True, pass_fds=[lock.fileno()])
    waits = []

    def first_act(seconds: float) -> None:
        waits.append(seconds)
        (directory / "group").write_text(str(left.pid))

    monkeypatch.setattr("scheduler.engines.local.time.sleep", first_act)
    try:
        (job,) = engine.look(["hg-a"], since=START).jobs["hg-a"]
    finally:
        left.kill()

    assert (job.phase, len(waits), left.wait()) == (Phase.ENDED, 1, -signal.SIGKILL)
    assert json.loads((directory / "state.json").read_text())["state"] == "NODE_FAIL"


def test_the_worker_has_no_child_to_bury(engine: LocalEngine) -> None:
    engine.submit(request(engine, "a", "true"))
    wait_until(lambda: phase(engine, "a") == Phase.ENDED, "the job's end")

    record = json.loads((engine.home / "hg-a" / "state.json").read_text())
    with pytest.raises(ChildProcessError):
        os.waitpid(record["pid"], os.WNOHANG)


def runs(pid: int) -> bool:
    """Whether the process still does anything: an orphan that nobody buries is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False
