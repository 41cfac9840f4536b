"""Where the remote is, and what may be expected of it."""

from dataclasses import dataclass, field

__all__ = ["Endpoint"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """A base URL (the part before `/restore-gen/async`) and its key, which no `repr` shows.

    `is_own`: this run's own service; finished jobs are deleted there, so that it keeps no second copy.
    `settle_s`: how long after an unclear POST the listing is sure to show its job, in seconds.
    """

    name: str
    base_url: str
    key: str = field(repr=False)
    is_own: bool = False
    settle_s: float = 30.0

    def settled_after_s(self, asked: float | None) -> float:
        """Return the settle time: the one that the settings ask for, else the backend's own."""
        return asked if asked is not None else self.settle_s
