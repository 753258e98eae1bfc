"""What a holder's tokens of one series cost, and what trading them brought: pure, in whole numbers.

Tokens come by trade, at a price, or without one: granted, received, given back. The position keeps both apart. A sale
takes what was bought first, at its average cost; a job, a gift or an expiry takes what came without a price first.
Rounding: the cost that leaves with a part is rounded down to 1/10,000 credit and the rest stays, so that over a whole
life nothing is lost; what is left of the proceeds after the bought part (rounded down) is of the part without a price.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace

GPU_SECONDS_PER_LOT = 36


@dataclass(frozen=True, slots=True)
class Movement:
    """Tokens that came (positive) or went, in GPU-seconds; `value` in 1/10,000 credit with fees: what was paid, or
    what was received. None: it was no trade."""

    amount: int
    value: int | None = None


@dataclass(frozen=True, slots=True)
class Position:
    """GPU-seconds and 1/10,000 credits. `bought` + `unpriced` is the balance."""

    bought: int = 0
    cost: int = 0
    unpriced: int = 0
    realised: int = 0  # proceeds less cost of what was bought and sold
    proceeds_unpriced: int = 0  # proceeds of what had come without a price
    used_cost: int = 0  # cost of what was bought and went otherwise: into jobs, to others, into expiry

    @property
    def quantity(self) -> int:
        return self.bought + self.unpriced

    @property
    def average_price(self) -> int | None:
        """In ticks, to the nearest, halves up."""
        if not self.bought:
            return None
        return (2 * self.cost * GPU_SECONDS_PER_LOT + self.bought) // (2 * self.bought)

    def value_at(self, price: int) -> int:
        """What was bought would bring at this price, rounded down."""
        return price * self.bought // GPU_SECONDS_PER_LOT

    def unrealised_at(self, price: int) -> int:
        return self.value_at(price) - self.cost


def position_of(movements: Iterable[Movement], start: Position | None = None) -> Position:
    """The position after these movements, in their order."""
    position = start or Position()
    for movement in movements:
        position = moved(position, movement)
    return position


def moved(position: Position, movement: Movement) -> Position:
    amount, value = movement.amount, movement.value
    if amount >= 0 and value is None:
        return replace(position, unpriced=position.unpriced + amount)
    if amount >= 0:
        assert value is not None
        return replace(position, bought=position.bought + amount, cost=position.cost + value)
    return _used(position, -amount) if value is None else _sold(position, -amount, value)


def _sold(position: Position, amount: int, value: int) -> Position:
    bought = min(amount, position.bought)
    cost, proceeds = _part(position.cost, bought, position.bought), value * bought // amount
    return replace(
        position,
        bought=position.bought - bought,
        cost=position.cost - cost,
        unpriced=position.unpriced - (amount - bought),
        realised=position.realised + proceeds - cost,
        proceeds_unpriced=position.proceeds_unpriced + value - proceeds,
    )


def _used(position: Position, amount: int) -> Position:
    unpriced = min(amount, position.unpriced)
    bought = amount - unpriced
    cost = _part(position.cost, bought, position.bought)
    return replace(
        position,
        unpriced=position.unpriced - unpriced,
        bought=position.bought - bought,
        cost=position.cost - cost,
        used_cost=position.used_cost + cost,
    )


def _part(cost: int, part: int, whole: int) -> int:
    """The cost of a part: rounded down, and all of it with the last."""
    return cost * part // whole if whole else 0
