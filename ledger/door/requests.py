"""What the ledger's door may be asked for, row by row, and what each row is answered. Pure."""

from __future__ import annotations

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TypeAlias

# Stands for the issuer's wallet, whatever its id.
ISSUER = 0
CREATED, EXISTS, CONFLICT, REFUSED = "CREATED", "EXISTS", "CONFLICT", "REFUSED"


@dataclass(frozen=True)
class Move:
    """What a transfer does to one account: positive adds, negative takes away."""

    account_id: int
    amount: int


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTransfer:
    """One asset from one wallet to another. Rows of one `chain`, which follow each other, stand or fall together.

    Without a key the row is made however often it is asked for: then the caller has a row of its own that says no.
    """

    kind: str
    asset_id: int
    from_wallet_id: int
    to_wallet_id: int
    amount: int
    reference: str = ""
    scope: str = ""
    key: str = ""
    chain: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPostings:
    """A transfer of any number of accounts and assets; the sums must be zero in each."""

    kind: str
    moves: Sequence[Move]
    reference: str = ""
    scope: str = ""
    key: str = ""
    chain: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewHold:
    """Set an amount aside, for `to_wallet_id` where that is known already, until `timeout` after it is placed or until
    `expires_at`. A later row of the same batch may name it by its `hold`."""

    asset_id: int
    wallet_id: int
    amount: int
    to_wallet_id: int | None = None
    timeout: timedelta | None = None
    expires_at: datetime | None = None
    reference: str = ""
    scope: str = ""
    key: str = ""
    chain: int | None = None
    hold: uuid.UUID = field(default_factory=uuid.uuid4)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCapture:
    """Take `amount` of a hold (None: all of it) to an account, or to whom it was placed for, and give the rest back."""

    hold: int | uuid.UUID
    amount: int | None = None
    to_account_id: int | None = None
    kind: str = "SEND"
    reference: str = ""  # the hold's own, where none is said
    scope: str = ""
    key: str = ""
    chain: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewRelease:
    """Give all of a hold back; with `expires` because its time is over."""

    hold: int | uuid.UUID
    reference: str = ""
    scope: str = ""
    key: str = ""
    chain: int | None = None
    expires: bool = False


Request: TypeAlias = NewTransfer | NewPostings | NewHold | NewCapture | NewRelease


@dataclass(slots=True)
class PlannedEntry:
    """An entry that was decided on; `id` is known once it is written."""

    kind: str
    transfer_kind: str | None
    reference: str
    body: bytes
    leaf: bytes
    postings: Sequence[tuple[int, int]]  # account, amount
    recorded_at: datetime
    id: int = 0


@dataclass(slots=True)
class HoldState:
    """A hold as the batch so far leaves it. A new one has no id until it is written."""

    id: int
    name: uuid.UUID
    account_id: int
    to_account_id: int | None
    amount: int
    reference: str
    status: str
    expires_at: datetime | None
    captured: int = 0
    placed: PlannedEntry | None = None
    resolved: PlannedEntry | None = None


@dataclass(slots=True)
class Answer:
    """What became of one row. A refusal's `code` is stable; `field` is what is wrong, or the first that differs."""

    status: str
    code: str = ""
    field: str | None = None
    entry: PlannedEntry | None = None
    hold: HoldState | None = None
    known_entry_id: int | None = None
    known_hold_id: int | None = None
    # Words of a refusal: the asset's code or the hold's status.
    about: str = ""

    @property
    def is_done(self) -> bool:
        return self.status in {CREATED, EXISTS}

    @property
    def entry_id(self) -> int | None:
        """The entry that moved the value, or that placed or gave back a hold; None for a refusal."""
        return self.entry.id if self.entry is not None else self.known_entry_id

    @property
    def hold_id(self) -> int | None:
        return self.hold.id if self.hold is not None else self.known_hold_id
