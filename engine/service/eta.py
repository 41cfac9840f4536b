"""When a job will be done: a pace learned from the jobs before it. Pure numbers.

The unit of work is an output megapixel, with a floor: detecting and restoring a face costs the same in the
smallest picture.
"""

__all__ = ["Pace", "work_units"]

_FLOOR_MEGAPIXELS = 0.5
_FIRST_GUESS_S = 0.2  # a unit on one core of a recent machine, before anything was measured here
_MEMORY = 0.2  # weight of the newest job: about the last ten count


def work_units(width: int, height: int) -> float:
    """Return the work in an output of `width` x `height` pixels."""
    return max(_FLOOR_MEGAPIXELS, width * height / 1_000_000)


class Pace:
    """Seconds a worker takes for a unit of work, as an exponentially weighted mean."""

    def __init__(self) -> None:
        self.seconds_a_unit = _FIRST_GUESS_S
        self._has_measured = False

    def __repr__(self) -> str:
        return f"<Pace {self.seconds_a_unit:.3f} s a unit>"

    def learn(self, units: float, seconds: float) -> None:
        """Take in one finished job."""
        measured = seconds / units
        if not self._has_measured:
            self.seconds_a_unit, self._has_measured = measured, True
        else:
            self.seconds_a_unit += _MEMORY * (measured - self.seconds_a_unit)

    def eta(self, now: float, units: float, *, units_ahead: float = 0.0, workers: int = 1) -> float:
        """Return the Unix time at which `units` will be done behind `units_ahead` of others."""
        return now + self.seconds_a_unit * (units_ahead / workers + units)
