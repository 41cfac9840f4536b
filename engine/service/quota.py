"""How much each owner has here: unfinished jobs and stored bytes, against the limits of its key. Pure, O(1).

`check` and `added` never wait: called one after the other, without an await in between, no number of uploads at once
gets past a limit. What was added and then not accepted is taken back by `ended` and `removed`.
"""

from dataclasses import dataclass

from engine.service.key import Key
from engine.service.refusal import Refusal

__all__ = ["Holding", "Quota"]

_BYTES_A_MB = 1_000_000


@dataclass(slots=True, kw_only=True)
class Holding:
    """What one owner has here. `stored_bytes`: inputs, outputs and the records of jobs."""

    unfinished_jobs: int = 0
    stored_bytes: int = 0


class Quota:
    """The holdings of all owners; one without any is not kept."""

    def __init__(self) -> None:
        self._by_owner: dict[str, Holding] = {}

    def __repr__(self) -> str:
        jobs = sum(each.unfinished_jobs for each in self._by_owner.values())
        return f"<Quota: {len(self._by_owner)} owners, {jobs} unfinished jobs>"

    def of(self, owner: str) -> Holding:
        """Return what `owner` has; a look, not to be changed."""
        return self._by_owner.get(owner) or Holding()

    def check(self, key: Key, size_bytes: int) -> None:
        """Raise Refusal with 429 when one more job, which stores `size_bytes` more, is over a limit of `key`."""
        held, limits = self.of(key.id), key.limits
        if limits.max_unfinished_jobs is not None and held.unfinished_jobs >= limits.max_unfinished_jobs:
            raise Refusal(
                429,
                f"this key has {held.unfinished_jobs} unfinished jobs, of {limits.max_unfinished_jobs} allowed: "
                "wait for one to end, or cancel one",
            )
        if limits.max_stored_bytes is not None and held.stored_bytes + size_bytes > limits.max_stored_bytes:
            raise Refusal(
                429,
                f"this key stores {_megabytes(held.stored_bytes)} of {_megabytes(limits.max_stored_bytes)} allowed, "
                f"and this job adds {_megabytes(size_bytes)}: delete finished jobs first",
            )

    def added(self, owner: str, stored_bytes: int) -> None:
        """Count a job, whose record and input take `stored_bytes` more."""
        held = self._by_owner.setdefault(owner, Holding())
        held.unfinished_jobs += 1
        held.stored_bytes += stored_bytes

    def ended(self, owner: str, stored_bytes: int = 0) -> None:
        """Count a job as finished, whose output takes `stored_bytes` on the disk."""
        self._change(owner, jobs=-1, stored_bytes=stored_bytes)

    def removed(self, owner: str, stored_bytes: int) -> None:
        """Take off files and records that were deleted."""
        self._change(owner, jobs=0, stored_bytes=-stored_bytes)

    def _change(self, owner: str, *, jobs: int, stored_bytes: int) -> None:
        held = self._by_owner.setdefault(owner, Holding())
        held.unfinished_jobs = max(0, held.unfinished_jobs + jobs)
        held.stored_bytes = max(0, held.stored_bytes + stored_bytes)
        if held == Holding():
            del self._by_owner[owner]


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / _BYTES_A_MB:,.1f} MB"
