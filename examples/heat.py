#!/usr/bin/env python3
"""Solves the heat equation in a rod and compares with the exact solution: halving the grid quarters the error.

A second-order scheme (Crank and Nicolson's) is run on ever finer grids; the measured order of convergence should be 2,
which is how one knows that a solver solves what it claims to.
"""

import math

END = 0.1  # seconds, for a rod of length 1 and diffusivity 1


def solve(cells: int) -> float:
    """The largest error at the end, against exp(-pi^2 t) sin(pi x)."""
    steps = cells
    dx, dt = 1 / cells, END / steps
    ratio = dt / (2 * dx * dx)
    heat = [math.sin(math.pi * index * dx) for index in range(cells + 1)]
    heat[-1] = 0.0
    # Thomas's algorithm for the tridiagonal system; the matrix never changes, so it is factored once.
    inner = cells - 1
    upper = [0.0] * inner
    pivot = [0.0] * inner
    pivot[0] = 1 + 2 * ratio
    upper[0] = -ratio / pivot[0]
    for row in range(1, inner):
        pivot[row] = 1 + 2 * ratio + ratio * upper[row - 1]
        upper[row] = -ratio / pivot[row]
    for _ in range(steps):
        right = [heat[row + 1] + ratio * (heat[row] - 2 * heat[row + 1] + heat[row + 2]) for row in range(inner)]
        right[0] /= pivot[0]
        for row in range(1, inner):
            right[row] = (right[row] + ratio * right[row - 1]) / pivot[row]
        for row in range(inner - 2, -1, -1):
            right[row] -= upper[row] * right[row + 1]
        heat[1:-1] = right
    scale = math.exp(-(math.pi**2) * END)
    return max(abs(heat[index] - scale * math.sin(math.pi * index * dx)) for index in range(cells + 1))


def main() -> None:
    print("cells   largest error   order")
    before = None
    for cells in (50, 100, 200, 400, 800):
        error = solve(cells)
        order = f"{math.log2(before / error):.3f}" if before else "    -"
        print(f"{cells:5d}   {error:.3e}       {order}")
        before = error


if __name__ == "__main__":
    main()
