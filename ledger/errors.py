"""What the ledger refuses, each with a stable code and a sentence fit for the person who asked."""


class Refusal(Exception):
    """Understood, and no. `code` never changes; the message is a whole sentence."""

    code = "refused"

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.field = field


class NotEnough(Refusal):
    """The account's available amount does not cover what is asked."""

    code = "not_enough"


class BadAmount(Refusal):
    code = "bad_amount"


class IdempotencyConflict(Refusal):
    """The key was used before with other content; `field` names the first that differs."""

    code = "idempotency_conflict"


class WalletFrozen(Refusal):
    code = "wallet_frozen"


class WalletMayNotSell(Refusal):
    code = "wallet_may_not_sell"


class AssetPaused(Refusal):
    code = "asset_paused"


class SeriesExpired(Refusal):
    code = "series_expired"


class HoldAlreadyResolved(Refusal):
    code = "hold_already_resolved"


class HoldAlreadyCaptured(HoldAlreadyResolved):
    code = "hold_already_captured"


class HoldAlreadyReleased(HoldAlreadyResolved):
    code = "hold_already_released"


class HoldExpired(HoldAlreadyResolved):
    """Its time is over, whether or not anybody has given it back yet."""

    code = "hold_expired"


class HoldUnknown(Refusal):
    code = "hold_unknown"


class Unknown(Refusal):
    """There is no such wallet or asset; `field` says which."""

    code = "unknown"


class ChainFailed(Refusal):
    """Nothing is wrong with this request, but another of the same chain was refused."""

    code = "chain_failed"


class HoldExceeded(Refusal):
    """A capture asks for more than was held."""

    code = "hold_exceeded"


class AlreadyDefined(Refusal):
    code = "already_defined"


class LockedUp(Refusal):
    """A policy keeps the wallet, or the asset, from being given away until a date."""

    code = "locked_up"


class ReceiverNotAllowed(Refusal):
    code = "receiver_not_allowed"


class PositionLimit(Refusal):
    """The beneficial owner would have more of a series than one may."""

    code = "position_limit"


class NotDeliverable(Refusal):
    """More would be issued than the attested capacity can deliver until expiry."""

    code = "not_deliverable"


class NotApproved(Refusal):
    """It takes a second person, who is not the one who asked."""

    code = "not_approved"


class ApprovalDecided(Refusal):
    code = "approval_decided"


class NotCorrectable(Refusal):
    code = "not_correctable"


class AllowanceExceeded(Refusal):
    """More is asked for than the allowance has left, or it is over."""

    code = "allowance_exceeded"


class PermitRefused(Refusal):
    """The permit's signature, key, nonce or deadline does not hold."""

    code = "permit_refused"


class BadPolicyChange(Refusal):
    code = "bad_policy_change"
