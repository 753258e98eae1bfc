"""What the making of API keys refuses."""

from ledger.errors import Refusal


class TooManyKeys(Refusal):
    """The person has as many keys in use as anybody may."""

    code = "too_many_keys"


class DeviceRefused(Refusal):
    """A program gets no key by its device login, not yet or not at all: `code` as RFC 8628 names them."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code
