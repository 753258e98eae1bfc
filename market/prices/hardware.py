"""GPU classes and the published ratios of their speeds: one dated file, read once. Pure."""

import json
from dataclasses import dataclass
from fractions import Fraction
from functools import lru_cache
from pathlib import Path

_FILE = Path(__file__).with_name("hardware.json")


@dataclass(frozen=True)
class GpuClass:
    """A class as the file publishes it."""

    code: str
    name: str
    tflops: int
    year: int


@dataclass(frozen=True)
class Measured:
    """How many times as fast `to` was as `from_`, and who measured what."""

    from_: str
    to: str
    ratio: Fraction
    what: str
    runs: int
    source: str


@dataclass(frozen=True)
class Hardware:
    version: int
    published_on: str
    source: str
    classes: tuple[GpuClass, ...]
    measured: tuple[Measured, ...]

    def of(self, code: str) -> GpuClass | None:
        return next((each for each in self.classes if each.code == code), None)


@lru_cache(maxsize=1)
def hardware() -> Hardware:
    said = json.loads(_FILE.read_text())
    return Hardware(
        said["version"],
        said["published_on"],
        said["classes_source"],
        tuple(
            GpuClass(each["class"], each["name"], each["dense_bf16_tflops"], each["year"]) for each in said["classes"]
        ),
        tuple(
            Measured(each["from"], each["to"], Fraction(each["ratio"]), each["what"], each["runs"], each["source"])
            for each in said["measured"]
        ),
    )
