"""Failed jobs put back: each one sent anew under a filename of its own, or its paid result fetched after all.

What is put back is durable in the journal before this returns; the run is then carried out as any resume. Nothing is
sent from here, and nothing that the backend may have been paid for is given up without asking for it.
"""

import asyncio
import itertools
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.disk import path_of_text
from engine.errors import InputError
from engine.job.spec import JobSpec
from engine.job.state import Event
from engine.journal.line import Record, encode
from engine.pipeline.failures import Failure, read_failures
from engine.pipeline.past import as_retried
from engine.pipeline.plan import pick
from engine.pipeline.run_folder import open_journal
from engine.pipeline.second_look import SecondLook, is_taken
from engine.pipeline.visit import AT_ONCE, Visit
from engine.remote.row import Progress

__all__ = ["Retried", "retry"]

_GROUP = 512  # jobs decided and made durable together
_MAX_REASONS = 100  # different ones that are kept; a summary shows fewer
_LOST = (Progress.FAILED, Progress.CANCELLED)


@dataclass(slots=True, kw_only=True)
class Retried:
    """What became of the failed jobs that were asked for: failed = sent_anew + fetched + left."""

    failed: int
    sent_anew: int = 0
    fetched: int = 0  # their results are at the backend, and paid for
    left: Counter[str] = field(default_factory=Counter)  # why they fail still

    def leave(self, reason: str) -> None:
        known = reason in self.left or len(self.left) < _MAX_REASONS
        self.left[reason if known else "other reasons"] += 1

    def record(self) -> dict[str, Any]:
        """Return the members for `--json`."""
        counts = {"failed": self.failed, "sent_anew": self.sent_anew, "fetched": self.fetched}
        return {**counts, "left": self.left.total(), "left_reasons": dict(self.left.most_common())}


async def retry(visit: Visit, part_of_reason: str = "") -> Retried:
    """Put the failed jobs of the visited run back, those whose reason contains the text.

    The caller holds the run's lock and must open it anew after this. Raises RemoteError when a question to the
    backend finds no answer: what was put back until then stays so, all else failed.
    """
    opened = visit.opened
    failures = await asyncio.to_thread(read_failures, opened.folder.journal, opened.past.tally, part_of_reason)
    retried = Retried(failed=len(failures))
    if not failures:
        return retried
    there = await _ask(visit, failures)
    # Its rows of these jobs count no more. It is made again from the journal when the run begins.
    await asyncio.to_thread(opened.folder.results.unlink, missing_ok=True)
    await asyncio.to_thread(_put_back, visit, failures, there, retried)
    return retried


async def _ask(visit: Visit, failures: Mapping[int, Failure]) -> dict[int, str]:
    """Return the process ids under which the backend has, or is making, what was paid for or may have been."""
    there: dict[int, str] = {}
    paid = iter([each for each in failures.values() if each.is_paid])
    while group := list(itertools.islice(paid, AT_ONCE)):
        kept = await asyncio.gather(*(_is_kept(visit, each.process_id) for each in group))
        there |= {each.number: each.process_id for each, is_kept in zip(group, kept, strict=True) if is_kept}
    doubted = {number for number, each in failures.items() if each.is_doubted and not each.process_id}
    if doubted:
        generation_of = visit.opened.past.tally.generation
        found = await visit.rows(lambda number, generation: number in doubted and generation == generation_of(number))
        there |= {number: each.row.process_id for number, each in found.items() if each.row.progress not in _LOST}
    return there


async def _is_kept(visit: Visit, process_id: str) -> bool:
    row = await visit.status(process_id)
    return row is not None and row.progress not in _LOST


def _put_back(visit: Visit, failures: Mapping[int, Failure], there: Mapping[int, str], retried: Retried) -> None:
    order, folder, past = visit.opened.order, visit.opened.folder, visit.opened.past
    second_look = SecondLook(order, folder, past.tally)
    specs = (as_retried(spec, past.tally) for spec in pick(folder.plan, iter(failures)))
    file = open_journal(folder.journal, past.journal, sync=order.settings.sync)
    try:
        while group := list(itertools.islice(specs, _GROUP)):
            records = []
            for spec in group:
                try:
                    records.append(_record(visit, spec, failures[spec.number], there, second_look))
                except InputError as error:
                    retried.leave(str(error))
            at = round(visit.clock.now(), 3)
            file.append(b"".join(encode({"at": at, **record}) for record in records))
            retried.fetched += sum(record["event"] == Event.RECLAIMED for record in records)
            retried.sent_anew += sum(record["event"] == Event.RETRIED for record in records)
        closed = {"event": "closed", "reason": "retried", "is_sound": not past.is_suspect}
        file.append(encode({"at": round(visit.clock.now(), 3), **closed}))
    finally:
        file.close()


def _record(visit: Visit, spec: JobSpec, failure: Failure, there: Mapping[int, str], second_look: SecondLook) -> Record:
    """Return the event that puts one job back; raises InputError for a job that would only fail again."""
    event: Record = {"job": spec.number, "event": Event.RETRIED.value, "reason": failure.reason}
    generation = visit.opened.past.tally.generation(spec.number) + 1
    if spec.reason:
        return {**event, "generation": generation, "output": second_look.look(spec)}
    _check_room(visit.opened.order.out / path_of_text(spec.output))
    if spec.number not in there:
        return {**event, "generation": generation}
    return {
        **event,
        "event": Event.RECLAIMED.value,
        "process_id": there[spec.number],
        "credits": failure.credits or spec.credits,
        "charged": failure.credits,
        "attempt": failure.attempts,
        "input_sha256": failure.input_sha256,
    }


def _check_room(final: Path) -> None:
    """A failed job has published nothing: what has its output's name is somebody else's, and would not be replaced."""
    if (there := is_taken(final)) is not None:
        raise InputError(f"has no room for its output: {there} appeared since and is not this run's; move it away")
