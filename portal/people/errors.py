"""What is refused for who somebody is, and not for what they ask."""

from ledger.errors import Refusal


class AdministersMarket(Refusal):
    """Whoever can halt, open, issue or decide about flags does not trade."""

    code = "administers_market"
