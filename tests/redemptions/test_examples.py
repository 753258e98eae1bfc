"""The example jobs compute what they say: each is checked against what is known."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

from portal.redemptions.examples import EXAMPLES
from scheduler.jobs import dask_cluster
from scheduler.models import Redemption
from scheduler.scripts import clean_script

FOLDER = Path(__file__).resolve().parents[2] / "examples"


def output_of(file: str, *, dask: bool = False, gpus: str = "0,1") -> str:
    command = [sys.executable, "-I", dask_cluster.__file__, str(FOLDER / file)] if dask else [str(FOLDER / file)]
    if not dask:
        command = [sys.executable, "-I", *command]
    done = subprocess.run(
        command, env={"PATH": "/usr/bin:/bin", "CUDA_VISIBLE_DEVICES": gpus}, capture_output=True, text=True,
        timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_option_price_agrees_with_the_formula_and_is_the_same_each_time() -> None:
    text = output_of("option_price.py")

    off = re.search(r"off by (\d+\.\d) standard errors", text)
    assert off is not None
    assert float(off[1]) < 3
    assert text == output_of("option_price.py")
    assert text != output_of("option_price.py", gpus="0")


def test_the_planets_keep_their_energy_and_jupiter_its_year() -> None:
    text = output_of("planets.py")

    leapfrog, euler = map(float, re.findall(r"largest energy error, .*?(\d\S*e-\d+)", text))
    year = re.search(r"Jupiter's year\s+(\S+) years", text)
    assert leapfrog < 1e-7
    assert euler > 100 * leapfrog
    assert year is not None
    assert abs(float(year[1]) - 11.862) < 0.05


def test_the_heat_solver_is_of_second_order() -> None:
    orders = [float(order) for order in re.findall(r"e-\d+\s+(\d\.\d{3})", output_of("heat.py"))]

    assert len(orders) == 4
    assert all(abs(order - 2) < 0.01 for order in orders)


def test_the_groups_are_found_where_they_were_made() -> None:
    rows = re.findall(r"made at \(\s*(\S+),\s*(\S+)\), found at \(\s*(\S+),\s*(\S+)\)", output_of("clusters.py"))

    assert len(rows) == 5
    for row in rows:
        x, y, found_x, found_y = map(float, row)
        assert abs(x - found_x) < 0.1
        assert abs(y - found_y) < 0.1


def test_dask_counts_the_primes_and_their_twins() -> None:
    assert "664,579 primes and 58,980 pairs of twins below 10,000,000, on 2 Dask workers" in output_of(
        "dask_primes.py", dask=True
    )


def test_the_bootstrap_agrees_with_theory() -> None:
    text = output_of("dask_bootstrap.py", dask=True)

    found = re.search(r"standard error (\S+), by theory about (\S+)", text)
    assert found is not None
    assert abs(float(found[1]) / float(found[2]) - 1) < 0.25


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda example: example.slug)
def test_every_example_is_a_script_of_its_kind(example: object) -> None:
    from portal.redemptions.examples import Example

    assert isinstance(example, Example)
    assert clean_script(example.script) == example.script
    is_script = example.kind == Redemption.Kind.SCRIPT
    assert example.script.startswith("#!/usr/bin/env python3") == is_script
    assert ("distributed" in example.script) != is_script
