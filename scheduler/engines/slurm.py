"""The real engine: sbatch, squeue, sacct and scancel, asked as lists of words with nothing of our environment."""

import os
import pwd
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.utils.translation import gettext_noop

from scheduler.engines import Job, JobRequest, Look, Phase, Run
from scheduler.engines.slurm_output import (
    SACCT_FIELDS,
    SQUEUE_FORMAT,
    Record,
    accounting_records,
    queued_jobs,
    submitted_id,
)
from scheduler.errors import EngineRefused, EngineUnreachable, NotEnded

# Slurm's own patience is MessageTimeout, 10 s unless set otherwise, and a client asks twice.
TIMEOUT_SECONDS = 40
# What sbatch says when the controller answered no. Anything else leaves it open whether there is a job.
REFUSALS = (
    "invalid partition",
    "Requested node configuration is not available",
    "Invalid generic resource",
    "Memory specification can not be satisfied",
    "Invalid qos specification",
    "Invalid account",
    "Job violates accounting/QOS policy",
    "Requested time limit is invalid",
    "Invalid --time specification",
    "unrecognized option",
    "Access/permission denied",
    "Requested reservation is invalid",
    "Access denied to requested reservation",
    "Invalid feature specification",
)


@dataclass(frozen=True)
class SlurmEngine:
    """Jobs of one Unix user, `user`, or of the process's own."""

    user: str = ""
    environment: dict[str, str] = field(default_factory=dict)

    def ready(self) -> None:
        # Answers in milliseconds, up or down, where sbatch would wait for its timeout.
        done = self._ask("scontrol", "ping")
        if done.returncode != 0 or " is UP" not in done.stdout:
            raise EngineUnreachable(gettext_noop("Slurm's controller does not answer."))

    def submit(self, request: JobRequest) -> str:
        done = self._ask(
            "sbatch", "--parsable", "--no-requeue", "--export=NIL", f"--job-name={request.name}",
            f"--chdir={request.directory}", "--", str(request.job_script),
        )  # fmt: skip
        if done.returncode == 0:
            return submitted_id(done.stdout)
        said = _last_line(done.stderr)
        if not done.stdout.strip() and any(refusal in done.stderr for refusal in REFUSALS):
            raise EngineRefused(f"Slurm refused the job: {said}")
        raise EngineUnreachable(f"Slurm did not say whether it took the job: {said}")

    def look(self, names: Sequence[str], *, since: datetime) -> Look:
        if not names:
            return Look(jobs={}, complete=True)
        live = self._queued(f"--name={','.join(names)}")
        jobs: dict[str, list[Job]] = {}
        for job in live:
            jobs.setdefault(job.name, []).append(job)
        try:
            # Asked after squeue: a job that has left it by then is in accounting, or will be.
            records = self._records(names, since=since)
        except EngineUnreachable as fault:
            return Look(jobs=jobs, complete=False, reason=str(fault))
        known = {job.job_id for job in live}
        for record in _newest(records):
            if record.run.job_id not in known:
                jobs.setdefault(record.name, []).append(_job(record))
        return Look(jobs=jobs, complete=True)

    def live_jobs(self) -> list[Job]:
        return [job for job in self._queued() if job.name.startswith("hg-")]

    def cancel(self, job_id: str) -> None:
        done = self._ask("scancel", "--", job_id)
        # 210 is "no such job": it has ended and been forgotten.
        if done.returncode not in {0, 210} and "already completing or completed" not in done.stderr:
            raise EngineUnreachable(f"Slurm did not cancel the job: {_last_line(done.stderr)}")

    def usage(self, name: str, *, since: datetime) -> list[Run]:
        if self._queued(f"--name={name}"):
            raise NotEnded(gettext_noop("The job has not left Slurm's queue yet."))
        records = self._records([name], since=since)
        if not records or any(record.phase != Phase.ENDED for record in _newest(records)):
            raise NotEnded(gettext_noop("Slurm's accounting does not have the job's end yet."))
        runs = {(record.run.job_id, record.run.submitted_at): record.run for record in records}
        return [runs[key] for key in sorted(runs)]

    def _queued(self, *options: str) -> list[Job]:
        # squeue itself would ask for nine seconds before it gave up.
        self.ready()
        done = self._ask("squeue", "-h", f"--user={self._user}", "-o", SQUEUE_FORMAT, *options)
        if done.returncode != 0:
            raise EngineUnreachable(f"Slurm's controller does not answer: {_last_line(done.stderr)}")
        return queued_jobs(done.stdout)

    def _records(self, names: Sequence[str], *, since: datetime) -> list[Record]:
        # The clocks of the site and of Slurm may differ a little; an older job cannot have one of these names.
        start = (since - timedelta(hours=1)).strftime("%Y-%m-%dT%H:%M:%S")
        done = self._ask(
            "sacct", "-n", "-P", "-X", "-D", f"--user={self._user}", f"--name={','.join(names)}",
            f"--starttime={start}", "-o", SACCT_FIELDS,
        )  # fmt: skip
        if done.returncode != 0 or done.stderr.strip():
            raise EngineUnreachable(f"Slurm's accounting does not answer: {_last_line(done.stderr)}")
        wanted = set(names)
        return [
            record for record in accounting_records(done.stdout) if record.name in wanted and record.user == self._user
        ]

    @property
    def _user(self) -> str:
        return self.user or pwd.getpwuid(os.geteuid()).pw_name

    def _ask(self, *command: str) -> subprocess.CompletedProcess[str]:
        words = list(command)
        if self.user and self.user != pwd.getpwuid(os.geteuid()).pw_name:
            # Only root may give its jobs to another user; anybody else's jobs are their own.
            words = ["runuser", "-u", self.user, "--", *words]
        # Of our own environment nothing goes along: it has the database's address and keys in it.
        environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", **self.environment, "TZ": "UTC"}
        try:
            return subprocess.run(
                words, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True, errors="replace",
                timeout=TIMEOUT_SECONDS, check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            raise EngineUnreachable(f"{command[0]} did not answer within {TIMEOUT_SECONDS} s.") from None
        except OSError as fault:
            raise EngineUnreachable(f"{command[0]} could not be run: {fault.strerror}.") from None


def _newest(records: Sequence[Record]) -> list[Record]:
    """Of each job the run that was submitted last: the earlier ones have ended."""
    newest: dict[str, Record] = {}
    for record in records:
        known = newest.get(record.run.job_id)
        if known is None or record.run.submitted_at >= known.run.submitted_at:
            newest[record.run.job_id] = record
    return list(newest.values())


def _job(record: Record) -> Job:
    run = record.run
    return Job(
        job_id=run.job_id,
        name=record.name,
        phase=record.phase,
        submitted_at=run.submitted_at,
        started_at=run.started_at,
    )


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1].removeprefix("sbatch: error: ")[:200] if lines else "it said nothing."
