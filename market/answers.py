"""What callers ask for and what they are answered."""

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, TypeAlias

from market.errors import ClientOrderIdConflict

Content: TypeAlias = tuple[int, str, int, int, str, str, bool, str, datetime | None]
_NAMES = (
    "instrument", "side", "limit_price", "quantity", "time_in_force", "kind", "post_only", "self_trade", "expires_at",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class NewOrder:
    """What a caller asks for. The client order id makes it safe to ask twice."""

    instrument_id: int
    wallet_id: int
    side: str
    limit_price: int
    quantity: int
    client_order_id: str
    time_in_force: str = "GTC"
    kind: str = "LIMIT"
    post_only: bool = False
    self_trade: str = "CANCEL_NEWEST"
    expires_at: datetime | None = None

    @property
    def key(self) -> tuple[int, str]:
        return self.wallet_id, self.client_order_id

    @property
    def is_plain(self) -> bool:
        """Most orders are: limit, until cancelled or at once, the newest giving way."""
        return not self.post_only and self.kind == "LIMIT" and self.self_trade == "CANCEL_NEWEST"

    @property
    def content(self) -> Content:
        """What must be the same when the client order id is."""
        return (
            self.instrument_id, self.side, self.limit_price, self.quantity, self.time_in_force, self.kind,
            self.post_only, self.self_trade, self.expires_at,
        )  # fmt: skip


class PlacedOrder(NamedTuple):
    """What became of an order; value and fees in 1/10,000 credit.

    `reason` is the code of a refusal, in errors.REASONS.
    """

    order_id: int
    status: str
    quantity: int
    filled_quantity: int
    filled_value: int
    reason: str
    fees_paid: int = 0


Answer: TypeAlias = PlacedOrder | ClientOrderIdConflict
# In the places of the orders asked for.
Answers: TypeAlias = list[Answer]


def conflict(order: NewOrder, content: Content) -> ClientOrderIdConflict | None:
    """The refusal when the order's id stands for other content already."""
    if order.content == content:
        return None
    name = next(name for name, ours, theirs in zip(_NAMES, order.content, content, strict=True) if ours != theirs)
    return ClientOrderIdConflict(
        f"The client order id {order.client_order_id} was used before with another {name.replace('_', ' ')}.",
        field=name,
    )
