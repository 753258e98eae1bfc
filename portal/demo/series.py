"""The demo's GPU types and series, with the makers' real figures and prices near public list prices.

Memory, NVLink and dense BF16 figures are those of the SXM cards' data sheets. Prices are medians of public on-demand
rate cards of mid 2025 in US dollars a GPU-hour, one credit to the dollar; B200 is above the H200's by their list ratio.
"""

from dataclasses import dataclass
from datetime import UTC, datetime


@dataclass(frozen=True)
class GpuType:
    """One GPU type as the demo's cluster has it. Price in ticks of 0.01 credit a GPU-hour."""

    gpu: str
    name: str
    code: str
    memory_gb: int
    network_gbps: int
    dense_bf16_tflops: int
    nodes: int
    price: int


GPU_TYPES = [
    GpuType("A100", "NVIDIA A100 SXM 80 GB", "a100-sxm-80gb", 80, 200, 312, 32, 191),
    GpuType("H100", "NVIDIA H100 SXM 80 GB", "h100-sxm-80gb", 80, 400, 989, 24, 314),
    GpuType("H200", "NVIDIA H200 SXM 141 GB", "h200-sxm-141gb", 141, 400, 989, 12, 383),
    GpuType("B200", "NVIDIA B200 SXM 180 GB", "b200-sxm-180gb", 180, 800, 2250, 8, 560),
]
GPUS_PER_NODE = 8


@dataclass(frozen=True)
class Quarter:
    name: str
    starts_at: datetime
    ends_at: datetime


def quarters(now: datetime) -> list[Quarter]:
    """This quarter and the next."""
    year, number = now.year, (now.month - 1) // 3
    return [_quarter(year, number), _quarter(year, number + 1)]


def _quarter(year: int, number: int) -> Quarter:
    def start(count: int) -> datetime:
        return datetime(year + count // 4, count % 4 * 3 + 1, 1, tzinfo=UTC)

    return Quarter(f"{year + number // 4}Q{number % 4 + 1}", start(number), start(number + 1))
