"""The job script is the template, line for line: nothing that anybody types can add to it or leave its place."""

import dataclasses
import signal
import sys
import threading
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ledger.errors import Refusal
from scheduler import rendering
from scheduler.errors import BadField, ScriptRefused
from scheduler.rendering import JobFields, render_job_script
from scheduler.scripts import MAX_SCRIPT_BYTES, clean_script

ID = UUID("0b7de2c4-5a86-4d0e-9d3f-0123456789ab")
FIELDS = JobFields(
    public_id=ID, kind="SCRIPT", partition="h100", qos="high", slurm_account="physics", gres_type="h100",
    constraint="nvlink", gpus=2, cpus=16, memory_gb=128, walltime_minutes=90, directory=Path("/srv/jobs/hg-1"),
    python="/opt/python/bin/python3", has_shebang=True,
)  # fmt: skip
TEMPLATE = f"""\
#!/bin/bash

#SBATCH -J hg-{ID}
#SBATCH -p h100
#SBATCH -A physics
#SBATCH -n 1
#SBATCH --cpus-per-task=16
#SBATCH --mem=128G
#SBATCH -t 01:30:00
#SBATCH -N 1
#SBATCH --qos=high
#SBATCH --gres=gpu:h100:2
#SBATCH --constraint="nvlink"
#SBATCH --comment=redemption:{ID}
#SBATCH --output="/srv/jobs/hg-1/output.txt"
#SBATCH --open-mode=truncate
#SBATCH --no-requeue
umask 077
cd /srv/jobs/hg-1 || exit 1
export PATH=/usr/local/bin:/usr/bin:/bin LANG=C.UTF-8 HOME=/srv/jobs/hg-1
exec /srv/jobs/hg-1/script
"""

HOSTILE: list[tuple[str, Any]] = [
    *(("partition", value) for value in (
        "gpu --uid=0", "gpu,vip", "$(id)", "`id`", "gpu\n#SBATCH --uid=0", "gpu\n", "", "-p", "--wrap=id", "gpu;id",
        "gpu\r", "gpu\x00", "gpu\u2028x", "ｇｐｕ", "a" * 41, "gpu|vip", 'gpu"',
    )),
    *(("qos", value) for value in ("high\nexit 0", "high --reservation=x", "$HOME", "", "--export=ALL")),
    *(("slurm_account", value) for value in ("physics\n#SBATCH --nice=-100", "a b", "'", "../x", "--uid=0")),
    *(("gres_type", value) for value in ("1,gpu:99", "h100:1;id", "h100:99", "h100 --exclusive", "h100\n", "-1")),
    *(("constraint", value) for value in ('x"\n#SBATCH --uid=0\n#"', "a b", 'a"b', "$(id)", "[a*2]\n", "-x")),
    *(("gpus", value) for value in (0, -1, 999999999, "1", "1\nid", 1.5, True, None)),
    *(("walltime_minutes", value) for value in (
        0, -1, "UNLIMITED", "infinite", "00:10:00\ncurl evil", "10:99", "99-00:00:00", 10**9, 0.5, None,
    )),
    *(("cpus", value) for value in (0, "8", -3)),
    *(("memory_gb", value) for value in (0, "64G\n", -1)),
    *(("directory", Path(value)) for value in (
        "/srv/jobs/../../etc", "/srv/%u", "/srv/a\nb", "relative", "/srv/$(id)", '/srv/a"b', "/srv/a'b", "/srv/`id`",
        "~root", "/srv/a;b", "/srv/a|b", "/srv/%A_%a",
    )),
    *(("python", value) for value in ("python3", "/usr/bin/python3; id", "/usr/bin/python3\n", "$(id)", "|cmd")),
    *(("kind", value) for value in ("script", "", "SCRIPT\n", "../x")),
]  # fmt: skip


def test_the_job_script_is_the_template_line_for_line() -> None:
    assert render_job_script(FIELDS).rstrip("\n") == TEMPLATE.rstrip("\n")


def test_without_constraint_and_shebang_only_those_lines_differ() -> None:
    text = render_job_script(dataclasses.replace(FIELDS, constraint="", has_shebang=False))

    expected = TEMPLATE.replace('#SBATCH --constraint="nvlink"\n', "").replace("exec /srv", "exec /bin/bash /srv")
    assert text.rstrip("\n") == expected.rstrip("\n")


