"""The plan: one line a job, written before the job is submitted and never changed.

Lines are appended in groups while earlier ones are already being submitted. A plan that was cut short by a
crash, or a `restore` repeated after pictures were added, continues: sources that have a line are passed over.
"""

import asyncio
import itertools
import os
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from engine.disk import AppendFile, path_of_text
from engine.errors import MachineError, UsageError
from engine.inputs.naming import Namer
from engine.inputs.scan import Sources, candidates, scan
from engine.job.address import shown
from engine.job.spec import JobSpec
from engine.journal.line import DamagedLine, Record, decode, encode
from engine.journal.replay import Reading
from engine.pipeline.order import Order
from engine.pipeline.run_folder import RunFolder, open_journal
from engine.pipeline.seal import part_of

__all__ = ["Known", "Place", "advance", "extend", "first_good", "pick", "scan_order"]

# One write and one sync a group; small enough that submitting begins at once.
_GROUP_LINES = 128
# Lines that nobody wants are passed over by the block: counted, neither checked nor decoded.
_BLOCK_BYTES = 128 * 1024


@dataclass(frozen=True, slots=True)
class Place:
    """Where in a plan the line of job `number` begins."""

    number: int = 0
    at_byte: int = 0


def advance(plan: Path, place: Place, number: int) -> Place:
    """Return the place of job `number`, not before `place`; the plan's end when it has no such line."""
    for first, at_byte, block in _blocks(plan, place):
        lines = block.count(b"\n")
        place = Place(first + lines, at_byte + len(block))
        if place.number > number:
            kept = sum(len(line) + 1 for line in block.split(b"\n", number - first)[: number - first])
            return Place(number, at_byte + kept)
    return place


def pick(plan: Path, numbers: Iterator[int], place: Place = Place()) -> Iterator[JobSpec]:
    """Yield the jobs of `numbers`, which ascend and none of which is before `place`; asks for each when it is due.

    Raises MachineError for a line that is damaged or not there.
    """
    wanted = next(numbers, None)
    for first, _at_byte, block in _blocks(plan, place):
        if wanted is None:
            return
        lines = block.split(b"\n") if wanted < first + block.count(b"\n") else []
        while wanted is not None and wanted < first + len(lines) - 1:
            yield _spec(plan, wanted, lines[wanted - first])
            wanted = next(numbers, None)
    if wanted is not None:
        raise _damaged(plan, wanted)


def _blocks(plan: Path, place: Place) -> Iterator[tuple[int, int, bytes]]:
    """Yield whole lines from `place` on, many at a time: the first one's number, where it begins, and their bytes."""
    number, at_byte, rest = place.number, place.at_byte, b""
    with plan.open("rb", buffering=0) as file:
        file.seek(at_byte)
        while block := file.read(_BLOCK_BYTES):
            end = block.rfind(b"\n") + 1
            if not end:
                rest += block
                continue
            whole, rest = rest + block[:end], block[end:]
            yield number, at_byte, whole
            number, at_byte = number + whole.count(b"\n"), at_byte + len(whole)


def _spec(plan: Path, number: int, line: bytes) -> JobSpec:
    try:
        record = decode(line)
    except DamagedLine:
        raise _damaged(plan, number) from None
    if record["job"] != number:
        raise _damaged(plan, number)
    return JobSpec.of_record(record)


def _damaged(plan: Path, number: int) -> MachineError:
    return MachineError(f"{plan} is damaged, it has lost job {number}: put it back from a backup, then resume")


class Known:
    """Which sources and output names a plan holds already."""

    def __init__(self, namer: Namer) -> None:
        self.namer = namer
        self.sources = Sources()
        self.jobs = 0

    def add(self, record: Record) -> None:
        """Learn the job of one line of the plan; no more of it is looked at, as there may be millions."""
        self.jobs = record["job"] + 1
        self.sources.take(record["source"])
        if output := record.get("output"):
            self.take(output)

    def take(self, output: str) -> None:
        """Learn that a job has the name `output`."""
        self.namer.take(str(path_of_text(output)) if output.startswith("file://") else output)


def scan_order(order: Order, known: Known, run_folder: Path) -> Iterator[JobSpec]:
    """Yield the jobs of `order` that are not `known`. Outputs that are there already are refused, never replaced."""
    found = candidates(order.inputs, order.globs, (order.out, run_folder))
    jobs = scan(found, order.sizing, known.namer, known.sources, first_number=known.jobs)
    if _holds_nothing_but(order.out, run_folder):
        return jobs  # what appears from now on is not replaced either: the download lane sees to that
    return (_refuse_existing(spec, order.out) for spec in jobs)


def _holds_nothing_but(out: Path, run_folder: Path) -> bool:
    """Say whether the output folder is as good as empty, so that no name in it has to be looked up."""
    try:
        with os.scandir(out) as found:
            return all(Path(entry.path) == run_folder for entry in found)
    except OSError:
        return not out.exists()


def _refuse_existing(spec: JobSpec, out: Path) -> JobSpec:
    if spec.reason:
        return spec
    final = out / path_of_text(spec.output)
    try:
        there = next((path for path in (final, part_of(final)) if _is_there(path)), None)
    except OSError as error:
        return replace(spec, output="", credits=0, reason=f"its output {final} can't be written: {error.strerror}")
    if there is None:
        return spec
    reason = f"has no room for its output: {there} exists and is not this run's; move it away or choose another --out"
    return replace(spec, output="", credits=0, reason=reason)


def _is_there(path: Path) -> bool:
    """Say whether anything has this name, be it a link that leads nowhere; raises OSError where there is no telling."""
    try:
        os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return False
    return True


def first_good(jobs: Iterator[JobSpec], inputs: tuple[str, ...]) -> Iterator[JobSpec]:
    """Return `jobs` unchanged once one of them is good; raises UsageError when none is."""
    refused = []
    for spec in jobs:
        refused.append(spec)
        if not spec.reason:
            return itertools.chain(refused, jobs)
    where = ", ".join(inputs)
    if not refused:
        raise UsageError(f"no pictures in {where}: JPEG, PNG and TIFF are supported")
    others = f" (and {len(refused) - 1} more)" if len(refused) > 1 else ""
    raise UsageError(f"no picture in {where} can be restored: {shown(refused[0].source)} {refused[0].reason}{others}")


async def extend(
    folder: RunFolder, reading: Reading, jobs: Iterator[JobSpec], *, sync: bool
) -> AsyncIterator[list[JobSpec]]:
    """Append `jobs` to the plan and yield them a group at a time, once their lines are on disk."""
    file = await asyncio.to_thread(open_journal, folder.plan, reading, sync=sync)
    try:
        while group := await asyncio.to_thread(_next_group, jobs, file):
            yield group
    finally:
        file.close()


def _next_group(jobs: Iterator[JobSpec], file: AppendFile) -> list[JobSpec]:
    group = list(itertools.islice(jobs, _GROUP_LINES))
    if group:
        file.append(b"".join(encode(spec.record()) for spec in group))
    return group
