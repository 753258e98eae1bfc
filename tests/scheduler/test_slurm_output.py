"""Reading sbatch, squeue and sacct: recorded outputs are understood, hostile ones conclude nothing."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scheduler.engines import Phase
from scheduler.engines.slurm_output import accounting_records, queued_jobs, submitted_id
from scheduler.errors import BadOutput

ROW = "1|hg-x|nobody|COMPLETED|0:0|2026-11-22T16:59:43|2026-11-22T16:59:43|2026-11-22T16:59:44|1|"
TRES = "billing=1,cpu=1,gres/gpu:h100=2,gres/gpu=2,mem=500M,node=1"


@pytest.mark.parametrize(
    ("text", "job_id"),
    [
        ("123\n", "123"),
        ("123;cluster\n", "123"),
        ("sbatch: warning: something is deprecated\n123\n", "123"),
        ("  77  \n", "77"),
    ],
)
def test_the_id_of_a_new_job_is_read(text: str, job_id: str) -> None:
    assert submitted_id(text) == job_id


@pytest.mark.parametrize(
    "text",
    [
        "", "\n\n", "Submitted batch job", "abc", "0", "-5", "12 13", "123;clu ster", "1e3", "１２", "9" * 30,
        "123\nnot an id",
    ],
)  # fmt: skip
def test_what_is_no_id_is_not_taken_for_one(text: str) -> None:
    with pytest.raises(BadOutput):
        submitted_id(text)


def test_a_row_of_accounting_is_read() -> None:
    (record,) = accounting_records(ROW + TRES + "\n")

    assert (record.name, record.user, record.phase) == ("hg-x", "nobody", Phase.ENDED)
    assert (record.run.job_id, record.run.state, record.run.elapsed_seconds, record.run.gpus) == (
        "1",
        "COMPLETED",
        1,
        2,
    )
    assert record.run.submitted_at == datetime(2026, 11, 22, 16, 59, 43, tzinfo=UTC)


def test_who_cancelled_it_is_not_part_of_the_state() -> None:
    (record,) = accounting_records(
        "5|hg-x|nobody|CANCELLED by 65534|0:15|2026-11-22T10:00:00|None|2026-11-22T10:00:09|0|"
    )

    assert (record.run.state, record.run.started_at, record.run.exit_code) == ("CANCELLED", None, 143)


def test_a_requeued_job_has_one_record_for_each_run() -> None:
    records = accounting_records(
        "5|hg-x|nobody|NODE_FAIL|1:0|2026-11-22T10:00:00|2026-11-22T10:00:01|2026-11-22T10:00:44|43|gres/gpu=2\n"
        "5|hg-x|nobody|PENDING|0:0|2026-11-22T10:00:44|Unknown|Unknown|0|\n"
    )

    assert [(record.run.state, record.phase) for record in records] == [
        ("NODE_FAIL", Phase.ENDED),
        ("PENDING", Phase.WAITING),
    ]


@pytest.mark.parametrize(
    "row",
    [
        "1|hg|x|nobody|COMPLETED|0:0|2026-11-22T16:59:43|2026-11-22T16:59:43|2026-11-22T16:59:44|1|",
        ROW.replace("|1|", "|INVALID|"),
        ROW.replace("|1|", "|-1|"),
        ROW.replace("|1|", "|1-02:03:04|"),
        ROW.replace("|1|", "|１|"),
        ROW.replace("|1|", "||"),
        ROW.replace("COMPLETED", "VICTORIOUS"),
        ROW.replace("COMPLETED", "CANCELLED+"),
        ROW.replace("0:0", "0"),
        ROW.replace("0:0", "a:b"),
        ROW.replace("2026-11-22T16:59:44", "Unknown"),
        ROW.replace("2026-11-22T16:59:44", "2026-13-45T16:59:44"),
        ROW.replace("2026-11-22T16:59:44", "2026-11-22T16:59:40"),
        ROW.replace("1|hg-x", "1_2|hg-x"),
        ROW.replace("1|hg-x", "|hg-x"),
        ROW.rsplit("|", 2)[0],
        ROW + "gres/gpu=two",
        ROW + "free text",
        "slurmdbd: error",
    ],
)
def test_a_row_that_is_not_as_it_should_be_is_refused(row: str) -> None:
    with pytest.raises(BadOutput):
        accounting_records(ROW + TRES + "\n" + row + "\n")


def test_a_name_with_a_line_end_does_not_become_a_row() -> None:
    with pytest.raises(BadOutput):
        accounting_records("1|hg-x\n2|y|nobody|COMPLETED|0:0|2026-11-22T16:59:43|None|None|0|")


def test_waiting_and_running_jobs_are_read() -> None:
    jobs = queued_jobs(
        "7|hg-a|PENDING|2026-11-22T10:00:00|2026-11-22T12:00:00|Resources\n"
        "8|hg-b|RUNNING|2026-11-22T10:00:00|2026-11-22T10:00:05|None\n"
        "9|hg-c|COMPLETED|2026-11-22T10:00:00|2026-11-22T10:00:05|None\n"
    )

    assert [(job.job_id, job.phase, job.reason) for job in jobs] == [
        ("7", Phase.WAITING, "Resources"),
        ("8", Phase.RUNNING, ""),
    ]
    assert jobs[0].started_at is None
    assert jobs[1].started_at == datetime(2026, 11, 22, 10, 0, 5, tzinfo=UTC)


def test_a_reason_may_hold_anything() -> None:
    (job,) = queued_jobs("7|hg-a|PENDING|2026-11-22T10:00:00|N/A|(Nodes required | DOWN, DRAINED)\n")

    assert job.reason == "(Nodes required | DOWN, DRAINED)"


@pytest.mark.parametrize(
    "row",
    [
        "7|hg-a|PENDING", "x|hg-a|PENDING|2026-11-22T10:00:00|N/A|", "7|hg-a|DANCING|2026-11-22T10:00:00|N/A|",
        "7|hg-a|RUNNING|now|N/A|",
    ],
)  # fmt: skip
def test_a_queue_row_that_is_not_as_it_should_be_is_refused(row: str) -> None:
    with pytest.raises(BadOutput):
        queued_jobs(row + "\n")


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    for read in (submitted_id, queued_jobs, accounting_records):
        try:
            read(text)
        except BadOutput:
            continue