def test_a_dask_job_runs_our_cluster_program_with_theirs() -> None:
    lines = render_job_script(dataclasses.replace(FIELDS, kind="DASK")).rstrip("\n").split("\n")

    assert lines[-1] == "exec /opt/python/bin/python3 /srv/jobs/hg-1/cluster.py /srv/jobs/hg-1/script"
    assert lines[:-1] == TEMPLATE.rstrip("\n").split("\n")[:-1]


def test_a_folder_with_a_space_is_quoted_everywhere() -> None:
    text = render_job_script(dataclasses.replace(FIELDS, directory=Path("/home/ada b/jobs")))

    assert '#SBATCH --output="/home/ada b/jobs/output.txt"\n' in text
    assert "cd '/home/ada b/jobs' || exit 1\n" in text
    assert "exec '/home/ada b/jobs/script'" in text


def test_there_are_enough_hostile_values() -> None:
    assert len(HOSTILE) >= 30


@pytest.mark.parametrize(("field", "value"), HOSTILE, ids=lambda value: ascii(value)[:40])
def test_a_hostile_value_is_refused(field: str, value: Any) -> None:
    with pytest.raises(BadField) as refusal:
        render_job_script(dataclasses.replace(FIELDS, **{field: value}))

    assert refusal.value.field == field


@settings(max_examples=300, deadline=None)
@given(
    field=st.sampled_from(["partition", "qos", "slurm_account", "gres_type", "constraint"]),
    value=st.text(st.sampled_from("ab1-_.&|;$`'\"\\\n\r\t #=:,/%<>()"), max_size=12),
)
def test_whatever_the_value_the_script_has_the_templates_lines_or_none(field: str, value: str) -> None:
    try:
        text = render_job_script(dataclasses.replace(FIELDS, **{field: value}))
    except BadField:
        return
    keys = [line.split("=")[0].split(" ")[0:2] for line in text.split("\n") if "constraint" not in line]
    known = [line.split("=")[0].split(" ")[0:2] for line in TEMPLATE.split("\n") if "constraint" not in line]
    assert [key for key in keys if key != [""]] == [key for key in known if key != [""]]


def test_a_configuration_file_of_dask_jobqueue_adds_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import dask

    evil = {"jobqueue.slurm": {"job-extra-directives": ["--uid=0"], "job-script-prologue": ["curl evil"]}}
    with dask.config.set(evil):
        text = render_job_script(FIELDS)

    assert text.rstrip("\n") == TEMPLATE.rstrip("\n")


def test_rendering_leaves_ctrl_c_alone_and_works_in_a_thread() -> None:
    before = signal.getsignal(signal.SIGINT)
    texts: list[str] = []
    thread = threading.Thread(target=lambda: texts.append(render_job_script(FIELDS)))

    thread.start()
    thread.join()
    render_job_script(FIELDS)

    assert signal.getsignal(signal.SIGINT) is before
    assert len(texts) == 1


def test_many_threads_that_render_first_leave_signals_to_others(monkeypatch: pytest.MonkeyPatch) -> None:
    real = signal.signal
    for name in [name for name in sys.modules if name.startswith("dask_jobqueue")]:
        monkeypatch.delitem(sys.modules, name)
    rendering._job_class.cache_clear()
    texts: list[str] = []
    threads = [threading.Thread(target=lambda: texts.append(render_job_script(FIELDS))) for _ in range(16)]

    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    left, signal.signal = signal.signal, real

    assert left is real
    assert len(texts) == 16


def test_line_ends_become_unix_ones() -> None:
    assert clean_script("#!/bin/bash\r\necho a\recho b") == "#!/bin/bash\necho a\necho b\n"


@pytest.mark.parametrize(
    "script",
    [
        "", "  \n ", "a\0b", "\x7fELF\x01\x02", "echo \x08", "x" * (MAX_SCRIPT_BYTES + 1), "é" * MAX_SCRIPT_BYTES,
        "\ud800",
    ],
    ids=lambda value: ascii(value)[:20],
)  # fmt: skip
def test_what_is_no_script_is_refused(script: str) -> None:
    with pytest.raises(ScriptRefused) as refusal:
        clean_script(script)

    assert isinstance(refusal.value, Refusal)
    assert refusal.value.field == "script"
