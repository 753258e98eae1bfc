"""How the site's parts are: read from Postgres, and from what the worker last said."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from django.core.cache import cache
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.db.models import Count, Min
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from redis.exceptions import RedisError

from ledger.models import Checkpoint, Hold, Leaf, LogState, WitnessState
from ledger.proof.asking import Problem
from ledger.proof.configured import check_before_start, configured_policy
from ledger.proof.cosigning import cosignatures_of, states
from ledger.proof.keys import KeyRefused
from ledger.proof.numbering import unsealed_count, waiting_since
from ledger.proof.policyfile import PolicyRefused
from ledger.proof.publishing import newest_checkpoint, published_checkpoint
from ledger.proof.treehead import TreeHeadConflict
from market.models import Instrument, Order
from portal.people.templatetags.units import span
from scheduler.models import Redemption

HEARTBEAT = "worker-heartbeat"
# A worker beats every ten seconds; three missed beats are a fault.
SILENT = timedelta(seconds=35)
SEAL_LATE = timedelta(seconds=60)
SUBMIT_LATE = timedelta(minutes=5)


@dataclass(frozen=True)
class Part:
    """One part of the site: how it is, in a tone and a sentence, and figures for the operator."""

    name: str
    tone: str
    says: str
    figures: list[tuple[str, Any]] = field(default_factory=list)


def beat(*, engine: str, problem: str, now: datetime) -> None:
    """The worker says that it lives, and whether it reaches the engine."""
    cache.set(HEARTBEAT, {"at": now.isoformat(), "engine": engine, "problem": problem[:300]}, timeout=3600)


def last_beat() -> dict[str, str] | None:
    found: dict[str, str] | None = cache.get(HEARTBEAT)
    return found


def readiness() -> dict[str, str]:
    """What the web needs to serve: `ok`, or why not, for each part. Nothing of anybody's data."""
    return {"database": _database_readiness(), "cache": _cache_readiness()}


def _database_readiness() -> str:
    try:
        executor = MigrationExecutor(connection)
        pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError:
        return "unreachable"
    return f"{len(pending)} migrations are pending" if pending else "ok"


def _cache_readiness() -> str:
    try:
        cache.set("readyz", 1, timeout=5)
    except (RedisError, OSError):
        return "unreachable"
    return "ok"


def parts(*, now: datetime) -> list[Part]:
    return [_log(now), *_witnesses(now), _market(), _redemptions(now), *_worker(now), _holds(now)]


def _log(now: datetime) -> Part:
    waiting = unsealed_count()
    checkpoint = Checkpoint.objects.order_by("-size").first()
    state = LogState.objects.first()
    oldest = waiting_since() if waiting else None
    late = oldest is not None and now - oldest > SEAL_LATE
    last = Leaf.objects.select_related("entry").order_by("-index").first()
    figures = [
        (_("Sealed entries"), f"{state.size:,}" if state else "0"),
        (_("Sealed up to entry"), last.entry_id if last else "–"),
        (_("Last checkpoint"), _ago(checkpoint.signed_at, now) if checkpoint else "–"),
        (_("Waiting to be sealed"), f"{waiting:,}"),
        (_("Longest wait"), _age(oldest, now)),
    ]
    try:
        check_before_start()
    except (KeyRefused, TreeHeadConflict) as error:
        says = _("The log is not sealed: its key or its head outside the database is not as it must be.")
        return Part(_("Ledger"), "fault", says, [*figures, (_("It says"), str(error))])
    except PolicyRefused:
        pass  # the witnesses' part says so
    says = _("Entries wait for the sealer longer than a minute.") if late else _("Entries are sealed as they come.")
    return Part(_("Ledger"), "attention" if late else "good", says, figures)


def _witnesses(now: datetime) -> list[Part]:
    """How far others have cosigned the log, and what is wrong with whom; nothing where nobody is asked."""
    name = _("Witnesses")
    try:
        policy = configured_policy()
    except PolicyRefused as error:
        return [Part(name, "fault", _("The policy file cannot be used."), [(_("It says"), str(error))])]
    newest, published = newest_checkpoint(), published_checkpoint(policy)
    if policy is None:
        return []
    found = states(policy)
    figures: list[tuple[str, Any]] = [
        (_("Published up to"), f"{published.size:,}" if published else "–"),
        (_("Sealed up to"), f"{newest.size:,}" if newest else "–"),
        *((who, _witness_says(state, now)) for who, state in found.items()),
    ]
    troubled = [state for state in found.values() if state.problem]
    if any(state.problem in {Problem.AHEAD, Problem.FORKED} for state in troubled):
        says = _("A witness saw another history than this one: stop trading and see operations, “Restore”.")
        return [Part(name, "fault", says, figures)]
    behind = newest is not None and not policy.is_met_by(cosignatures_of([newest], policy)[newest.size])
    if behind and newest is not None and now - newest.signed_at > SEAL_LATE:
        says = _("The newest checkpoint is not cosigned by enough witnesses. Trading goes on.")
        return [Part(name, "attention", says, figures)]
    if troubled:
        says = _("%(n)d of %(all)d witnesses do not cosign. The others are enough.")
        return [Part(name, "attention", says % {"n": len(troubled), "all": len(found)}, figures)]
    return [Part(name, "good", _("The log is cosigned as it grows."), figures)]


