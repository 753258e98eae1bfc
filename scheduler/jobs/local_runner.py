"""Runs one job on this machine, as Slurm's daemons would: waits for GPU slots, keeps the time limit, leaves a record.

Started by the local engine in a session of its own, so that it outlives the worker. Its lock on `runner.lock`, handed
down by the engine, says that it lives. Standard library only.

    python local_runner.py DIRECTORY LOCK_FD JOB_ID NAME GPUS WALLTIME_SECONDS SLOTS_DIRECTORY SLOTS
"""

import contextlib
import fcntl
import json
import math
import os
import resource
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

POLL_SECONDS = 0.1
GRACE_SECONDS = 3.0
LARGEST_FILE = 2**30
# The job's process group is on record before the job does anything: a runner that dies leaves nobody unfound.
START = "echo $$ > group.new && mv group.new group && exec /bin/bash ./job.sh"


class Cancelled(Exception):
    """SIGTERM came."""


def cancelled(_signal: int, _frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Cancelled


class Runner:
    def __init__(self, arguments: list[str]) -> None:
        self.directory = Path(arguments[0])
        self.job_id, self.name = arguments[2], arguments[3]
        self.gpus, self.walltime = int(arguments[4]), int(arguments[5])
        self.slots_directory, self.slots = Path(arguments[6]), int(arguments[7])
        self.record: dict[str, Any] = {
            "job_id": self.job_id, "name": self.name, "state": "PENDING", "reason": "", "pid": os.getpid(),
            "submitted_at": time.time(), "started_at": None, "ended_at": None,
            "elapsed": 0, "exit_code": 0,
            "gpus": self.gpus,
        }  # fmt: skip
        self.held: list[int] = []

    def write(self, **changes: object) -> None:
        self.record.update(changes)
        draft = self.directory / "state.json.new"
        with draft.open("w") as file:
            json.dump(self.record, file)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(self.directory / "state.json")

    def run(self) -> None:
        self.write()
        # The engine waits for its pipe to close: the job is on record. The number stays taken, or a lock would get it.
        nothing = os.open(os.devnull, os.O_RDWR)
        os.dup2(nothing, 1)
        os.close(nothing)
        try:
            numbers = self.wait_for_slots()
        except Cancelled:
            self.write(state="CANCELLED", ended_at=time.time())
            return
        self.run_job(numbers)

    def wait_for_slots(self) -> list[int]:
        """Take as many GPUs as the job asks for, all or none; whoever is first in the queue goes first."""
        queue = os.open(self.slots_directory / "queue.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if not taken(queue):
                self.write(reason="Resources")
                fcntl.flock(queue, fcntl.LOCK_EX)
            while True:
                numbers: list[int] = []
                for number in range(self.slots):
                    slot = os.open(self.slots_directory / f"gpu-{number}.lock", os.O_RDWR | os.O_CREAT, 0o600)
                    if len(numbers) < self.gpus and taken(slot):
                        numbers.append(number)
                        self.held.append(slot)
                    else:
                        os.close(slot)
                if len(numbers) == self.gpus:
                    return numbers
                for slot in self.held:
                    os.close(slot)
                self.held.clear()
                if not self.record["reason"]:
                    self.write(reason="Resources")
                time.sleep(POLL_SECONDS)
        finally:
            os.close(queue)

    def run_job(self, numbers: list[int]) -> None:
        visible = ",".join(map(str, numbers))
        environment = {
            "PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": str(self.directory),
            "CUDA_VISIBLE_DEVICES": visible, "SLURM_JOB_ID": self.job_id, "SLURM_JOB_NAME": self.name,
            "SLURM_JOB_GPUS": visible, "SLURM_GPUS_ON_NODE": str(self.gpus),
        }  # fmt: skip
        # While any process of the job lives it has this lock: what tells a left-over group from a stranger's.
        alive = os.open(self.directory / "job.lock", os.O_RDWR | os.O_CREAT, 0o600)
        fcntl.flock(alive, fcntl.LOCK_EX)
        resource.setrlimit(resource.RLIMIT_FSIZE, (LARGEST_FILE, LARGEST_FILE))
        os.nice(10)
        begun = time.monotonic()
        with (self.directory / "output.txt").open("wb") as output:
            job = subprocess.Popen(
                ["/bin/sh", "-c", START],
                cwd=self.directory, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output,
                start_new_session=True, pass_fds=[alive],
            )  # fmt: skip
        os.close(alive)
        try:
            self.write(state="RUNNING", reason="", started_at=time.time())
            code = job.wait(timeout=max(0.0, self.walltime - (time.monotonic() - begun)))
            state = "FAILED" if code else "COMPLETED"
        except subprocess.TimeoutExpired:
            state = "TIMEOUT"
            code = self.stop(job)
        except Cancelled:
            state = "CANCELLED"
            code = self.stop(job)
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        kill_group(job.pid, signal.SIGKILL)
        elapsed = math.ceil(time.monotonic() - begun)
        self.write(state=state, ended_at=time.time(), elapsed=elapsed, exit_code=code if code >= 0 else 128 - code)

    def stop(self, job: "subprocess.Popen[bytes]") -> int:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        kill_group(job.pid, signal.SIGTERM)
        try:
            job.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            kill_group(job.pid, signal.SIGKILL)
        return job.wait()


def taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def kill_group(group: int, number: int) -> None:
    # All gone already; macOS says the second of these.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, cancelled)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    # The worker is not to be its parent: it may end first, and would otherwise have to bury it.
    if os.fork():
        os._exit(0)
    Runner(sys.argv[1:]).run()
