"""What the account has beside what the plan will cost: said as soon as it is known, and no reason to stop.

A plan grows while its first jobs are sent, so its price is complete only once all inputs have been looked at.
"""

from engine.pipeline.notes import Notes

__all__ = ["Budget"]

_TOPIC = "credits"
_NO_LIMIT = 1_000_000_000  # what `face-recovery serve` says of a key without a limit


class Budget:
    """`available`: credits at the start, None where that is not known, and not more than so many where it `is_at_most`;
    `needed`: the price of what was planned so far.

    Jobs in flight at the start are not in it: the backend has reserved theirs.
    """

    def __init__(self, notes: Notes) -> None:
        self._notes = notes
        self._is_complete = False
        self.available: int | None = None
        self.is_at_most = False
        self.needed = 0

    def __repr__(self) -> str:
        return f"<Budget {self.available} available, {self.needed} needed>"

    def has(self, available: int, *, is_at_most: bool = False) -> None:
        """Take in what the account has."""
        self.available, self.is_at_most = available, is_at_most
        self._tell()

    def needs(self, credits_more: int) -> None:
        """Count jobs that are to be sent."""
        self.needed += credits_more

    def complete(self) -> None:
        """Take in that all jobs have been counted."""
        self._is_complete = True
        self._tell()

    def _tell(self) -> None:
        if self.available is None or self.available >= _NO_LIMIT:
            return
        line = f"{'at most ' if self.is_at_most else ''}{self.available:,} credits available"
        if self._is_complete:
            line += f", this plan needs about {self.needed:,} at most"
        if self._is_complete and self.needed > self.available:
            missing = f"{'at least ' if self.is_at_most else ''}{self.needed - self.available:,} are missing"
            line += f": {missing}; it goes on until they are used up, resumable"
        self._notes.tell(_TOPIC, line)
