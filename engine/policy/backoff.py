"""How long to wait before a repeat: exponential, capped, jittered; the remote's own word comes first."""

from dataclasses import dataclass

__all__ = ["Backoff"]


@dataclass(frozen=True, slots=True)
class Backoff:
    """Equal-jitter exponential backoff.

    The jitter is uniform between half and all of the exponential step: many clients spread out, and none comes
    back at once (AWS Architecture Blog, "Exponential Backoff And Jitter", the variant it calls equal jitter).
    """

    first_s: float = 0.5
    max_s: float = 60.0

    def step_s(self, failures: int) -> float:
        """Return the exponential step after `failures` in a row (from 1), in seconds, without jitter."""
        return min(self.max_s, self.first_s * 2.0 ** min(failures - 1, 30))

    def delay_s(self, failures: int, draw: float, retry_after_s: float | None = None) -> float:
        """Return the seconds to wait after `failures` in a row (from 1); `draw` is uniform in [0, 1).

        A `retry_after_s` from the remote is the least; the jitter is added so that not all come at that second.
        """
        jittered = self.step_s(failures) * (0.5 + 0.5 * draw)
        if retry_after_s is None:
            return jittered
        return retry_after_s + min(self.first_s, jittered)
