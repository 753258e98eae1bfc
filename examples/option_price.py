#!/usr/bin/env python3
"""Prices an Asian option by Monte Carlo, with its error, and checks the method on a European option.

An Asian option pays by the average price over a year, for which there is no formula: it is computed by simulating the
price's path many times. The same simulation prices a European option, whose exact price Black and Scholes' formula
gives. One process a GPU slot; the seed makes the result the same every time.
"""

import math
import os
import random
from concurrent.futures import ProcessPoolExecutor

SPOT, STRIKE, RATE, VOLATILITY, YEARS, STEPS = 100.0, 105.0, 0.03, 0.25, 1.0, 24
PATHS_PER_SLOT = 60_000


def simulate(seed: int) -> tuple[int, float, float, float, float]:
    """Sums and sums of squares of both discounted payoffs."""
    draw = random.Random(seed).gauss
    step = YEARS / STEPS
    drift, spread = (RATE - VOLATILITY**2 / 2) * step, VOLATILITY * math.sqrt(step)
    discount = math.exp(-RATE * YEARS)
    sums = [0.0] * 4
    for _ in range(PATHS_PER_SLOT // 2):
        noise = [draw(0, 1) for _ in range(STEPS)]
        pair = [0.0, 0.0]
        for sign in (1, -1):  # a path and its mirror image: half the work for the same error
            log_price, total = 0.0, 0.0
            for each in noise:
                log_price += drift + sign * spread * each
                total += math.exp(log_price)
            pair[0] += discount * max(SPOT * total / STEPS - STRIKE, 0) / 2
            pair[1] += discount * max(SPOT * math.exp(log_price) - STRIKE, 0) / 2
        sums[0] += pair[0]
        sums[1] += pair[0] ** 2
        sums[2] += pair[1]
        sums[3] += pair[1] ** 2
    return (PATHS_PER_SLOT // 2, *sums)


def mean_and_error(count: int, total: float, squares: float) -> tuple[float, float]:
    mean = total / count
    return mean, math.sqrt((squares / count - mean**2) / count)


def black_scholes() -> float:
    spread = VOLATILITY * math.sqrt(YEARS)
    d1 = (math.log(SPOT / STRIKE) + (RATE + VOLATILITY**2 / 2) * YEARS) / spread

    def normal(x: float) -> float:
        return (1 + math.erf(x / math.sqrt(2))) / 2

    return SPOT * normal(d1) - STRIKE * math.exp(-RATE * YEARS) * normal(d1 - spread)


def main() -> None:
    slots = len([each for each in os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",") if each]) or 1
    with ProcessPoolExecutor(slots) as pool:
        parts = list(pool.map(simulate, range(2026, 2026 + slots)))
    count, *sums = (sum(column) for column in zip(*parts))
    asian, asian_error = mean_and_error(count, sums[0], sums[1])
    european, european_error = mean_and_error(count, sums[2], sums[3])
    exact = black_scholes()
    print(f"{2 * count:,} paths of {STEPS} steps in {slots} processes")
    print(f"Asian call     {asian:8.4f} +- {asian_error:.4f}")
    print(f"European call  {european:8.4f} +- {european_error:.4f}, exactly {exact:.4f}")
    print(f"off by {abs(european - exact) / european_error:.1f} standard errors")


if __name__ == "__main__":
    main()
