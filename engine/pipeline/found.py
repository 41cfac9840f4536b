"""What the remote has of a job, as its listing shows it; and which of several rows counts."""

from dataclasses import dataclass, replace

from engine.remote.row import Progress, Row

__all__ = ["LOST", "PREFERENCE", "Found", "better"]

# A job that ended well is adopted rather than its twin that did not, should there ever be two.
PREFERENCE = (Progress.COMPLETED, Progress.PROCESSING, Progress.PENDING, Progress.CANCELLED, Progress.FAILED)
LOST = (Progress.FAILED, Progress.CANCELLED)


@dataclass(frozen=True, slots=True)
class Found:
    """A row of this run: the generation that its filename carries, the row, and the stage that it is of.

    `first`: the row of the stage before, where it is listed too.
    """

    generation: int
    row: Row
    stage: int = 1
    first: Row | None = None


def better(one: Found | None, other: Found) -> Found:
    """Return the row that ended better, the later generation among equals; its generation is the latest of the two.

    So a job keeps away from every filename that it ever had. Of two stages the later one counts, unless it came to
    nothing and the job was begun again since.
    """
    if one is None:
        return other
    if one.stage != other.stage:
        return _further(*sorted((one, other), key=lambda each: each.stage))
    best = min(one, other, key=lambda each: (PREFERENCE.index(each.row.progress), -each.generation))
    first = one.first or other.first
    return Found(max(one.generation, other.generation), best.row, best.stage, first)


def _further(early: Found, late: Found) -> Found:
    is_begun_again = early.generation > late.generation and early.row.progress not in LOST
    if is_begun_again and late.row.progress in LOST:
        return early
    return replace(late, generation=max(early.generation, late.generation), first=early.row)
