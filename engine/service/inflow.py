"""How much work each owner has sent lately, as a guess at what it sends next. Pure; times of any monotonic clock.

The lesser of what it sent in the last minute and in the last ten, each by the second: a batch that has just come is no
sign of more, and neither is one that came some time ago. Who sends one by one looks the same in both.
"""

import math

__all__ = ["Inflow"]

_WINDOWS_S = (60.0, 600.0)
_NOTHING_S = 1e-3  # of work in the long window: an owner with less is forgotten


class Inflow:
    """Exponentially decayed sums for each owner."""

    def __init__(self) -> None:
        self._windows = [_Window(length_s) for length_s in _WINDOWS_S]

    def __repr__(self) -> str:
        return f"<Inflow: {len(self._windows[-1].sums)} owners sent something lately>"

    def add(self, owner: str, work_s: float, now_s: float) -> None:
        """Note that `owner` has sent `work_s` seconds of work."""
        for window in self._windows:
            window.add(owner, work_s, now_s)

    def rates(self, now_s: float) -> dict[str, float]:
        """Return the seconds of work that each owner sends a second."""
        short, long = (window.rates(now_s) for window in self._windows)
        return {owner: min(rate, short[owner]) for owner, rate in long.items() if owner in short}


class _Window:
    """What is older than `length_s` counts for exp(-1) or less."""

    def __init__(self, length_s: float) -> None:
        self.sums: dict[str, tuple[float, float]] = {}  # seconds of work, as of a moment
        self._length_s = length_s
        self._began_s: float | None = None

    def add(self, owner: str, work_s: float, now_s: float) -> None:
        self._began_s = now_s if self._began_s is None else self._began_s
        self.sums[owner] = self._faded(owner, now_s) + work_s, now_s

    def rates(self, now_s: float) -> dict[str, float]:
        if self._began_s is None:
            return {}
        faded = {owner: self._faded(owner, now_s) for owner in self.sums}
        for owner in [owner for owner, work_s in faded.items() if work_s < _NOTHING_S]:
            del self.sums[owner], faded[owner]
        # A window that is not full yet is as long as it has been; a tenth at least, else the first job were a flood.
        seen = max(0.1, (now_s - self._began_s) / self._length_s)
        length_s = self._length_s * -math.expm1(-seen)
        return {owner: work_s / length_s for owner, work_s in faded.items()}

    def _faded(self, owner: str, now_s: float) -> float:
        work_s, as_of_s = self.sums.get(owner, (0.0, now_s))
        return work_s * math.exp((as_of_s - now_s) / self._length_s)
