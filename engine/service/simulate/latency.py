"""How long a job takes and how long it waits for that. Pure numbers.

`fixed:S` and `lognormal:MEDIAN_S:SIGMA` have room for any number of jobs at once. `queue:WORKERS:MEDIAN_S:SIGMA` has
WORKERS of them, first come first served, and may end in `:EVERY_S:STALL_S`: every EVERY_S seconds all workers stand
still for STALL_S, so that what they had comes out in bursts.
"""

import contextlib
import heapq
import math
from dataclasses import dataclass
from typing import Self

__all__ = ["MODELS", "Latency", "Line"]

MODELS = "fixed:S, lognormal:MEDIAN_S:SIGMA or queue:WORKERS:MEDIAN_S:SIGMA[:EVERY_S:STALL_S]"
_MAX_WORKERS = 100_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Latency:
    """One model. Seconds of work are lognormal: the logarithm is normal with deviation `sigma` about the median's."""

    median_s: float
    sigma: float = 0.0
    workers: int | None = None  # None: a job never waits
    every_s: float = 0.0
    stall_s: float = 0.0  # at the beginning of each `every_s`

    @classmethod
    def parse(cls, text: str) -> Self:
        """Return the model that `text` names; raises ValueError, with what would be right, for anything else."""
        match text.split(":"):
            case ["fixed", seconds]:
                return cls(median_s=_number(seconds))
            case ["lognormal", median_s, sigma]:
                return cls(median_s=_number(median_s), sigma=_number(sigma))
            case ["queue", workers, median_s, sigma]:
                return cls(workers=_count(workers), median_s=_number(median_s), sigma=_number(sigma))
            case ["queue", workers, median_s, sigma, every_s, stall_s] if _number(stall_s) < _number(every_s):
                return cls(
                    workers=_count(workers),
                    median_s=_number(median_s),
                    sigma=_number(sigma),
                    every_s=_number(every_s),
                    stall_s=_number(stall_s),
                )
        raise ValueError(f"is not {MODELS}")

    def work_s(self, normal: float) -> float:
        """Return the seconds of work of a job that drew `normal` from the standard normal distribution."""
        return self.median_s * math.exp(self.sigma * normal)

    def forecast_s(self, jobs_ahead: int) -> float:
        """Return when a job will be done, as far as can be known: the median, behind the mean of those that wait."""
        if self.workers is None or jobs_ahead < self.workers:
            return self.median_s
        mean_s = self.median_s * math.exp(self.sigma**2 / 2)
        return (jobs_ahead - self.workers + 1) / self.workers * mean_s + self.median_s

    def after_stalls(self, begin_s: float, work_s: float) -> float:
        """Return when `work_s` of work begun at `begin_s` is done, stalls included."""
        if not self.stall_s:
            return begin_s + work_s
        period, at = divmod(begin_s, self.every_s)
        working_s = self.every_s - self.stall_s  # a period
        worked_s = max(0.0, at - self.stall_s) + work_s  # since this period began
        full, rest_s = divmod(worked_s, working_s)
        return (period + full) * self.every_s + self.stall_s + rest_s


class Line:
    """Jobs in front of the workers of one model. `now_s` never goes back, from any start."""

    def __init__(self, latency: Latency) -> None:
        self._latency = latency
        self._free_s = [-math.inf] * (latency.workers or 0)  # a heap: when each worker is free

    def place(self, now_s: float, work_s: float) -> tuple[float, float]:
        """Return when a job that comes at `now_s` begins and ends; its worker is taken for that long."""
        if not self._free_s:
            return now_s, now_s + work_s
        begin_s = max(now_s, self._free_s[0])
        end_s = self._latency.after_stalls(begin_s, work_s)
        heapq.heapreplace(self._free_s, end_s)
        return begin_s, end_s


def _number(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0 <= (number := float(text)) < math.inf:
            return number
    raise ValueError(f"has '{text}' where a number of at least 0 must stand")


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 1 <= int(text) <= _MAX_WORKERS):
        raise ValueError(f"has '{text}' where a whole number from 1 to {_MAX_WORKERS} must stand")
    return int(text)
