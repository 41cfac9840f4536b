"""Which member of a pool gets the next job: the one where it is expected to be done first.

The expected time of a job at a member is what is in flight there over what it completes a second (Little's law): for a
member whose workers are all busy that is its queue, for one with room it is what a job takes. Both numbers are seen
from here, so a member needs to say nothing; what it foretells (eta) counts as much as one completed job.

Pure: times are monotonic seconds, passed in.
"""

from collections.abc import Sequence

__all__ = ["Load", "choose"]

# Completions that an old one counts among: after fifty more it has a third of its weight. Enough to even out the
# bursts in which a listing shows them, few enough to follow a member that slows down.
_FORGET = 0.02
_FIRST_GAP_S = 1.0  # between completions, where nobody knows anything: the same for all, so it decides nothing


class Load:
    """What one member has in hand, and how fast it gets through; only time in which it has something counts."""

    def __init__(self, now: float) -> None:
        self.in_flight = 0
        self.taken = 0  # jobs ever given to it, less those that it did not take
        self._completed = 0.0  # with forgetting
        self._busy_s = 0.0  # that they took, with the same forgetting
        self._gap_s = 0.0  # busy since the last completion
        self._told_gap_s = 0.0  # between completions, by its own word
        self._at = now

    def __repr__(self) -> str:
        return f"<Load {self.in_flight} in flight, {self.taken} taken, {self.per_s or 0.0:.2f}/s>"

    @property
    def per_s(self) -> float | None:
        """Completions a second, None before the first."""
        seconds = self._busy_s + self._gap_s
        return self._completed / seconds if self._completed and seconds > 0 else None

    def sent(self, now: float) -> None:
        """A job is on its way to it."""
        self._pass(now)
        self.in_flight += 1
        self.taken += 1

    def withdrawn(self, now: float) -> None:
        """A job that was on its way to it has not arrived."""
        self._pass(now)
        self.in_flight = max(0, self.in_flight - 1)
        self.taken -= 1

    def kept(self, now: float) -> None:
        """A job that it has from before is in flight there."""
        self._pass(now)
        self.in_flight += 1

    def told(self, wait_s: float) -> None:
        """It foretells that the job given last is done in `wait_s`."""
        self._told_gap_s = max(0.0, wait_s) / max(1, self.in_flight)

    def ended(self, now: float) -> None:
        """A job in flight there has ended, well or badly."""
        self._pass(now)
        self.in_flight = max(0, self.in_flight - 1)
        self._completed = self._completed * (1.0 - _FORGET) + 1.0
        self._busy_s = self._busy_s * (1.0 - _FORGET) + self._gap_s
        self._gap_s = 0.0

    def expected_s(self, now: float, usual_gap_s: float) -> float:
        """Return how long one job more would take there. `usual_gap_s` between completions is assumed at first."""
        self._pass(now)
        gap_s = self._told_gap_s or usual_gap_s
        return (self.in_flight + 1) * (self._busy_s + self._gap_s + gap_s) / (self._completed + 1.0)

    def _pass(self, now: float) -> None:
        if self.in_flight:
            self._gap_s += max(0.0, now - self._at)
        self._at = max(now, self._at)


def choose(members: Sequence[tuple[Load, float]], now: float) -> int:
    """Return the index of the member that gets the next job: the least expected time, then the fewest in flight.

    Beside each load stands how many seconds a request to it has to wait before it may leave.
    """
    rates = [load.per_s for load, _wait_s in members]
    known = [rate for rate in rates if rate]
    usual_gap_s = len(known) / sum(known) if known else _FIRST_GAP_S
    costs = [(load.expected_s(now, usual_gap_s) + wait_s, load.in_flight) for load, wait_s in members]
    return min(range(len(costs)), key=costs.__getitem__)
