"""A Slurm that a test can break: jobs in memory, and answers that are late, missing or doubled."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from scheduler.engines import Job, JobRequest, Look, Phase, Run
from scheduler.errors import EngineUnreachable, NotEnded

START = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


def run(state: str = "COMPLETED", *, job_id: str = "1", elapsed: int = 60, submit: int = 0, code: int = 0) -> Run:
    at = START + timedelta(seconds=submit)
    return Run(
        job_id=job_id, state=state, exit_code=code, submitted_at=at, started_at=at if elapsed else None,
        ended_at=at + timedelta(seconds=elapsed), elapsed_seconds=elapsed, gpus=2,
    )  # fmt: skip


def nothing() -> None:
    """What happens at a point where nothing does."""


@dataclass
class FakeSlurm:
    jobs: list[Job] = field(default_factory=list)
    runs: dict[str, list[Run]] = field(default_factory=dict)
    controller_is_up: bool = True
    accounting_is_up: bool = True
    sees_jobs: bool = True
    submitted: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)
    # What else happens just then.
    at_ready: Callable[[], object] = nothing
    at_submit: Callable[[], object] = nothing

    def ready(self) -> None:
        self.at_ready()
        self._demand(self.controller_is_up, "Slurm's controller does not answer.")

    def submit(self, request: JobRequest) -> str:
        self.at_submit()
        self._demand(self.controller_is_up, "Slurm did not say whether it took the job.")
        self.submitted.append(request.name)
        return self.add(request.name)

    def add(self, name: str, phase: Phase = Phase.WAITING) -> str:
        job_id = str(len(self.jobs) + 1)
        self.jobs.append(Job(job_id, name, phase, START + timedelta(seconds=len(self.jobs))))
        return job_id

    def end(self, job_id: str, *runs: Run) -> None:
        for index, job in enumerate(self.jobs):
            if job.job_id == job_id:
                self.jobs[index] = replace(job, phase=Phase.ENDED)
                self.runs.setdefault(job.name, []).extend(runs)

    def look(self, names: Sequence[str], *, since: datetime) -> Look:
        self._demand(self.controller_is_up, "Slurm's controller does not answer.")
        known = [job for job in self.jobs if job.name in names and self.sees_jobs]
        if not self.accounting_is_up:
            known = [job for job in known if job.phase != Phase.ENDED]
        jobs: dict[str, list[Job]] = {}
        for job in known:
            jobs.setdefault(job.name, []).append(job)
        return Look(jobs, self.accounting_is_up, "" if self.accounting_is_up else "Slurm's accounting does not answer.")

    def live_jobs(self) -> list[Job]:
        self._demand(self.controller_is_up, "Slurm's controller does not answer.")
        return [job for job in self.jobs if job.phase != Phase.ENDED]

    def cancel(self, job_id: str) -> None:
        self.cancelled.append(job_id)

    def usage(self, name: str, *, since: datetime) -> list[Run]:
        self._demand(self.accounting_is_up, "Slurm's accounting does not answer.")
        if not self.runs.get(name):
            raise NotEnded("Slurm's accounting does not have the job's end yet.")
        return self.runs[name]

    def _demand(self, holds: bool, otherwise: str) -> None:
        if not holds:
            raise EngineUnreachable(otherwise)
