"""How late the event loop is: a timer that sets itself again and notes how long after its time it was run."""

import asyncio
from array import array
from typing import Any

from bench.spread import quantile
from engine.job.state import State
from engine.pipeline.run import View

__all__ = ["LagProbe"]

_IN_FLIGHT = [state for state in State if state.is_in_flight]


class LagProbe:
    """Give `start` to the run as its `on_start`. With an interval of 0 it does nothing."""

    def __init__(self, interval_ms: float) -> None:
        self._interval_s = interval_ms / 1000
        self.samples = array("d")  # seconds late
        self.peak_in_flight = 0
        self._view: View | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._due = 0.0

    def start(self, view: View) -> None:
        if not self._interval_s:
            return
        self._view, self._loop = view, asyncio.get_running_loop()
        self._set()

    def record(self) -> dict[str, Any]:
        """Return the quantiles in milliseconds. uvloop's timers have whole milliseconds, so 1 ms late means on time."""
        late_ms = [1000 * sample for sample in self.samples]
        return {
            "lag_p50_ms": round(quantile(late_ms, 0.5), 3),
            "lag_p99_ms": round(quantile(late_ms, 0.99), 3),
            "lag_max_ms": round(max(late_ms), 3),
            "lag_samples": len(late_ms),
            "peak_in_flight": self.peak_in_flight,
        }

    def _set(self) -> None:
        assert self._loop is not None  # noqa: S101 -- for the type checker: `start` set it
        self._due = self._loop.time() + self._interval_s
        self._loop.call_at(self._due, self._run)

    def _run(self) -> None:
        if self._loop is None or self._view is None:
            return
        self.samples.append(max(0.0, self._loop.time() - self._due))
        counts = self._view.tally.counts
        self.peak_in_flight = max(self.peak_in_flight, sum(counts[state] for state in _IN_FLIGHT))
        self._set()
