"""Counts the primes below ten million on the Dask cluster inside the job, one worker a GPU, and the twins among them.

Each task sieves one stretch of numbers; the counts come back as they are done. The known answers are 664,579 primes and
58,980 pairs of twins.
"""

import math

from distributed import Client, as_completed

LIMIT, STRETCH = 10_000_000, 500_000


def sieve(low: int, high: int) -> tuple[int, int]:
    """Primes from `low` up to below `high`, and pairs of twins whose smaller one is among them."""
    top = high + 2  # a twin may stand just over the edge
    prime = bytearray([1]) * (top - low)
    for factor in range(2, math.isqrt(top) + 1):
        first = max(factor * factor, -(-low // factor) * factor)
        prime[first - low :: factor] = bytes(len(range(first, top, factor)))
    for small in range(low, 2):
        prime[small - low] = 0
    twins = sum(1 for index in range(high - low) if prime[index] and prime[index + 2])
    return sum(prime[: high - low]), twins


def main() -> None:
    with Client() as client:
        workers = len(client.scheduler_info()["workers"])
        tasks = [client.submit(sieve, low, min(low + STRETCH, LIMIT)) for low in range(0, LIMIT, STRETCH)]
        primes = twins = 0
        for done, (_, (count, pairs)) in enumerate(as_completed(tasks, with_results=True), 1):
            primes, twins = primes + count, twins + pairs
            if done % 5 == 0:
                print(f"{done} of {len(tasks)} stretches done", flush=True)
    print(f"{primes:,} primes and {twins:,} pairs of twins below {LIMIT:,}, on {workers} Dask workers")


if __name__ == "__main__":
    main()
