"""Between hardware generations: the published ratio of speeds beside the ratio of prices that the market pays. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

from market.prices.hardware import GpuClass, Hardware, Measured
from market.prices.index import ClassPrice


@dataclass(frozen=True)
class Conversion:
    """How many hours of the one class an hour of the other is: by speed, and by price."""

    one: GpuClass
    other: GpuClass
    published: Fraction
    measured: tuple[Measured, ...]
    # By the index's prices of a GPU-hour; None where one of them has none.
    implied: Fraction | None
    # The days of which those prices are.
    days: tuple[str, ...]

    @property
    def premium(self) -> Fraction | None:
        """What the market pays for the other beyond its published speed: 0.1 is a tenth more, -0.1 a tenth less."""
        return None if self.implied is None else self.implied / self.published - 1


def conversions(prices: Mapping[str, ClassPrice], hardware: Hardware) -> list[Conversion]:
    """Every pair of classes, the file's earlier one first."""
    return [
        _conversion(one, other, prices.get(one.code), prices.get(other.code), hardware)
        for one, other in combinations(hardware.classes, 2)
    ]


def _conversion(
    one: GpuClass, other: GpuClass, cheap: ClassPrice | None, dear: ClassPrice | None, hardware: Hardware
) -> Conversion:
    implied, days = None, set()
    if cheap and dear and cheap.per_gpu_hour and dear.per_gpu_hour:
        implied = Fraction(dear.per_gpu_hour, cheap.per_gpu_hour)
        days = {day for day in (cheap.from_day, dear.from_day) if day}
    measured = tuple(each for each in hardware.measured if (each.from_, each.to) == (one.code, other.code))
    return Conversion(one, other, Fraction(other.tflops, one.tflops), measured, implied, tuple(sorted(days)))
