"""The same job on this machine, with counted GPU slots: what bin/run uses, and what needs no Slurm.

Jobs run as the site's own user: this engine keeps nobody from anybody.
"""

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from scheduler.engines import Job, JobRequest, Look, Phase, Run
from scheduler.errors import BadOutput, EngineRefused, EngineUnreachable, NotEnded
from scheduler.jobs import local_runner

FINAL = {"COMPLETED", "FAILED", "TIMEOUT", "CANCELLED", "NODE_FAIL"}
PATIENCE_SECONDS = 20.0


@dataclass(frozen=True)
class LocalEngine:
    """All jobs live below `home`, each in a folder of its name."""

    home: Path
    gpus: int = 8

    def ready(self) -> None:
        """This machine is always there."""

    def submit(self, request: JobRequest) -> str:
        if request.gpus > self.gpus:
            raise EngineRefused(f"This machine counts {self.gpus} GPUs and the job asks for {request.gpus}.")
        lock = os.open(request.directory / "runner.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if (request.directory / "state.json").exists() or not local_runner.taken(lock):
                return self._wait_for_record(request.directory)
            job_id = self._next_id()
            # The runner has the lock from us and keeps it for life; the record is its own first act. Killed before
            # this line we have made no job, killed after it there is one that can be found.
            with subprocess.Popen(
                [
                    sys.executable, "-I", str(Path(local_runner.__file__)), str(request.directory), str(lock), job_id,
                    request.name, str(request.gpus), str(request.walltime_seconds), str(self._slots), str(self.gpus),
                ],
                env={"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8"},
                cwd=request.directory, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                start_new_session=True, pass_fds=[lock],
            ) as runner:  # fmt: skip
                # It leaves a child behind at once and ends; the child says that the job is on record by closing this.
                assert runner.stdout is not None
                runner.stdout.read()
        finally:
            os.close(lock)
        return self._wait_for_record(request.directory)

    def look(self, names: Sequence[str], *, since: datetime) -> Look:  # noqa: ARG002
        jobs: dict[str, list[Job]] = {}
        reason = ""
        for name in names:
            try:
                record = self._record(self.home / name)
            except BadOutput as fault:
                # One job's broken record keeps nobody else's waiting.
                reason = str(fault)
                continue
            if record is not None:
                jobs[name] = [_job(record)]
        return Look(jobs=jobs, complete=not reason, reason=reason)

    def live_jobs(self) -> list[Job]:
        names = [path.parent.name for path in self.home.glob("hg-*/state.json")]
        found = self.look(names, since=_instant(0)).jobs.values()
        return [job for jobs in found for job in jobs if job.phase != Phase.ENDED]

    def cancel(self, job_id: str) -> None:
        for job in self.live_jobs():
            directory = self.home / job.name
            record = self._record(directory)
            if job.job_id == job_id and record is not None and record["state"] not in FINAL:
                os.kill(record["pid"], signal.SIGTERM)

    def usage(self, name: str, *, since: datetime) -> list[Run]:  # noqa: ARG002
        record = self._record(self.home / name)
        if record is None or record["state"] not in FINAL:
            raise NotEnded("The job has not ended.")
        return [
            Run(
                job_id=record["job_id"],
                state=record["state"],
                exit_code=record["exit_code"],
                submitted_at=_instant(record["submitted_at"]),
                started_at=_instant(record["started_at"]) if record["started_at"] else None,
                ended_at=_instant(record["ended_at"]) if record["ended_at"] else None,
                elapsed_seconds=record["elapsed"],
                gpus=record["gpus"],
            )
        ]

    def stop_all(self) -> int:
        """End every job as a power cut would, so that nobody pays for it; answers how many are left."""
        names = [job.name for job in self.live_jobs()]
        deadline = time.monotonic() + PATIENCE_SECONDS
        while names and time.monotonic() < deadline:
            for name in list(names):
                record = self._record(self.home / name)
                if record is None or record["state"] in FINAL:
                    names.remove(name)
                else:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(record["pid"], signal.SIGKILL)
            time.sleep(0.02)
        return len(names)

    @property
    def _slots(self) -> Path:
        slots = self.home / "slots"
        slots.mkdir(mode=0o700, parents=True, exist_ok=True)
        return slots

    def _next_id(self) -> str:
        with (self._slots / "last-id").open("a+") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            file.seek(0)
            number = int(file.read() or 0) + 1
            file.truncate(0)
            file.write(str(number))
        return str(number)

    def _wait_for_record(self, directory: Path) -> str:
        _until((directory / "state.json").exists, otherwise="The job's runner did not start.")
        return str(_read(directory)["job_id"])

    def _record(self, directory: Path) -> dict[str, Any] | None:
        """The runner's own record; of a runner that died without one, that the machine failed."""
        if not (directory / "state.json").exists():
            return None
        record = _read(directory)
        if record["state"] in FINAL:
            return record
        lock = os.open(directory / "runner.lock", os.O_RDWR | os.O_CREAT, 0o600)
        try:
            if not local_runner.taken(lock):
                return record
            record = _read(directory)  # it may have ended between the two
            if record["state"] not in FINAL:
                self._bury(directory, record)
                record = _read(directory)
        finally:
            os.close(lock)
        return record

    def _bury(self, directory: Path, record: dict[str, Any]) -> None:
        """End what a dead runner left running and say in its place how it ended."""
        alive, group = os.open(directory / "job.lock", os.O_RDWR | os.O_CREAT, 0o600), directory / "group"
        try:
            # The job's first act is to put its number on record, and the runner may have died before that.
            _until(
                lambda: local_runner.taken(alive) or group.exists(),
                otherwise="A job whose runner died has not said which processes are its own.",
            )
            # Held by the job's processes alone: the number on record is still theirs.
            if not local_runner.taken(alive):
                local_runner.kill_group(int(group.read_text()), signal.SIGKILL)
        finally:
            os.close(alive)
        draft = directory / "state.json.buried"
        draft.write_text(json.dumps(record | {"state": "NODE_FAIL", "ended_at": time.time(), "exit_code": 1}))
        draft.replace(directory / "state.json")


def _until(condition: Callable[[], bool], *, otherwise: str) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        if time.monotonic() > deadline:
            raise EngineUnreachable(otherwise)
        time.sleep(0.02)


def _read(directory: Path) -> dict[str, Any]:
    try:
        record: dict[str, Any] = json.loads((directory / "state.json").read_text())
    except ValueError:
        raise BadOutput("The job's record on this machine cannot be read.") from None
    return record


def _job(record: dict[str, Any]) -> Job:
    phase = {"PENDING": Phase.WAITING, "RUNNING": Phase.RUNNING}.get(record["state"], Phase.ENDED)
    return Job(
        job_id=record["job_id"],
        name=record["name"],
        phase=phase,
        submitted_at=_instant(record["submitted_at"]),
        started_at=_instant(record["started_at"]) if record["started_at"] else None,
        reason=record["reason"],
    )


def _instant(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, tz=UTC)
