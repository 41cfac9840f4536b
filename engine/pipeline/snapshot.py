"""`snapshot.json`: what the journal proves up to a certain byte, so that a resume reads only what came after.

It is a shortcut and never more: one that is missing, damaged, of another version or not of this very journal counts
for nothing, and the journal alone is enough. It is written only about bytes that are on disk, and replaced whole.

A file is known again by its length and by the checksum of the last bytes before the point that the snapshot reaches.
Damage further back goes unseen for as long as the snapshot stands for it. The plan, which no longer changes, is known
by its length and the time of its last change.
"""

import os
import zlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from engine.disk import sync_file, write_whole
from engine.job.state import State
from engine.job.still import Still
from engine.journal.line import DamagedLine, decode, encode
from engine.pipeline.marks import Marks
from engine.pipeline.plan import Place, advance
from engine.pipeline.run_folder import RunFolder

__all__ = ["FINAL", "FrozenPlan", "Reach", "Snapshot", "load_snapshot", "save_snapshot"]

_VERSION = 4  # 2: retried jobs; 3: jobs of two stages; 4: where a POST went
# A torn or replaced file differs in its last lines; 64 KiB are some two hundred of them, and read in no time.
_PROOF_BYTES = 64 * 1024
# What the states of jobs that have ended are stripped by.
FINAL = bytes(state for state in State if state.is_final)


@dataclass(frozen=True, slots=True)
class Reach:
    """How far into a file a snapshot reaches: so many bytes, in so many lines."""

    size_bytes: int = 0
    lines: int = 0
    damaged_lines: int = 0


@dataclass(frozen=True, slots=True)
class FrozenPlan:
    """A complete plan as it was found: whole, with `jobs` lines. `place`: of its first job that has not ended."""

    size_bytes: int
    changed_ns: int
    jobs: int
    place: Place = field(default_factory=Place)

    @classmethod
    def of(cls, plan: Path, jobs: int) -> Self:
        found = plan.stat()
        return cls(found.st_size, found.st_mtime_ns, jobs)

    def is_of(self, plan: Path) -> bool:
        """Say whether `plan` is as it was."""
        return plan.exists() and (self.size_bytes, self.changed_ns) == (plan.stat().st_size, plan.stat().st_mtime_ns)


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """`plan` is None while it is not complete, or not whole."""

    still: Still
    marks: Marks
    journal: Reach
    results: Reach
    plan: FrozenPlan | None


def save_snapshot(folder: RunFolder, snapshot: Snapshot, before: Place) -> Place:
    """Write `snapshot`, whose journal and results have been written; return the plan's first job that has not ended.

    `before`: a place in the plan at or before that. Raises OSError, with the old snapshot in place. Blocks.
    """
    sync_file(folder.journal)
    sync_file(folder.results)
    states, plan, place = snapshot.still.states, None, before
    if snapshot.plan is not None:
        place = advance(folder.plan, before, len(states) - len(states.lstrip(FINAL)))
        plan = {**asdict(snapshot.plan), "place": asdict(place)}
    record = {
        "version": _VERSION,
        "journal": _record(folder.journal, snapshot.journal),
        "results": _record(folder.results, snapshot.results),
        "plan": plan,
        "marks": asdict(snapshot.marks),
        "tally": snapshot.still.record(),
    }
    write_whole(folder.snapshot, encode(record))
    return place


def load_snapshot(folder: RunFolder) -> Snapshot | None:
    """Return the snapshot of the run in `folder`, None when there is none that can be relied on."""
    try:
        record = decode(folder.snapshot.read_bytes())
        if record["version"] != _VERSION:
            return None
        plan = record["plan"]
        return Snapshot(
            still=Still.of_record(record["tally"]),
            marks=Marks(**record["marks"]),
            journal=_reach(folder.journal, record["journal"]),
            results=_reach(folder.results, record["results"], is_vital=False),
            plan=None if plan is None else FrozenPlan(**{**plan, "place": Place(**plan["place"])}),
        )
    except (OSError, DamagedLine, LookupError, TypeError, ValueError):
        return None


def _record(path: Path, reach: Reach) -> dict[str, Any]:
    return {**asdict(reach), "proof": _proof(path, reach.size_bytes)}


def _reach(path: Path, record: dict[str, Any], *, is_vital: bool = True) -> Reach:
    """Read a reach back; of a file that is not the one it was, raise ValueError, or return none of it."""
    proof, reach = record.pop("proof"), Reach(**record)
    if proof and proof == _proof(path, reach.size_bytes):
        return reach
    if is_vital:
        raise ValueError("the snapshot is of another file")
    return Reach()


def _proof(path: Path, size_bytes: int) -> str:
    """Return the checksum of the last bytes of `path` before `size_bytes`; empty when it has not so many."""
    if not path.exists():
        return ""
    with path.open("rb") as file:
        if os.fstat(file.fileno()).st_size < size_bytes:
            return ""
        begin = max(0, size_bytes - _PROOF_BYTES)
        file.seek(begin)
        return f"{zlib.crc32(file.read(size_bytes - begin)):08x}"
