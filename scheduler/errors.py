"""What the scheduler refuses, and how an engine says that it does not know."""

from ledger.errors import Refusal


class RedemptionRefused(Refusal):
    """What was asked cannot be redeemed; `field` names what to change."""

    code = "redemption_refused"


class BadField(Refusal):
    """A value is not in the form its field allows."""

    code = "bad_field"


class ScriptRefused(Refusal):
    code = "script_refused"


class RedemptionConflict(Refusal):
    """The confirmation was used before, for something else."""

    code = "redemption_conflict"


class JobScriptChanged(Refusal):
    """What would be submitted is no longer what the person was shown."""

    code = "job_script_changed"


class CannotCancel(Refusal):
    code = "cannot_cancel"


class EngineError(Exception):
    """Talking to the engine went wrong; the message is a sentence for the job's page."""


class EngineUnreachable(EngineError):
    """Nothing was said to the engine, or nothing came back: what it knows is unknown."""


class EngineRefused(EngineError):
    """The engine understood and made no job: it says so itself."""


class BadOutput(EngineError):
    """The engine's answer is not in the form it should have. Nothing is concluded from it."""


class NotEnded(EngineError):
    """The job still runs, or its last record has not arrived yet."""
