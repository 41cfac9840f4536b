"""Medians with their spread, and quantiles: how every figure of a bench is condensed."""

import math
import statistics
from collections.abc import Iterable, Sequence

__all__ = ["quantile", "spread_of"]


def spread_of(values: Iterable[float]) -> dict[str, float]:
    """Return the median of some repeats, and the least and the most of them; raises StatisticsError of none."""
    ordered = sorted(values)
    median = statistics.median(ordered)
    return {"median": round(median, 6), "min": round(ordered[0], 6), "max": round(ordered[-1], 6)}


def quantile(values: Sequence[float], share: float) -> float:
    """Return the smallest value that at least `share` (0 to 1) of the values don't exceed; NaN of none."""
    if not values:
        return math.nan
    return sorted(values)[max(0, math.ceil(share * len(values)) - 1)]