def _witness_says(state: WitnessState, now: datetime) -> str:
    wrong = {
        Problem.AWAY: _("does not answer"),
        Problem.SLOW: _("does not answer in time"),
        Problem.BROKEN: _("is broken"),
        Problem.REFUSES: _("refuses: it does not know this log or its key"),
        Problem.LYING: _("answers what is no cosignature"),
        Problem.CLOCK: _("has a wrong clock"),
        Problem.AHEAD: _("saw more entries than the log has"),
        Problem.FORKED: _("saw another history"),
    }
    if state.problem:
        return f"{wrong[Problem(state.problem)]} ({state.detail})"
    if state.answered_at is None:
        return _("not asked yet")
    return _("up to %(size)s, %(ago)s") % {"size": f"{state.size:,}", "ago": _ago(state.answered_at, now)}


def _market() -> Part:
    phases: dict[str, int] = dict(Instrument.objects.values_list("phase").annotate(n=Count("id")))
    halted = phases.get(Instrument.Phase.HALTED, 0)
    waiting = Order.objects.filter(status=Order.Status.WAITING).count()
    figures = [
        (_("Open instruments"), phases.get(Instrument.Phase.CONTINUOUS, 0)),
        (_("Halted"), halted),
        (_("Orders waiting to be cleared"), waiting),
    ]
    if halted:
        return Part(_("Market"), "attention", _("Trading is halted in %(n)d instruments.") % {"n": halted}, figures)
    return Part(_("Market"), "good", _("Orders are taken and cleared."), figures)


def _redemptions(now: datetime) -> Part:
    status = Redemption.Status
    rows: Any = Redemption.objects.unsettled().values("status").annotate(n=Count("id"), oldest=Min("created_at"))
    found: dict[str, dict[str, Any]] = {row["status"]: row for row in rows}
    figures = [
        (status(name).label.capitalize(), f"{found[name]['n']} · {_age(found[name]['oldest'], now)}")
        for name in status.values
        if name in found
    ]
    parked = found[status.PARKED]["n"] if status.PARKED in found else 0
    oldest = min((found[name]["oldest"] for name in (status.PENDING, status.SUBMITTING) if name in found), default=None)
    if parked:
        says = _("%(n)d redemptions wait for a person.") % {"n": parked}
        return Part(_("Redemptions"), "fault", says, figures)
    if oldest is not None and now - oldest > SUBMIT_LATE:
        says = _("Redemptions wait longer than five minutes to be submitted. What they hold is safe.")
        return Part(_("Redemptions"), "attention", says, figures)
    return Part(_("Redemptions"), "good", _("Jobs are submitted and settled."), figures)


def _worker(now: datetime) -> list[Part]:
    try:
        said = last_beat()
    except (RedisError, OSError):
        says = _("Redis does not answer. Nothing is lost: what must happen waits in the database.")
        return [Part(_("Worker"), "fault", says), Part(_("Engine"), "", _("Unknown while the worker is silent."))]
    at = parse_datetime(said["at"]) if said else None
    if said is None or at is None or now - at > SILENT:
        says = _("No worker has spoken lately. Nothing is lost: what must happen waits in the database.")
        silent = Part(_("Worker"), "fault", says, [(_("Last heard"), _ago(at, now) if at else "–")])
        return [silent, Part(_("Engine"), "", _("Unknown while the worker is silent."))]
    worker = Part(_("Worker"), "good", _("It works through what is due."), [(_("Last heard"), _ago(at, now))])
    names = {"slurm": _("Slurm"), "local": _("This machine's own engine")}
    engine = names.get(said["engine"], said["engine"])
    if said["problem"]:
        says = _("%(engine)s cannot be reached: redemptions wait and keep what they hold.") % {"engine": engine}
        return [worker, Part(_("Engine"), "fault", says, [(_("It says"), said["problem"])])]
    return [worker, Part(_("Engine"), "good", _("%(engine)s answers.") % {"engine": engine})]


def _holds(now: datetime) -> Part:
    due = Hold.objects.filter(status=Hold.Status.OPEN, expires_at__lte=now - SEAL_LATE).count()
    figures = [(_("Open holds"), Hold.objects.filter(status=Hold.Status.OPEN).count()), (_("Overdue"), due)]
    if due:
        return Part(_("Holds"), "attention", _("Holds that are over wait to be released."), figures)
    return Part(_("Holds"), "good", _("Every hold that is over has been released."), figures)


def _age(since: datetime | None, now: datetime) -> str:
    return "–" if since is None else span(int((now - since).total_seconds()))


def _ago(at: datetime, now: datetime) -> str:
    return _("%(span)s ago") % {"span": _age(at, now)}
