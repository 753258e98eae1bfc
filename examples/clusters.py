#!/usr/bin/env python3
"""Finds five groups in 40,000 points by k-means with k-means++ starts, and compares with how the points were made.

Several starts run at once, one process a GPU slot at a time, and the best one wins: k-means only finds the best groups
near where it starts.
"""

import math
import os
import random
from concurrent.futures import ProcessPoolExecutor

CENTRES = [(0.0, 0.0), (6.0, 1.0), (2.0, 7.0), (-5.0, 4.0), (-3.0, -5.0)]
POINTS, STARTS, ROUNDS = 40_000, 4, 12


def points() -> list[tuple[float, float]]:
    draw = random.Random(7)
    made = []
    for number in range(POINTS):
        x, y = CENTRES[number % len(CENTRES)]
        made.append((draw.gauss(x, 1.0), draw.gauss(y, 1.0)))
    return made


def start(data: list[tuple[float, float]], seed: int) -> list[tuple[float, float]]:
    """k-means++: each next centre is likely to be far from those there are."""
    draw = random.Random(seed)
    sample = draw.sample(data, 2000)
    centres = [draw.choice(sample)]
    while len(centres) < len(CENTRES):
        far = [min(math.dist(point, centre) ** 2 for centre in centres) for point in sample]
        centres.append(draw.choices(sample, weights=far)[0])
    return centres


def cluster(seed: int) -> tuple[float, list[tuple[float, float]]]:
    data = points()
    centres = start(data, seed)
    spread = 0.0
    for _ in range(ROUNDS):
        sums = [[0.0, 0.0, 0] for _ in centres]
        spread = 0.0
        for x, y in data:
            best, nearest = 0, math.inf
            for index, (cx, cy) in enumerate(centres):
                gap = (x - cx) * (x - cx) + (y - cy) * (y - cy)
                if gap < nearest:
                    best, nearest = index, gap
            spread += nearest
            sums[best][0] += x
            sums[best][1] += y
            sums[best][2] += 1
        centres = [(x / count, y / count) if count else old for (x, y, count), old in zip(sums, centres)]
    return spread / len(data), centres


def main() -> None:
    slots = len([each for each in os.environ.get("CUDA_VISIBLE_DEVICES", "0").split(",") if each]) or 1
    with ProcessPoolExecutor(min(slots, STARTS)) as pool:
        results = list(pool.map(cluster, range(STARTS)))
    spread, centres = min(results)
    print(f"best of {STARTS} starts: mean squared distance {spread:.3f} (2.000 if every group is found)")
    for true in CENTRES:
        found = min(centres, key=lambda centre: math.dist(centre, true))
        print(f"made at ({true[0]:5.1f}, {true[1]:5.1f}), found at ({found[0]:6.3f}, {found[1]:6.3f})")


if __name__ == "__main__":
    main()
