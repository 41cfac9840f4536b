"""A lost journal, made anew: from the plan, what the backend lists under this run's filenames, and the files on disk.

What it says is no more than what can be seen. The run stays suspect, so the resume that follows looks for jobs of this
run at the backend once more, and for outputs in place, before it sends anything.
"""

import itertools
import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from engine.clock import Clock
from engine.disk import AppendFile, sync_folder
from engine.job.spec import JobSpec
from engine.job.state import Event, IllegalStep
from engine.job.tally import Tally
from engine.journal.line import Record, encode
from engine.journal.replay import Reading, telling
from engine.pipeline.carried import carried
from engine.pipeline.evidence import Evidence, Proof
from engine.pipeline.fold import fold
from engine.pipeline.marks import Marks
from engine.pipeline.opening import Opened
from engine.pipeline.plan import pick
from engine.pipeline.run_folder import RunFolder
from engine.pipeline.visit import Found, Visit

__all__ = ["Recovered", "find_rows", "is_sound", "rebuild"]

_GROUP = 256  # jobs whose files are looked at together
_THREADS = min(8, os.cpu_count() or 1)
_SHOWN = 20


@dataclass(slots=True, kw_only=True)
class Recovered:
    """What the new journal says: planned = done + adopted + waiting.

    `in_the_way`: files that have the name of an output and are none; the first of them in `such`. `kept`: where the old
    journal is, if there was one.
    """

    planned: int
    done: int = 0
    adopted: int = 0
    waiting: int = 0
    unplanned: int = 0  # rows at the backend of jobs that the plan does not have
    in_the_way: int = 0
    such: list[str] = field(default_factory=list)
    kept: str = ""

    def record(self) -> dict[str, Any]:
        """Return the members for `--json`."""
        return asdict(self)


def is_sound(opened: Opened) -> bool:
    """Say whether the run has a journal that needs no recovery: whole but for a torn end, and of this plan. Blocks."""
    tally, reading = Tally(), Reading()
    try:
        fold(opened.folder.journal, reading, tally, Marks())
    except (IllegalStep, ValueError, KeyError):
        return False
    return reading.lines > 0 and not reading.damaged_lines and tally.planned <= opened.past.jobs


async def find_rows(visit: Visit) -> dict[int, Found]:
    """Return all that the backend lists under this run's filenames, by job."""
    return await visit.rows(lambda _named: True)


def rebuild(
    opened: Opened, found: Mapping[int, Found], clock: Clock, on_progress: Callable[[int], None] = lambda _jobs: None
) -> Recovered:
    """Put a new journal in the place of the old one, which is kept aside; the snapshot and the results go. Blocks.

    Until the last step the old files are as they were, or their loss is one that a resume can live with.
    `on_progress` is told how many jobs have been looked at.
    """
    folder, planned = opened.folder, opened.past.jobs
    recovered = Recovered(planned=planned, unplanned=sum(number >= planned for number in found))
    new = folder.journal.with_name(folder.journal.name + ".recovering")
    new.unlink(missing_ok=True)
    file = AppendFile(new)
    try:
        file.append(_lines(clock, _head(folder, planned)))
        specs = pick(folder.plan, iter(range(planned)))
        with ThreadPoolExecutor(_THREADS) as threads:
            evidence, before = Evidence(opened, found), carried(folder.journal)

            def proof_of(spec: JobSpec) -> Proof:
                return _kept(evidence.of(spec), before.get(spec.number), found.get(spec.number))

            while group := list(itertools.islice(specs, _GROUP)):
                placed = map(evidence.placed, group)
                file.append(_lines(clock, _events(threads.map(proof_of, placed), recovered)))
                on_progress(group[-1].number + 1)
    finally:
        file.close()
    recovered.kept = _swap(folder, new)
    return recovered


def _lines(clock: Clock, events: Iterator[Record]) -> bytes:
    return b"".join(encode({"at": round(clock.now(), 3), **event}) for event in events)


def _head(folder: RunFolder, planned: int) -> Iterator[Record]:
    yield {"event": "recovered"}
    if _planned_before(folder.journal) == planned:  # else a resume looks whether there is more to plan
        yield {"event": "planned", "jobs": planned}


def _planned_before(journal: Path) -> int | None:
    """Return how many jobs the old journal says there are, from what is left of it."""
    marks = Marks()
    for record in telling(journal, (b'"event":"plann',)):
        if "job" not in record:
            marks.apply(record)
    return marks.planned


def _kept(proof: Proof, before: list[Record] | None, found: Found | None) -> Proof:
    """Return `proof`, or what the old journal said of a job that is at a member of a pool; it may not be given now.

    A second stage that is there counts more than the row of the first one.
    """
    is_further = before is not None and before[0]["event"] == Event.STAGED and found is not None and found.stage == 1
    if before is None or proof.is_done or (proof.events and not is_further):
        return proof
    return replace(proof, events=before)


def _events(proofs: Iterable[Proof], recovered: Recovered) -> Iterator[Record]:
    for proof in proofs:
        recovered.done += proof.is_done
        recovered.adopted += proof.is_adopted
        recovered.waiting += not proof.events
        if proof.in_the_way:
            recovered.in_the_way += 1
            if len(recovered.such) < _SHOWN:
                recovered.such.append(proof.in_the_way)
        yield from proof.events


def _swap(folder: RunFolder, new: Path) -> str:
    kept = ""
    if folder.journal.exists():
        aside = (folder.path / f"{folder.journal.name}.lost-{number}" for number in itertools.count(1))
        lost = next(path for path in aside if not path.exists())
        folder.journal.rename(lost)
        kept = lost.name
    folder.snapshot.unlink(missing_ok=True)
    folder.results.unlink(missing_ok=True)
    new.rename(folder.journal)
    sync_folder(folder.path)
    return kept
