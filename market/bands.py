"""Fees and bands in basis points: pure, and exact in integers."""

from market.matching import BUY

BASIS_POINTS = 10_000
NO_BAND = (0, 2**62)


def fee(value: int, basis_points: int) -> int:
    """The fee on a fill's value, rounded down.

    A hold takes the fee of all that is open at once: floor(a + b) >= floor(a) + floor(b), so what it sets aside covers
    the fees of its fills, however many they are.
    """
    return value * basis_points // BASIS_POINTS


def band(reference: int | None, basis_points: int | None) -> tuple[int, int]:
    """The lowest and the highest price round the reference, the edges included; anything without either."""
    if reference is None or basis_points is None:
        return NO_BAND
    lowest = -(-reference * (BASIS_POINTS - basis_points) // BASIS_POINTS)
    return lowest, reference * (BASIS_POINTS + basis_points) // BASIS_POINTS


def within(side: str, limit_price: int, allowed: tuple[int, int]) -> int:
    """The worst price at which an order with this limit may trade now."""
    return min(limit_price, allowed[1]) if side == BUY else max(limit_price, allowed[0])
