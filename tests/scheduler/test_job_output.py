"""The output of a job is read whatever its user has made of the folder since."""

import os
from pathlib import Path

import pytest

from scheduler.jobfiles import job_output, write_job_files
from scheduler.models import Redemption
from tests.scheduler.builders import redeemed

pytestmark = pytest.mark.django_db


@pytest.fixture
def redemption(jobs_home: Path) -> Redemption:
    made = redeemed(jobs_home)
    write_job_files(made, home=jobs_home)
    return made


@pytest.fixture
def folder(redemption: Redemption, jobs_home: Path) -> Path:
    return jobs_home / redemption.slurm_name


def test_before_the_job_there_is_none(redemption: Redemption, jobs_home: Path) -> None:
    assert job_output(redemption, home=jobs_home) is None


def test_the_end_of_a_long_output_is_read_and_its_size_said(
    redemption: Redemption, folder: Path, jobs_home: Path
) -> None:
    with (folder / "output.txt").open("wb") as file:
        file.truncate(10 * 2**30)  # ten GiB, without a byte written
        file.seek(0, os.SEEK_END)
        file.write(b"the end")

    output = job_output(redemption, home=jobs_home, limit=7)

    assert output is not None
    assert (output.text, output.is_cut, output.size) == ("the end", True, 10 * 2**30 + 7)


def test_what_is_no_text_is_shown_as_such(redemption: Redemption, folder: Path, jobs_home: Path) -> None:
    (folder / "output.txt").write_bytes(b"\xff\xfe <b>\x1b[31m")

    output = job_output(redemption, home=jobs_home)

    assert output is not None
    assert output.text == "\ufffd\ufffd <b>\x1b[31m"


def test_a_link_is_not_followed(redemption: Redemption, folder: Path, jobs_home: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    secret.write_text("key")
    (folder / "output.txt").symlink_to(secret)

    assert job_output(redemption, home=jobs_home) is None


def test_a_second_name_of_another_file_is_not_read(redemption: Redemption, folder: Path, jobs_home: Path) -> None:
    secret = jobs_home / "secret"
    secret.write_text("key")
    os.link(secret, folder / "output.txt")

    assert job_output(redemption, home=jobs_home) is None


def test_a_folder_that_has_become_a_link_is_not_entered(
    redemption: Redemption, folder: Path, jobs_home: Path, tmp_path: Path
) -> None:
    (tmp_path / "output.txt").write_text("another's")
    folder.rename(jobs_home / "moved")
    folder.symlink_to(tmp_path)

    assert job_output(redemption, home=jobs_home) is None


def test_a_pipe_does_not_make_the_reader_wait(redemption: Redemption, folder: Path, jobs_home: Path) -> None:
    os.mkfifo(folder / "output.txt")

    assert job_output(redemption, home=jobs_home) is None


def test_files_are_the_jobs_users_alone(redemption: Redemption, folder: Path) -> None:
    assert folder.stat().st_mode & 0o777 == 0o700
    assert (folder / "script").read_text() == "echo hello\n"
    assert (folder / "script").stat().st_mode & 0o077 == 0
