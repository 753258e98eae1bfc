"""What only a real Slurm can show: its partitions, QOS and accounting, and its parts when they are down."""

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from ledger.models import Transfer
from scheduler.engines import JobRequest
from scheduler.engines.slurm import SlurmEngine
from scheduler.errors import EngineRefused, EngineUnreachable
from scheduler.following import follow_redemptions
from scheduler.jobfiles import job_output, write_job_files
from scheduler.models import Redemption
from scheduler.reconciling import reconcile
from scheduler.redemptions import cancel_redemption
from scheduler.submission import LEASE, Site
from tests.scheduler.builders import account, redeemed
from tests.scheduler.following import follow_until, until, until_settled
from tests.slurm.lab import SlurmLab, wait_until

pytestmark = [pytest.mark.slurm, pytest.mark.xdist_group("slurm"), pytest.mark.django_db(transaction=True)]
Status = Redemption.Status


def accounting_row(lab: SlurmLab, redemption: Redemption, fields: str) -> list[str]:
    text = lab.run("sacct", "-n", "-P", "-X", "-a", "-j", redemption.job_id, "-o", fields)
    return text.strip().split("|")


@pytest.mark.parametrize(("gpu", "priority", "gpus"), [("a100", "normal", 1), ("h100", "high", 2), ("b200", "high", 8)])
def test_a_token_becomes_its_partition_qos_and_gpus(
    slurm_site: Site, slurm_lab: SlurmLab, gpu: str, priority: str, gpus: int
) -> None:
    script = 'echo "$SLURM_JOB_PARTITION $SLURM_JOB_QOS $SLURM_JOB_ACCOUNT $CUDA_VISIBLE_DEVICES $(id -un)"'
    redemption = redeemed(slurm_site.home, gpu=gpu, priority=priority, gpus=gpus, script=script)

    until_settled(redemption, site=slurm_site)

    output = job_output(redemption, home=slurm_site.home)
    assert output is not None
    devices = ",".join(map(str, range(gpus)))
    assert output.text == f"{gpu} {priority} hourglass {devices} nobody\n"
    partition, qos, tres, comment = accounting_row(slurm_lab, redemption, "Partition,QOS,AllocTRES,Comment")
    assert (partition, qos) == (gpu, priority)
    assert f"gres/gpu:{gpu}={gpus}" in tres.split(",")
    assert comment == redemption.reference


def test_with_slurmctld_down_the_redemption_waits_says_so_and_then_runs_once(
    slurm_site: Site, slurm_lab: SlurmLab
) -> None:
    redemption = redeemed(slurm_site.home, script="sleep 1.1")
    slurm_lab.stop_controller()
    try:
        follow_redemptions(site=slurm_site, now=timezone.now())

        redemption.refresh_from_db()
        assert (redemption.status, redemption.reason) == (Status.PENDING, "Slurm's controller does not answer.")
        assert redemption.intents == 0
    finally:
        slurm_lab.start_controller()
    until_settled(redemption, site=slurm_site)

    assert redemption.status == Status.SETTLED
    assert (redemption.intents, redemption.reason) == (1, "")


def test_with_slurmctld_down_a_running_job_runs_on_and_its_page_says_so(slurm_site: Site, slurm_lab: SlurmLab) -> None:
    redemption = redeemed(slurm_site.home, script="sleep 3")
    until(redemption, Status.RUNNING, site=slurm_site)
    slurm_lab.stop_controller()
    try:
        follow_redemptions(site=slurm_site, now=timezone.now())

        redemption.refresh_from_db()
        assert redemption.status == Status.RUNNING
        assert redemption.reason.startswith("Slurm's controller does not answer")
    finally:
        slurm_lab.start_controller()
    until_settled(redemption, site=slurm_site, seconds=90)

    assert redemption.outcome == "COMPLETED"
    assert Transfer.objects.filter(reference=redemption.reference).count() == 1


def test_with_slurmdbd_down_nothing_is_settled_and_nothing_is_lost(slurm_site: Site, slurm_lab: SlurmLab) -> None:
    redemption = redeemed(slurm_site.home, script="sleep 1.1")
    slurm_lab.stop_accounting()
    try:
        follow_until(redemption, lambda each: "accounting does not answer" in each.reason, site=slurm_site)
        assert account(redemption).held == redemption.held_amount
    finally:
        slurm_lab.start_accounting()
    until_settled(redemption, site=slurm_site, seconds=90)

    assert redemption.outcome == "COMPLETED"
    assert (redemption.charged_amount or 0) > 0


def test_a_job_lost_with_its_node_costs_nothing(slurm_site: Site, slurm_lab: SlurmLab) -> None:
    redemption = redeemed(slurm_site.home, gpu="b200", script="sleep 1000")
    until(redemption, Status.RUNNING, site=slurm_site)
    try:
        slurm_lab.kill_node("b200-1")
        slurm_lab.run("scontrol", "update", "nodename=b200-1", "state=down", "reason=power")
        until_settled(redemption, site=slurm_site, seconds=90)
    finally:
        slurm_lab.start_node("b200-1")
        slurm_lab.resume_node("b200-1")
        wait_until(lambda: "idle" in slurm_lab.run("sinfo", "-h", "-n", "b200-1", "-o", "%T"), "the node to be back")

    assert redemption.outcome == "NODE_FAIL"
    assert (redemption.status, redemption.charged_amount) == (Status.SETTLED, 0)
    assert account(redemption).balance == 360_000


