"""The run's memory: every event goes through here, into the tally first and then into the journal.

The tally changes at once and without a pause, so that money and states are exact between any two awaits; the
journal follows in groups. `results.jsonl` gets a row for every job that ended; it can be made again from the
journal, so it is not synced.
"""

from typing import Any

from engine.clock import Clock
from engine.job.outcome import Outcome
from engine.job.state import Event
from engine.job.tally import Tally
from engine.journal.line import encode
from engine.journal.writer import JournalWriter
from engine.pipeline.marks import Marks

__all__ = ["Book"]


class Book:
    """The only one that writes journal and results of a run."""

    def __init__(
        self, tally: Tally, marks: Marks, journal: JournalWriter, results: JournalWriter, clock: Clock
    ) -> None:
        self.tally = tally
        self.marks = marks
        self._journal = journal
        self._results = results
        self._clock = clock

    def note(self, number: int, event: Event, **members: Any) -> None:
        """Take in an event whose loss in a power cut costs no more than a look."""
        record = {"at": round(self._clock.now(), 3), "job": number, "event": event.value, **members}
        line = encode(record)  # first, so that what can't be written changes nothing
        self.tally.apply(record)
        self._journal.append_line(line)

    async def commit(self, number: int, event: Event, **members: Any) -> None:
        """Take in an event, and return once it is on disk; raises MachineError if it can't be."""
        self.note(number, event, **members)
        await self._journal.commit()

    async def end(self, outcome: Outcome) -> None:
        """Take in how a job ended; durable when this returns."""
        event, members = Event.DONE if outcome.is_done else Event.FAILED, outcome.members()
        self.note(outcome.number, event, **members)
        self._results.append({"job": outcome.number, "status": event.value, **members})
        await self._journal.commit()

    def mark(self, event: str, **members: Any) -> None:
        """Note something about the run as a whole."""
        record = {"at": round(self._clock.now(), 3), "event": event, **members}
        self._journal.append(record)
        self.marks.apply(record)

    async def commit_mark(self, event: str, **members: Any) -> None:
        """As `mark`, and return once it is on disk; raises MachineError if it can't be."""
        self.mark(event, **members)
        await self._journal.commit()
