"""What the making of API keys refuses."""

from ledger.errors import Refusal


class TooManyKeys(Refusal):
    """The person has as many keys in use as anybody may."""

    code = "too_many_keys"
