"""The price of a run before it is one: from picture headers alone, nothing is sent or written."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from typing import Any

from engine.inputs.scan import Sizing
from engine.job.spec import JobSpec

__all__ = ["Estimate", "estimate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Estimate:
    """Sums over all inputs; `credits` at the model page's price."""

    images: int
    urls: int
    refused: int
    input_bytes: int
    output_megapixels: float
    credits: int
    reasons: dict[str, int]

    def record(self) -> dict[str, Any]:
        """Return the members for `--json`."""
        return asdict(self)


def estimate(jobs: Iterable[JobSpec], sizing: Sizing) -> Estimate:
    """Add up the planned `jobs`."""
    images = urls = input_bytes = price = pixels = 0
    reasons: Counter[str] = Counter()
    for spec in jobs:
        if spec.reason:
            reasons[spec.reason] += 1
            continue
        images += 1
        urls += spec.is_url
        input_bytes += spec.size_bytes
        price += spec.credits
        if spec.width:
            width, height = sizing.output_size(spec.width, spec.height)
            pixels += width * height
    return Estimate(
        images=images,
        urls=urls,
        refused=reasons.total(),
        input_bytes=input_bytes,
        output_megapixels=round(pixels / 1e6, 3),
        credits=price,
        reasons=dict(reasons.most_common()),
    )
