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


class HoldExceeded(Refusal):
    """A capture asks for more than was held."""

    code = "hold_exceeded"


class AlreadyDefined(Refusal):
    code = "already_defined"