def test_an_operators_requeue_is_one_job_with_two_runs_and_one_settlement(
    slurm_site: Site, slurm_lab: SlurmLab
) -> None:
    script = 'if [ -e "$HOME/before" ]; then sleep 1.1; exit 0; fi\nsleep 1.1\ntouch "$HOME/before"\nsleep 1000\n'
    redemption = redeemed(slurm_site.home, script=script)
    until(redemption, Status.RUNNING, site=slurm_site)
    wait_until(lambda: (slurm_site.home / redemption.slurm_name / "before").exists(), "the first run")
    slurm_lab.run("scontrol", "update", f"jobid={redemption.job_id}", "requeue=1")
    slurm_lab.run("scontrol", "requeue", redemption.job_id)
    # Slurm lets a requeued job begin again only after two minutes, unless told otherwise.
    queued = ("squeue", "-h", "-j", redemption.job_id, "-o", "%T %r")
    wait_until(lambda: slurm_lab.answers(*queued, word="PENDING BeginTime"), "the requeue", 60)
    slurm_lab.run("scontrol", "update", f"jobid={redemption.job_id}", "starttime=now")

    until_settled(redemption, site=slurm_site, seconds=180)

    runs = list(redemption.runs.order_by("submitted_at"))
    assert len(runs) == 2
    assert {run.job_id for run in runs} == {redemption.job_id}
    assert redemption.charged_amount == 2 * sum(run.charged_seconds for run in runs)
    assert Transfer.objects.filter(reference=redemption.reference).count() == 1


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"partition": "nope"}, "Invalid partition name"),
        ({"gres_type": "v100"}, "Requested node configuration is not available"),
        ({"qos_by_priority": {"normal": "golden"}}, "Invalid qos specification"),
    ],
)
def test_what_slurm_refuses_is_parked_with_its_words(slurm_site: Site, wrong: dict[str, object], said: str) -> None:
    from tests.scheduler.builders import drawn_class

    machines = drawn_class("h100-class", "h100")
    for field, value in wrong.items():
        setattr(machines, field, value)
    machines.save()
    redemption = redeemed(slurm_site.home, gpu="h100", script="true")

    follow_redemptions(site=slurm_site, now=timezone.now())

    redemption.refresh_from_db()
    assert redemption.status == Status.PARKED
    assert said in redemption.reason
    cancel_redemption(redemption_id=redemption.id)
    assert account(redemption).held == 0


def test_a_missing_slurm_is_unreachable_and_no_error(slurm_site: Site, tmp_path: Path) -> None:
    redemption = redeemed(slurm_site.home)
    absent = SlurmEngine(environment={"PATH": str(tmp_path)})

    follow_redemptions(site=replace(slurm_site, engine=absent, job_user=""), now=timezone.now())

    redemption.refresh_from_db()
    assert redemption.status == Status.PENDING
    assert "could not be run" in redemption.reason


def test_a_name_is_looked_up_among_our_own_jobs_only(slurm_site: Site, slurm_lab: SlurmLab) -> None:
    redemption = redeemed(slurm_site.home, script="true")
    stranger = SlurmEngine(user="root", environment=slurm_lab.environment)
    request = write_job_files(redemption, home=slurm_site.home)
    stranger.submit(request)

    look = slurm_site.engine.look([redemption.slurm_name], since=redemption.created_at)

    assert look.complete
    assert look.jobs == {}


def test_a_job_that_slurm_did_not_take_is_surely_refused(slurm_site: Site, slurm_lab: SlurmLab) -> None:
    folder = slurm_site.home / "hg-x"
    folder.mkdir(mode=0o755)
    script = folder / "job.sh"
    script.write_text("#!/bin/bash\n#SBATCH --gres=gpu:h100:9\n#SBATCH -p h100\ntrue\n")
    script.chmod(0o755)
    request = JobRequest("hg-x", folder, script, gpus=9, walltime_seconds=60)

    with pytest.raises(EngineRefused, match="not available"):
        slurm_site.engine.submit(request)
    slurm_lab.stop_controller()
    try:
        with pytest.raises(EngineUnreachable):
            slurm_site.engine.ready()
        with pytest.raises(EngineUnreachable):
            slurm_site.engine.submit(request)
    finally:
        slurm_lab.start_controller()


def test_reconciling_ends_a_job_that_nothing_is_held_for_and_counts_it(slurm_site: Site) -> None:
    redemption = redeemed(slurm_site.home, script="sleep 1000")
    request = write_job_files(redemption, home=slurm_site.home, user=slurm_site.job_user)
    cancel_redemption(redemption_id=redemption.id)
    slurm_site.engine.submit(request)

    differences = reconcile(site=slurm_site, now=timezone.now())

    assert differences.settled_but_running == 1
    wait_until(lambda: slurm_site.engine.live_jobs() == [], "the job's end")
    assert reconcile(site=slurm_site, now=timezone.now()).total == 0


def test_a_second_job_of_one_name_is_cancelled(slurm_site: Site) -> None:
    redemption = redeemed(slurm_site.home, script="sleep 1000")
    until(redemption, Status.RUNNING, site=slurm_site)
    request = write_job_files(redemption, home=slurm_site.home, user=slurm_site.job_user)
    slurm_site.engine.submit(request)

    differences = reconcile(site=slurm_site, now=timezone.now() + LEASE + timedelta(minutes=5))

    assert differences.duplicate_jobs == 1
    wait_until(lambda: [job.job_id for job in slurm_site.engine.live_jobs()] == [redemption.job_id], "the second's end")
    cancel_redemption(redemption_id=redemption.id)
    until_settled(redemption, site=slurm_site)
    assert {run.job_id for run in redemption.runs.all()} == {redemption.job_id}
