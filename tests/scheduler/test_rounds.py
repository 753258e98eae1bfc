"""Many workers at once do what one would have done."""

import threading

import pytest
from django.db import connection
from django.utils import timezone

from ledger.models import Transfer
from scheduler.following import follow_redemptions
from scheduler.models import Redemption
from scheduler.submission import Site
from tests.conftest import ROOT
from tests.scheduler.builders import redeemed
from tests.scheduler.following import until_settled


@pytest.mark.django_db(transaction=True)
def test_eight_workers_over_six_redemptions_make_six_jobs_and_six_settlements(local_site: Site) -> None:
    script = 'echo ran >> "$HOME/ran"\nsleep 0.3\n'
    made = [redeemed(local_site.home, gpus=1, script=script) for _ in range(6)]
    barrier = threading.Barrier(8)
    faults: list[BaseException] = []

    def work() -> None:
        barrier.wait()
        try:
            for _ in range(10):
                follow_redemptions(site=local_site, now=timezone.now())
        except BaseException as fault:  # noqa: BLE001
            faults.append(fault)
        finally:
            connection.close()

    workers = [threading.Thread(target=work) for _ in range(8)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert faults == []
    for redemption in made:
        until_settled(redemption, site=local_site)
        assert redemption.status == Redemption.Status.SETTLED
        assert (local_site.home / redemption.slurm_name / "ran").read_text() == "ran\n"
        assert Transfer.objects.filter(reference=redemption.reference).count() == 1
        assert redemption.history.filter(status="QUEUED").count() == 1


def test_no_command_goes_through_a_shell_and_dask_jobqueue_is_used_in_one_place() -> None:
    sources = {
        path.relative_to(ROOT): path.read_text()
        for part in ("scheduler", "portal")
        for path in (ROOT / part).rglob("*.py")
    }

    assert [path for path, text in sources.items() if "shell=True" in text or "os.system" in text] == []
    assert [
        str(path) for path, text in sources.items() if "import dask_jobqueue" in text or "from dask_jobqueue" in text
    ] == ["scheduler/rendering.py"]
