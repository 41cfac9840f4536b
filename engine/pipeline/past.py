"""What the files of a run folder prove: the journal folded into a tally, the plan's open jobs, the results so far.

Blocks; runs in a thread. A run that just begins has an empty past, so there is no second way to start.
"""

from dataclasses import dataclass, field
from typing import Any

from engine.disk import publish
from engine.errors import UsageError
from engine.inputs.naming import Namer
from engine.job.spec import JobSpec
from engine.job.state import State
from engine.job.tally import Tally
from engine.journal.line import encode
from engine.journal.replay import Reading, read
from engine.pipeline.order import Order
from engine.pipeline.plan import Known
from engine.pipeline.run_folder import RunFolder

__all__ = ["Past", "load_past", "replay", "rewrite_results"]


@dataclass(slots=True)
class Past:
    """`planned` is the number of jobs when the plan is complete, None while it is not.

    `jobs`: how many lines the plan has. `is_closed`: the last process left in good order, so the journal holds all that
    ever happened.
    """

    known: Known
    tally: Tally = field(default_factory=Tally)
    journal: Reading = field(default_factory=Reading)
    plan: Reading = field(default_factory=Reading)
    open_jobs: list[JobSpec] = field(default_factory=list)
    planned: int | None = None
    jobs: int = 0
    is_closed: bool = False

    @property
    def is_suspect(self) -> bool:
        """Say whether the journal may lack something that happened."""
        return self.jobs > 0 and not (self.is_closed and self.journal.is_whole)

    @property
    def notes(self) -> list[str]:
        """Say what the crash left, in words for the user; empty when all is whole."""
        notes = []
        for name, reading in (("journal", self.journal), ("plan", self.plan)):
            if reading.torn_bytes:
                notes.append(f"the last {reading.torn_bytes} bytes of the {name} were torn and have been cut off")
            if reading.damaged_lines:
                notes.append(f"{reading.damaged_lines} lines of the {name} are damaged and were passed over")
        return notes


@dataclass(slots=True)
class Marks:
    """What the journal says of the run as a whole."""

    planned: int | None = None
    is_closed: bool = False


def load_past(order: Order, folder: RunFolder, *, is_extended: bool = False) -> Past:
    """Read journal and plan of `folder`; raises UsageError when the plan is damaged other than at its end.

    What the plan knows is gathered only where it will be compared: for a plan that is not complete, or `is_extended`.
    """
    past = Past(known=Known(Namer(order.parameters.output_format)))
    past.tally, marks = replay(folder, past.journal)
    past.planned, past.is_closed = marks.planned, marks.is_closed
    is_scanned = is_extended or past.planned is None
    for record in read(folder.plan, past.plan):
        past.jobs = record["job"] + 1
        if is_scanned:
            past.known.add(JobSpec.of_record(record))
        if past.tally.state(record["job"]).is_in_flight:
            past.open_jobs.append(JobSpec.of_record(record))
    # Plan lines are on disk before the journal can name their jobs, so this is a damaged disk or an edit.
    if past.plan.damaged_lines or past.tally.planned > past.jobs or past.jobs < (past.planned or 0):
        raise UsageError(
            f"{folder.plan} is damaged, jobs that the journal knows are missing: put it back from a backup, "
            "or begin a new run with another --run and --out"
        )
    past.tally.grow(past.jobs)
    return past


def replay(folder: RunFolder, reading: Reading) -> tuple[Tally, Marks]:
    """Return what the journal proves of the jobs, and of the run as a whole."""
    tally, marks = Tally(), Marks()
    for record in read(folder.journal, reading):
        if "job" in record:
            tally.apply(record, is_damaged=reading.damaged_lines > 0)
            marks.is_closed = False
            continue
        event = record.get("event")
        marks.is_closed = event == "closed" and record.get("is_sound", True)
        match event:
            case "planning":
                marks.planned = None
            case "planned":
                marks.planned = record["jobs"]
    return tally, marks


def rewrite_results(folder: RunFolder, tally: Tally) -> None:
    """Make `results.jsonl` again from the journal, unless it already has a row for every job that ended."""
    reading = Reading()
    rows = sum(1 for _row in read(folder.results, reading))
    if rows == tally.ended and reading.is_whole:
        return
    part = folder.results.with_name(folder.results.name + ".part")
    with part.open("wb") as file:
        for record in read(folder.journal):
            if record.get("event") in ("done", "failed") and _is_final(tally, record):
                file.write(encode(_row(record)))
    publish(part, folder.results)


def _is_final(tally: Tally, record: dict[str, Any]) -> bool:
    return tally.state(record["job"]) is (State.DONE if record["event"] == "done" else State.FAILED)


def _row(record: dict[str, Any]) -> dict[str, Any]:
    members = {name: value for name, value in record.items() if name not in ("at", "event", "crc", "job")}
    return {"job": record["job"], "status": record["event"], **members}
