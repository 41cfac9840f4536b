"""The jobs of a run that have failed, and all that the journal says of how."""

from dataclasses import dataclass
from pathlib import Path

from engine.job.stage import StageEnd
from engine.job.state import Event, State
from engine.job.tally import Tally
from engine.journal.line import Record
from engine.journal.replay import telling

__all__ = ["Failure", "read_failures"]

_MARKS = tuple(f'"event":"{event}"'.encode() for event in (Event.FAILED, Event.ABSENT))


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """How a job failed last. `is_doubted`: a POST of it was unclear once, and proven absent by the listing alone.

    `staged`: how the first stage of a chained job ended, if it failed on the second; all else is about that one then.
    """

    number: int
    reason: str
    process_id: str = ""
    credits: int = 0
    attempts: int = 0
    input_sha256: str = ""
    is_doubted: bool = False
    staged: StageEnd | None = None

    @property
    def is_paid(self) -> bool:
        """Whether the backend has charged for a result that may still be there."""
        return self.credits > 0 and bool(self.process_id)


def read_failures(journal: Path, tally: Tally, part_of_reason: str = "") -> dict[int, Failure]:
    """Return the jobs that stand as failed in `tally`, by number; only those whose reason contains the text. Blocks."""
    failures: dict[int, Failure] = {}
    doubted: set[int] = set()
    for record in telling(journal, _MARKS):
        number = record.get("job", -1)
        if record.get("event") not in (Event.FAILED, Event.ABSENT) or tally.state(number) is not State.FAILED:
            continue
        if record["event"] == Event.ABSENT:
            doubted.add(number)
        elif part_of_reason in str(record.get("reason", "")):
            failures[number] = _failure(record, is_doubted=number in doubted)
        else:  # it failed for another reason the last time
            failures.pop(number, None)
    return dict(sorted(failures.items()))


def _failure(record: Record, *, is_doubted: bool) -> Failure:
    staged, last = [*map(StageEnd.of_record, record.get("stages", ())), None, None][:2]
    return Failure(
        number=record["job"],
        reason=str(record.get("reason", "")),
        process_id=record.get("process_id", ""),
        credits=last.credits if last is not None else record.get("credits", 0),
        attempts=last.attempts if last is not None else record.get("attempts", 0),
        input_sha256=record.get("input_sha256", ""),
        is_doubted=is_doubted,
        staged=staged,
    )
