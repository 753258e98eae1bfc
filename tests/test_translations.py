"""English and Simplified Chinese: every string is translated, and what Django reads is what was written."""

import os
import re
import shutil
import subprocess
import sys
from datetime import date
from pathlib import Path

import polib
import pytest
from django.test import Client
from django.utils import translation
from django.utils.formats import date_format

ROOT = Path(__file__).resolve().parents[1]
CATALOGUE = ROOT / "locale" / "zh_Hans" / "LC_MESSAGES" / "django.po"
PLACEHOLDER = re.compile(r"%\(\w+\)[sd]")


def entries() -> list[polib.POEntry]:
    return [entry for entry in polib.pofile(str(CATALOGUE)) if not entry.obsolete]


def test_every_string_is_translated_with_the_same_places():
    for entry in entries():
        text = entry.msgstr or entry.msgstr_plural.get(0, "")
        assert text, entry.msgid
        assert "fuzzy" not in entry.flags, entry.msgid
        assert set(PLACEHOLDER.findall(text)) == set(PLACEHOLDER.findall(entry.msgid_plural or entry.msgid)), (
            entry.msgid
        )


def test_the_compiled_catalogue_is_that_of_the_text():
    compiled = polib.mofile(str(CATALOGUE.with_suffix(".mo")))

    written = {(e.msgid, e.msgstr, tuple(e.msgstr_plural.values())) for e in entries()}
    assert {(e.msgid, e.msgstr, tuple(e.msgstr_plural.values())) for e in compiled} == written


@pytest.mark.skipif(shutil.which("xgettext") is None, reason="xgettext is not installed (Debian's gettext)")
def test_no_string_of_the_site_is_missing(tmp_path):
    for name in ("ledger", "market", "scheduler", "portal", "templates", "locale"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "manage.py", tmp_path)
    (tmp_path / "static").mkdir()
    done = subprocess.run(
        [sys.executable, "manage.py", "makemessages", "-l", "zh_Hans"],
        cwd=tmp_path, env=os.environ | {"PYTHONPATH": str(tmp_path)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr

    found = {entry.msgid for entry in polib.pofile(str(tmp_path / CATALOGUE.relative_to(ROOT))) if not entry.obsolete}

    assert found - {entry.msgid for entry in entries()} == set()


@pytest.mark.django_db
@pytest.mark.parametrize("path", ["/", "/market/", "/institutes/", "/accounts/login/"])
def test_pages_speak_chinese_to_who_reads_it(path):
    page = Client(headers={"accept-language": "zh-CN,zh;q=0.9"}).get(path).content.decode()

    assert '<html lang="zh-hans"' in page
    assert "市场" in page


@pytest.mark.parametrize(("language", "written"), [("en", "1 Jan 2027"), ("zh-hans", "2027年1月1日")])
def test_dates_are_written_as_the_language_does(language, written):
    with translation.override(language):
        assert date_format(date(2027, 1, 1), "DATE_FORMAT") == written
