"""What people write and read, and the integers that the site speaks. Exact: what is too fine is refused."""

from __future__ import annotations

from decimal import Decimal, InvalidOperation

# Of one credit a GPU-hour, one GPU-hour, one credit, one GPU-hour in GPU-seconds.
TICKS, LOTS, CREDIT_UNITS, GPU_SECONDS = 100, 100, 10_000, 3600


class NotExact(ValueError):
    """Not a number, or finer than the smallest unit."""


def units(text: str, per_one: int, what: str) -> int:
    """`text` in the smallest unit, of which one has `per_one`: units("2.40", TICKS, "credits") == 240."""
    try:
        value = Decimal(text) * per_one
    except InvalidOperation:
        raise NotExact(f"“{text}” is not a number of {what}.") from None
    if not value.is_finite() or value <= 0:
        raise NotExact(f"“{text}” is not a number of {what} above zero.")
    if value != value.to_integral_value():
        step = f"1/{per_one}" if per_one == GPU_SECONDS else f"{Decimal(1) / per_one:f}"
        raise NotExact(f"“{text}” is too fine: {what} come in steps of {step}.")
    return int(value)


def shown(amount: int | str | None, per_one: int) -> str:
    """The other way, with two decimals and more where it takes them: shown(240, TICKS) == "2.40"."""
    if amount is None:
        return ""
    value = Decimal(int(amount)) / per_one
    text = f"{value:.2f}"
    return text if Decimal(text) == value else f"{value.normalize():f}"
