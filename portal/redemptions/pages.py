"""How a redemption's state is shown: the steps of its way, and the tone of its status."""

from dataclasses import dataclass
from datetime import datetime

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from scheduler.models import Redemption

Status = Redemption.Status

WAY = [Status.PENDING, Status.QUEUED, Status.RUNNING, Status.ENDED, Status.SETTLED]
NAMES: dict[str, Promise] = {
    Status.PENDING: _("Tokens held"),
    Status.QUEUED: _("Submitted"),
    Status.RUNNING: _("Running"),
    Status.ENDED: _("Ended"),
    Status.SETTLED: _("Settled"),
}


@dataclass(frozen=True)
class Step:
    """One step of the way: done, the one it is at, or still to come."""

    name: str | Promise
    at: datetime | None
    state: str


def timeline(redemption: Redemption) -> list[Step]:
    """The steps of this redemption's way, in order."""
    times: dict[str, datetime | None] = {
        Status.PENDING: redemption.created_at,
        Status.QUEUED: redemption.submitted_at,
        Status.RUNNING: redemption.started_at,
        Status.ENDED: redemption.ended_at,
        Status.SETTLED: redemption.settled_at,
    }
    if redemption.status == Status.CANCELLED:
        passed = [step for step in (Status.PENDING, Status.QUEUED) if times[step]]
        done = [Step(NAMES[step], times[step], "done") for step in passed]
        return [*done, Step(_("Cancelled"), redemption.settled_at, "done")]
    if redemption.status == Status.PARKED:
        return [
            Step(NAMES[Status.PENDING], redemption.created_at, "done"),
            Step(_("Parked: a person looks at it"), None, "fault"),
        ]
    at = WAY.index(Status.PENDING if redemption.status == Status.SUBMITTING else Status(redemption.status))
    steps = []
    for number, step in enumerate(WAY):
        # A job that never ran, or ran between two looks, has no such time; its step is passed all the same.
        state = "done" if number < at or redemption.status == Status.SETTLED else "now" if number == at else "to-come"
        steps.append(Step(NAMES[step], times[step], state))
    return steps


def tone(redemption: Redemption) -> str:
    """One of the site's four tones; empty is neutral."""
    if redemption.status == Status.PARKED:
        return "fault"
    if redemption.status == Status.SETTLED:
        return "good" if redemption.outcome == "COMPLETED" else "attention"
    if redemption.status == Status.RUNNING:
        return "good"
    waits = redemption.status in {Status.PENDING, Status.SUBMITTING, Status.ENDED}
    return "attention" if redemption.reason and waits else ""
