"""Bootstraps the confidence interval of a median on the Dask cluster inside the job.

The sample is of waiting times (log-normal, seeded). Workers resample it thousands of times; the spread of the medians
is how sure one may be of the median. The theory for large samples is printed beside it.
"""

import math
import random

from distributed import Client

SIZE, REPEATS, TASKS = 1001, 4000, 16


def waiting_times() -> list[float]:
    draw = random.Random(42)
    return [draw.lognormvariate(0.0, 0.8) for _ in range(SIZE)]


def medians(sample: list[float], repeats: int, seed: int) -> list[float]:
    draw = random.Random(seed)
    return [sorted(draw.choices(sample, k=len(sample)))[len(sample) // 2] for _ in range(repeats)]


def main() -> None:
    sample = waiting_times()
    with Client() as client:
        workers = len(client.scheduler_info()["workers"])
        shared = client.scatter(sample, broadcast=True)
        parts = client.map(lambda seed, data: medians(data, REPEATS // TASKS, seed), range(TASKS), data=shared)
        found = sorted(each for part in client.gather(parts) for each in part)
    middle = sorted(sample)[SIZE // 2]
    low, high = found[int(0.025 * len(found))], found[int(0.975 * len(found))]
    mean = sum(found) / len(found)
    error = math.sqrt(sum((each - mean) ** 2 for each in found) / len(found))
    # The density of this log-normal at its median, 1, is 1 / (0.8 sqrt(2 pi)).
    theory = 1 / (2 * math.sqrt(SIZE)) * 0.8 * math.sqrt(2 * math.pi)
    print(f"{len(found):,} resamples of {SIZE:,} values on {workers} Dask workers")
    print(f"median {middle:.4f}, 95 % interval {low:.4f} to {high:.4f}")
    print(f"standard error {error:.4f}, by theory about {theory:.4f}")


if __name__ == "__main__":
    main()
