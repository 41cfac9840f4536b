"""What the files of a run folder prove: the journal folded into a tally, the plan's open jobs, the results so far.

Blocks; runs in a thread. A run that just begins has an empty past, so there is no second way to start.
"""

from dataclasses import dataclass, field, replace

from engine.errors import UsageError
from engine.inputs.naming import Namer
from engine.job.spec import JobSpec
from engine.job.tally import Tally
from engine.journal.replay import Reading, proven, read
from engine.pipeline.fold import fold
from engine.pipeline.marks import Marks
from engine.pipeline.order import Order
from engine.pipeline.plan import Known, Place, pick
from engine.pipeline.run_folder import RunFolder
from engine.pipeline.snapshot import FINAL, Snapshot, load_snapshot

__all__ = ["Past", "as_retried", "load_past", "past_of_plan", "replay"]


@dataclass(slots=True)
class Past:
    """`jobs`: how many lines the plan has. `is_closed`: the last process left in good order, so the journal holds all
    that ever happened. `since`: the snapshot that the journal was read from. `place`: where in the plan no job ended
    is left behind, so that nobody who looks for others has to begin before it.
    """

    known: Known
    tally: Tally = field(default_factory=Tally)
    marks: Marks = field(default_factory=Marks)
    journal: Reading = field(default_factory=Reading)
    plan: Reading = field(default_factory=Reading)
    open_jobs: list[JobSpec] = field(default_factory=list)
    since: Snapshot | None = None
    place: Place = field(default_factory=Place)
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


def load_past(order: Order, folder: RunFolder, *, is_extended: bool = False) -> Past:
    """Read journal and plan of `folder`; raises UsageError when the plan is damaged other than at its end.

    What the plan knows is gathered only where it will be compared: for a plan that is not complete, or `is_extended`.
    """
    past = Past(known=Known(Namer(order.sizing.output_format)))
    past.tally, past.marks, past.since = replay(folder, past.journal)
    past.is_closed = past.marks.is_closed
    if is_extended or past.marks.planned is None:
        _learn_plan(folder, past)
    else:
        _check_plan(folder, past)
    # Plan lines are on disk before the journal can name their jobs, so this is a damaged disk or an edit.
    if past.plan.damaged_lines or past.tally.planned > past.jobs or past.jobs < (past.marks.planned or 0):
        raise _damaged(folder)
    past.tally.grow(past.jobs)
    if _first_open(past.tally) < past.place.number:  # a job was retried since
        past.place = Place()
    if past.tally.open:
        found = pick(folder.plan, iter(sorted(past.tally.open)), past.place)
        past.open_jobs = [as_retried(spec, past.tally) for spec in found]
    return past


def past_of_plan(order: Order, folder: RunFolder) -> Past:
    """Return what the plan alone proves: so many jobs, none of which was ever heard of."""
    past = Past(known=Known(Namer(order.sizing.output_format)))
    _check_plan(folder, past)
    if past.plan.damaged_lines:
        raise _damaged(folder)
    past.tally.grow(past.jobs)
    return past


def _damaged(folder: RunFolder) -> UsageError:
    return UsageError(
        f"{folder.plan} is damaged, jobs that the journal knows are missing: put it back from a backup, "
        "or begin a new run with another --run and --out"
    )


def _first_open(tally: Tally) -> int:
    return len(tally.states) - len(tally.states.lstrip(FINAL))


def as_retried(spec: JobSpec, tally: Tally) -> JobSpec:
    """Return a plan line as it counts now: one that was refused, and then retried, is to be completed at its turn."""
    again = tally.again.get(spec.number)
    if again is None or not again.output:
        return spec
    return replace(spec, output=again.output, reason="", credits=1)  # as one on the web: priced from its header


def _learn_plan(folder: RunFolder, past: Past) -> None:
    """Read every line of the plan, which is to go on from where it ends."""
    for record in read(folder.plan, past.plan):
        past.jobs = record["job"] + 1
        past.known.add(record)
    for again in past.tally.again.values():
        if again.output:
            past.known.take(again.output)


def _check_plan(folder: RunFolder, past: Past) -> None:
    """Count the lines of a complete plan, and that they are sound; those that a snapshot found so are so still."""
    frozen = past.since.plan if past.since is not None else None
    if frozen is not None and frozen.is_of(folder.plan):
        past.plan.lines, past.plan.sound_bytes = frozen.jobs, frozen.size_bytes
        past.place = frozen.place
    else:
        for _bodies in proven(folder.plan, past.plan):
            pass
    past.jobs = past.plan.lines


def replay(folder: RunFolder, reading: Reading) -> tuple[Tally, Marks, Snapshot | None]:
    """Return what the journal proves of the jobs and of the run as a whole, and the snapshot that it was read from."""
    since = load_snapshot(folder)
    tally, marks = Tally(), Marks()
    if since is not None:
        tally, marks = since.still.tally(), replace(since.marks)
        reading.lines, reading.sound_bytes = since.journal.lines, since.journal.size_bytes
        reading.damaged_lines = since.journal.damaged_lines
    fold(folder.journal, reading, tally, marks)
    return tally, marks, since
