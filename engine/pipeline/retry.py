"""Failed jobs put back: each one sent anew under a filename of its own, or its paid result fetched after all.

What is put back is durable in the journal before this returns; the run is then carried out as any resume. Nothing is
sent from here, and nothing that the backend may have been paid for is given up without asking for it.
"""

import asyncio
import itertools
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.disk import path_of_text
from engine.errors import InputError
from engine.job.spec import JobSpec
from engine.job.state import Event
from engine.journal.line import Record, encode
from engine.pipeline.failures import Failure, read_failures
from engine.pipeline.found import LOST
from engine.pipeline.past import as_retried
from engine.pipeline.plan import pick
from engine.pipeline.run_folder import open_journal
from engine.pipeline.second_look import SecondLook, is_taken
from engine.pipeline.upload_name import Named
from engine.pipeline.visit import AT_ONCE, Visit
from engine.remote.member_id import unqualified

__all__ = ["Retried", "retry"]

_GROUP = 512  # jobs decided and made durable together
_MAX_REASONS = 100  # different ones that are kept; a summary shows fewer


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
    there = await _Questions(visit, failures).ask()
    # Its rows of these jobs count no more. It is made again from the journal when the run begins.
    await asyncio.to_thread(opened.folder.results.unlink, missing_ok=True)
    await asyncio.to_thread(_put_back, visit, failures, there, retried)
    return retried


@dataclass(frozen=True, slots=True)
class _There:
    """The process id under which the backend has, or is making, what was paid for or may have been.

    Empty: it may be at a member of a pool that can't be asked now.
    `is_first`: it is the first stage of a job that failed on its second.
    """

    process_id: str
    is_first: bool = False


class _Questions:
    """What there is to ask before any failed job is sent anew."""

    def __init__(self, visit: Visit, failures: Mapping[int, Failure]) -> None:
        self._visit = visit
        self._failures = failures

    async def ask(self) -> dict[int, _There]:
        """Return what the backend has of the failed jobs, the result of a first stage where there is no more."""
        failures = self._failures
        paid = {number: each.process_id for number, each in failures.items() if each.is_paid}
        doubted = {number: "" for number, each in failures.items() if each.is_doubted and not each.process_id}
        found = await self._look(paid, doubted, self._is_last_try)
        there = {number: _There(process_id) for number, process_id in found.items()}
        half_done = {
            number: each.staged.process_id
            for number, each in failures.items()
            if number not in there and each.staged is not None and each.staged.process_id
        }
        firsts = await self._look(half_done, {}, lambda named: named.stage == 1)
        return there | {number: _There(process_id, is_first=True) for number, process_id in firsts.items()}

    async def _look(
        self, known: Mapping[int, str], doubted: Mapping[int, str], is_wanted: Callable[[Named], bool]
    ) -> dict[int, str]:
        """Return the process ids of those jobs that are still there, an empty one where nobody can look.

        One that was accepted by a member of a pool that can't be asked by its id now is looked for by its filename.
        """
        strange = {number: each for number, each in known.items() if self._visit.client.is_stranger(each)}
        kept = await _kept(self._visit, {number: each for number, each in known.items() if number not in strange})
        sought = {**doubted, **strange}
        if not sought:
            return kept
        found = await self._visit.rows(lambda named: named.number in sought and is_wanted(named))
        away = {number: "" for number, each in strange.items() if number not in found and self._is_away(each)}
        rows = {number: each.row for number, each in found.items()}
        listed = {number: row.process_id for number, row in rows.items() if row.progress not in LOST}
        return {**kept, **away, **listed}

    def _is_last_try(self, named: Named) -> bool:
        stage = 1 if self._failures[named.number].staged is None else 2
        return named.stage == stage and named.generation == self._visit.opened.past.tally.generation(named.number)

    def _is_away(self, process_id: str) -> bool:
        """Say whether a job that is not listed may be at a member that is not given now."""
        alone = self._visit.opened.past.marks.alone if self._visit.endpoint.others else ""
        return self._visit.client.is_away(unqualified(process_id)[0] or alone or "")


async def _kept(visit: Visit, process_ids: Mapping[int, str]) -> dict[int, str]:
    """Return those of `process_ids`, by job, that the backend has still."""
    kept: dict[int, str] = {}
    asked = iter(process_ids.items())
    while group := list(itertools.islice(asked, AT_ONCE)):
        answers = await asyncio.gather(*(_is_kept(visit, process_id) for _number, process_id in group))
        kept |= {number: process_id for (number, process_id), is_kept in zip(group, answers, strict=True) if is_kept}
    return kept


async def _is_kept(visit: Visit, process_id: str) -> bool:
    row = await visit.status(process_id)
    return row is not None and row.progress not in LOST


def _put_back(visit: Visit, failures: Mapping[int, Failure], there: Mapping[int, _There], retried: Retried) -> None:
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


def _record(
    visit: Visit, spec: JobSpec, failure: Failure, there: Mapping[int, _There], second_look: SecondLook
) -> Record:
    """Return the event that puts one job back; raises InputError for a job that would only fail again."""
    event: Record = {"job": spec.number, "event": Event.RETRIED.value, "reason": failure.reason}
    generation = visit.opened.past.tally.generation(spec.number) + 1
    if spec.reason:
        return {**event, "generation": generation, "output": second_look.look(spec)}
    _check_room(visit.opened.order.out / path_of_text(spec.output))
    found = there.get(spec.number)
    if found is None:
        return {**event, "generation": generation}
    if not found.process_id:
        raise InputError("its paid result may be at a member that is not in the pool now: give it again, with its key")
    event["event"] = Event.RECLAIMED.value
    if found.is_first and failure.staged is not None:  # under a name of its own, the second one is sent anew
        return {**event, "generation": generation, **_reclaimed(found, failure.staged.credits), "credits": spec.credits}
    reclaimed = {**event, **_reclaimed(found, failure.credits), "attempt": failure.attempts}
    reclaimed["input_sha256"] = failure.input_sha256
    if failure.staged is None:
        return {**reclaimed, "credits": failure.credits or spec.credits}
    paid = failure.staged.credits + failure.credits
    price = failure.credits or spec.then_credits
    return {**reclaimed, "credits": price, "charged": paid, "staged": failure.staged.record()}


def _reclaimed(found: _There, charged: int) -> Record:
    return {"process_id": found.process_id, "charged": charged}


def _check_room(final: Path) -> None:
    """A failed job has published nothing: what has its output's name is somebody else's, and would not be replaced."""
    if (there := is_taken(final)) is not None:
        raise InputError(f"has no room for its output: {there} appeared since and is not this run's; move it away")
