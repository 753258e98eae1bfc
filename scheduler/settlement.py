"""Charging a job for what it used and giving the rest back, once."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext_noop

from ledger.clock import database_now
from ledger.holds import capture_hold
from ledger.models import Entry, Wallet
from ledger.wallets import account_of, system_wallet
from scheduler.charging import charge_for
from scheduler.engines import Run
from scheduler.errors import EngineError, NotEnded
from scheduler.models import JobRun, Redemption
from scheduler.redemptions import close_unused, note_change
from scheduler.submission import Site

Status = Redemption.Status


def settle_redemption(*, redemption_id: int, site: Site) -> bool:
    """Settle a redemption whose job has ended. False while its usage is not known: then nothing is charged yet."""
    redemption = Redemption.objects.get(id=redemption_id)
    if redemption.status != Status.ENDED:
        return redemption.is_settled
    try:
        runs = site.engine.usage(redemption.slurm_name, since=redemption.created_at)
        # A duplicate's runs are no one's to pay.
        runs = [run for run in runs if run.job_id == redemption.job_id]
        if not runs:
            raise NotEnded(gettext_noop("Slurm's accounting does not have the job yet."))
    except EngineError as fault:
        Redemption.objects.filter(id=redemption_id, status=Status.ENDED).update(reason=str(fault)[:300])
        return False
    write_settlement(redemption_id=redemption_id, runs=runs)
    return True


@transaction.atomic(durable=True)
def write_settlement(*, redemption_id: int, runs: Sequence[Run]) -> Redemption:
    """Charge the hold for these runs; the second time changes nothing."""
    now = database_now()
    redemption = Redemption.objects.select_for_update().get(id=redemption_id)
    if redemption.status != Status.ENDED:
        return redemption
    charge = charge_for(runs, gpus=redemption.gpus, walltime_seconds=redemption.walltime_seconds)
    _keep_runs(redemption, runs, charge.seconds)
    last = runs[-1]
    redemption.outcome, redemption.exit_code, redemption.used_seconds = last.state, last.exit_code, charge.used_seconds
    redemption.started_at = _earliest(runs) or redemption.started_at
    redemption.ended_at = last.ended_at or redemption.ended_at
    if redemption.cancel_requested_at is not None and charge.used_seconds == 0:
        close_unused(redemption, now=now, note=gettext_noop("Cancelled before it ran."))
        return redemption
    redeemed = account_of(wallet_id=system_wallet(Wallet.Role.REDEEMED, now=now).id, asset_id=redemption.asset_id)
    redemption.transfer = capture_hold(
        hold_id=redemption.hold_id,
        amount=charge.amount,
        to_account_id=redeemed.id,
        kind=Entry.TransferKind.REDEEM,
        reference=redemption.reference,
        now=now,
    )
    redemption.status = Status.SETTLED
    redemption.charged_amount, redemption.settled_at, redemption.reason = charge.amount, now, ""
    redemption.save()
    note_change(redemption, now=now, note=f"Charged {charge.amount} of {redemption.held_amount} GPU-seconds held.")
    return redemption


def _keep_runs(redemption: Redemption, runs: Sequence[Run], seconds: Sequence[int]) -> None:
    JobRun.objects.bulk_create(
        JobRun(
            redemption=redemption,
            job_id=run.job_id,
            submitted_at=run.submitted_at,
            started_at=run.started_at,
            ended_at=run.ended_at,
            state=run.state,
            exit_code=run.exit_code,
            elapsed_seconds=run.elapsed_seconds,
            charged_seconds=charged,
        )
        for run, charged in zip(runs, seconds, strict=True)
    )


def _earliest(runs: Sequence[Run]) -> datetime | None:
    return min((run.started_at for run in runs if run.started_at is not None), default=None)
