"""What callers ask for and what they are answered."""

from dataclasses import dataclass
from typing import TypeAlias

from market.errors import ClientOrderIdConflict


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

    @property
    def key(self) -> tuple[int, str]:
        return self.wallet_id, self.client_order_id

    @property
    def content(self) -> tuple[int, str, int, int, str]:
        """What must be the same when the client order id is."""
        return self.instrument_id, self.side, self.limit_price, self.quantity, self.time_in_force


@dataclass(frozen=True, slots=True)
class PlacedOrder:
    """What became of an order. `reason` is the code of a refusal, in errors.REASONS."""

    order_id: int
    status: str
    quantity: int
    filled_quantity: int
    filled_value: int
    reason: str


Answer: TypeAlias = PlacedOrder | ClientOrderIdConflict
# In the places of the orders asked for.
Answers: TypeAlias = list[Answer]


def conflict(order: NewOrder, content: tuple[int, str, int, int, str]) -> ClientOrderIdConflict | None:
    """The refusal when the order's id stands for other content already."""
    if order.content == content:
        return None
    names = ("instrument", "side", "limit_price", "quantity", "time_in_force")
    name = next(name for name, ours, theirs in zip(names, order.content, content, strict=True) if ours != theirs)
    return ClientOrderIdConflict(
        f"The client order id {order.client_order_id} was used before with another {name.replace('_', ' ')}.",
        field=name,
    )
