"""The same settings serve production: what they refuse to start with."""

import os
import secrets
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def manage(tmp_path: Path, *arguments: str, **changes: str | None) -> subprocess.CompletedProcess[str]:
    key = tmp_path / "key"
    key.write_text("a key")
    key.chmod(0o600)
    environment = {
        "PATH": os.environ["PATH"],
        "SECRET_KEY": secrets.token_urlsafe(64),
        "DATABASE_URL": "postgres://nobody@/none",
        "REDIS_URL": "redis://nowhere",
        "ALLOWED_HOSTS": "hourglass.example",
        "LEDGER_SIGNING_KEY_FILE": str(key),
        "LEDGER_TREE_HEAD_FILE": str(tmp_path / "head"),
        "EMAIL_URL": "smtp://localhost",
    } | changes
    return subprocess.run(
        [sys.executable, "manage.py", *arguments],
        cwd=ROOT, env={name: value for name, value in environment.items() if value is not None},
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def test_production_is_the_default_and_its_deploy_check_is_clean(tmp_path):
    done = manage(tmp_path, "check", "--deploy", "--fail-level", "WARNING")

    assert done.returncode == 0, done.stderr
    assert "no issues" in done.stdout


@pytest.mark.parametrize(
    ("changes", "word"),
    [
        ({"DEBUG": "true"}, "DEBUG"),
        ({"SECRET_KEY": None}, "SECRET_KEY"),
        ({"SECRET_KEY": "short"}, "SECRET_KEY"),
        ({"SECRET_KEY": "django-insecure-" + "x1y2z3" * 12}, "SECRET_KEY"),
        ({"SECRET_KEY": "a" * 80}, "SECRET_KEY"),
        ({"LEDGER_SIGNING_KEY_FILE": None}, "LEDGER_SIGNING_KEY_FILE"),
        ({"LEDGER_SIGNING_KEY_FILE": "/nonexistent/key"}, "no signing key"),
        ({"LEDGER_TREE_HEAD_FILE": None}, "LEDGER_TREE_HEAD_FILE"),
        ({"DATABASE_URL": None}, "DATABASE_URL"),
        ({"EMAIL_URL": None}, "EMAIL_URL"),
        ({"HOURGLASS_MODE": "staging"}, "HOURGLASS_MODE"),
    ],
)
def test_the_site_does_not_start_in_production_with(tmp_path, changes, word):
    done = manage(tmp_path, "check", **changes)

    assert done.returncode != 0
    assert word in done.stderr
