#!/usr/bin/env python3
"""Moves the Sun and its giant planets through a century and shows that energy is conserved.

Two symplectic integrators run over the same century: both keep the energy's error bounded, and the second-order one
(leapfrog) keeps it thousands of times smaller at the same cost. Jupiter's year comes out of the orbit itself.
"""

import math

YEAR = 365.25
MASS = 4 * math.pi**2  # the Sun's, in units of AU, years
# Mass in Suns, position in AU, velocity in AU a day, as of an epoch in 1980.
BODIES = {
    "Sun": (1.0, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0)),
    "Jupiter": (
        9.54791938e-4,
        (4.84143144, -1.16032004, -0.10362204),
        (0.00166007664, 0.00769901118, -0.0000690460017),
    ),
    "Saturn": (2.85885981e-4, (8.34336671, 4.12479856, -0.40352342), (-0.00276742511, 0.00499852801, 0.0000230417297)),
    "Uranus": (4.36624404e-5, (12.8943696, -15.1111514, -0.22330758), (0.00296460138, 0.00237847174, -0.0000296589569)),
    "Neptune": (5.15138902e-5, (15.3796971, -25.9193146, 0.17925877), (0.00268067772, 0.00162824170, -0.0000951592255)),
}


class System:
    def __init__(self) -> None:
        self.masses = [mass * MASS for mass, _, _ in BODIES.values()]
        self.places = [list(place) for _, place, _ in BODIES.values()]
        self.speeds = [[each * YEAR for each in speed] for _, _, speed in BODIES.values()]
        for axis in range(3):  # the system as a whole stands still
            drift = sum(mass * speed[axis] for mass, speed in zip(self.masses, self.speeds))
            self.speeds[0][axis] -= drift / self.masses[0]

    def kick(self, step: float) -> None:
        for one in range(len(self.masses)):
            for other in range(one + 1, len(self.masses)):
                gap = [a - b for a, b in zip(self.places[one], self.places[other])]
                pull = step / sum(each * each for each in gap) ** 1.5
                for axis in range(3):
                    self.speeds[one][axis] -= gap[axis] * self.masses[other] * pull
                    self.speeds[other][axis] += gap[axis] * self.masses[one] * pull

    def drift(self, step: float) -> None:
        for place, speed in zip(self.places, self.speeds):
            for axis in range(3):
                place[axis] += step * speed[axis]

    def energy(self) -> float:
        total = 0.0
        for one, mass in enumerate(self.masses):
            total += mass * sum(each * each for each in self.speeds[one]) / 2
            for other in range(one + 1, len(self.masses)):
                total -= mass * self.masses[other] / math.dist(self.places[one], self.places[other])
        return total


def century(scheme: str, steps_per_year: int = 1500) -> tuple[float, float]:
    """The largest relative error of the energy, and Jupiter's year."""
    system, step = System(), 1 / steps_per_year
    begun, worst, turns, angle = system.energy(), 0.0, 0.0, None
    for count in range(100 * steps_per_year):
        if scheme == "leapfrog":
            system.kick(step / 2)
            system.drift(step)
            system.kick(step / 2)
        else:
            system.drift(step)
            system.kick(step)
        if count % 50 == 0:
            worst = max(worst, abs(system.energy() / begun - 1))
            x, y = (system.places[1][axis] - system.places[0][axis] for axis in range(2))
            now = math.atan2(y, x)
            turns += 0 if angle is None else (now - angle + math.pi) % (2 * math.pi) - math.pi
            angle = now
    return worst, 100 * 2 * math.pi / turns


def main() -> None:
    worst, year = century("leapfrog")
    first_order, _ = century("euler")
    print("Sun, Jupiter, Saturn, Uranus and Neptune through 100 years, 1,500 steps a year")
    print(f"largest energy error, leapfrog (second order)  {worst:.1e}")
    print(f"largest energy error, symplectic Euler         {first_order:.1e}")
    print(f"Jupiter's year                                 {year:.3f} years (known: 11.862)")


if __name__ == "__main__":
    main()
