"""The plan: one line a job, written before the job is submitted and never changed.

Lines are appended in groups while earlier ones are already being submitted. A plan that was cut short by a
crash, or a `restore` repeated after pictures were added, continues: sources that have a line are passed over.
"""

import asyncio
import itertools
from collections.abc import AsyncIterator, Iterator
from dataclasses import replace
from pathlib import Path

from engine.disk import AppendFile, path_of_text
from engine.errors import UsageError
from engine.inputs.naming import Namer
from engine.inputs.scan import Sources, candidates, scan
from engine.job.spec import JobSpec
from engine.journal.line import encode
from engine.journal.replay import Reading, read
from engine.pipeline.order import Order
from engine.pipeline.run_folder import RunFolder, open_journal
from engine.pipeline.seal import part_of

__all__ = ["Known", "extend", "first_good", "read_plan", "scan_order"]

# One write and one sync a group; small enough that submitting begins at once.
_GROUP_LINES = 128


def read_plan(path: Path) -> Iterator[JobSpec]:
    """Yield the jobs of the plan at `path` in order."""
    return map(JobSpec.of_record, read(path))


class Known:
    """Which sources and output names a plan holds already."""

    def __init__(self, namer: Namer) -> None:
        self.namer = namer
        self.sources = Sources()
        self.jobs = 0

    def add(self, spec: JobSpec) -> None:
        self.jobs = spec.number + 1
        self.sources.take(spec.source)
        if spec.output:
            self.namer.take(str(path_of_text(spec.output)))


def scan_order(order: Order, known: Known, run_folder: Path) -> Iterator[JobSpec]:
    """Yield the jobs of `order` that are not `known`. Outputs that are there already are refused, never replaced."""
    found = candidates(order.inputs, order.globs, (order.out, run_folder))
    jobs = scan(found, order.sizing, known.namer, known.sources, first_number=known.jobs)
    return (_refuse_existing(spec, order.out) for spec in jobs)


def _refuse_existing(spec: JobSpec, out: Path) -> JobSpec:
    if spec.reason:
        return spec
    final = out / path_of_text(spec.output)
    try:
        there = next((path for path in (final, part_of(final)) if path.is_symlink() or path.exists()), None)
    except OSError as error:
        return replace(spec, output="", credits=0, reason=f"its output {final} can't be written: {error.strerror}")
    if there is None:
        return spec
    reason = f"has no room for its output: {there} exists and is not this run's; move it away or choose another --out"
    return replace(spec, output="", credits=0, reason=reason)


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
    raise UsageError(f"no picture in {where} can be restored: {refused[0].source} {refused[0].reason}{others}")


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
