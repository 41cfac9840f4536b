"""Every job of the service, in memory for reading, in the journal before anybody is told.

One fold for the live service and for the replay: a change becomes a record, the record becomes durable, then
`Jobs.apply` changes the memory. Between the two the job is *settling*, and no second ending may begin. Whoever
subscribes hears of every change of a status, after it.
"""

import asyncio
import contextlib
import logging
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from engine.clock import Clock
from engine.disk import AppendFile
from engine.journal.line import Json, Record
from engine.journal.replay import Reading, read
from engine.journal.writer import JournalWriter
from engine.service.credits import JOURNAL_NAME, Ledger
from engine.service.job_state import Event, Status
from engine.service.jobs import Gone, Job, Jobs
from engine.service.quota import Quota
from engine.service.submission import Finished, Submission

__all__ = ["JobStore", "Journal", "open_store", "replay"]

_log = logging.getLogger(__name__)

_TICK_S = 0.001  # as ULIDs count


class Journal(Protocol):
    """What the store needs of a journal: `engine.journal.writer.JournalWriter`, or the simulation's."""

    def append(self, record: Mapping[str, Json]) -> None:
        """Have `record` written with what is committed next, or soon."""
        ...

    async def commit(self, record: Mapping[str, Json] | None = None) -> None:
        """Return once `record` and all before it are kept; raises MachineError when they can't be."""
        ...


class JobStore:
    """The live store. Methods that await return once the change is durable; raises MachineError when it can't be."""

    def __init__(self, jobs: Jobs, journal: Journal, clock: Clock) -> None:
        self._jobs = jobs
        self._journal = journal
        self._clock = clock
        self._promised: Counter[str] = Counter()  # credits of acceptances on their way to the disk, by owner
        self._held: Counter[str] = Counter()  # source ids of the same
        self._ears: list[Callable[[Job], None]] = []

    def __repr__(self) -> str:
        return f"<JobStore: {len(self._jobs.by_id)} jobs, {self._jobs.ledger.accepted} ever accepted>"

    @property
    def ledger(self) -> Ledger:
        """All keys' ledger."""
        return self._jobs.ledger

    @property
    def quota(self) -> Quota:
        return self._jobs.quota

    def subscribe(self, ear: Callable[[Job], None]) -> None:
        """Have `ear` called with every job that is accepted or whose status has changed. It must not block."""
        self._ears.append(ear)

    def get(self, process_id: str) -> Job | None:
        return self._jobs.by_id.get(process_id)

    def using(self, source_id: str) -> Job | None:
        """Return a job whose input is `source_id`; None when nobody's is."""
        return self._jobs.using(source_id)

    def page(self, owner: str, limit: int, cursor: int | None) -> tuple[list[Job], int | None]:
        """Return up to `limit` jobs of a key in the order of the listing, and the cursor of the next page."""
        ids, following = self._jobs.account(owner).listing.page(limit, cursor)
        return [job for process_id in ids if (job := self.get(process_id)) is not None], following

    def ended_of(self, owner: str, limit: int) -> Iterator[list[Job]]:
        """Yield the finished jobs of a key, out of `limit` rows at a time. They may go meanwhile."""
        cursor: int | None = None
        while True:
            jobs, cursor = self.page(owner, limit, cursor)
            yield [job for job in jobs if job.status.is_final]
            if cursor is None:
                return

    def every(self) -> Iterator[Job]:
        """Yield every job; nothing may change meanwhile."""
        yield from self._jobs.by_id.values()

    def newest(self) -> Iterator[Job]:
        """Yield every job, the one accepted last first; nothing may change meanwhile."""
        yield from reversed(self._jobs.by_id.values())

    def unfinished(self) -> list[Job]:
        """Return the jobs that still need work, in the order they were accepted."""
        unfinished = [job for job in self._jobs.by_id.values() if not job.status.is_final]
        return sorted(unfinished, key=lambda job: job.submission.sequence)

    def ended_before(self, moment: float) -> list[Job]:
        """Return the finished jobs that last changed before `moment`. Reads few jobs younger than that.

        A job from the future, accepted while the clock was ahead, says nothing about those behind it.
        """
        old, now = [], self._clock.now()
        for job in self._jobs.by_id.values():
            if moment <= job.submission.created <= now:
                break
            if job.status.is_final and job.modified < moment:
                old.append(job)
        return old

    def charged_credits(self, owner: str) -> int:
        return self._jobs.account(owner).ledger.charged_credits

    def reserved_credits(self, owner: str) -> int:
        return self._jobs.account(owner).ledger.reserved_credits + self._promised[owner]

    @contextlib.contextmanager
    def holding(self, source_id: str) -> Iterator[None]:
        """Keep the input `source_id` while the block runs, whoever forgets the last job that used it."""
        self._held[source_id] += 1
        try:
            yield
        finally:
            self._held[source_id] -= 1
            if not self._held[source_id]:
                del self._held[source_id]

    async def accept(self, draft: Submission) -> Job:
        """Number `draft` and keep it. A reused input is told its size, should this become the last job to use it."""
        size_bytes = max(draft.input_bytes, self._jobs.input_bytes(draft.source_id))
        submission = replace(draft, sequence=self._jobs.next_sequence, input_bytes=size_bytes)
        self._jobs.next_sequence += 1
        with self._promising(submission):
            record = submission.record()
            await self._journal.commit(record)
            self._jobs.apply(record)
        job = self._jobs.by_id[submission.process_id]
        self._tell(job)
        return job

    @contextlib.contextmanager
    def _promising(self, asked: Submission) -> Iterator[None]:
        """Count `asked` against its owner's credits and quota while it is on its way to the disk."""
        size_bytes = self._jobs.new_bytes(asked)
        self._promised[asked.owner] += asked.price
        self.quota.added(asked.owner, size_bytes)
        try:
            yield
        finally:
            self._promised[asked.owner] -= asked.price
            self.quota.ended(asked.owner)
            self.quota.removed(asked.owner, size_bytes)

    def start(self, job: Job, eta: float) -> None:
        """Say that a worker has `job`. Durable with the next group: losing the line only repeats the start."""
        self._note(job, Event.STARTED)
        job.eta = eta

    def requeue(self, job: Job) -> None:
        """Say that `job` waits again. Durable with the next group."""
        self._note(job, Event.REQUEUED)

    def requeue_all(self) -> None:
        """Have every job that was running when the service ended wait again."""
        for job in self.unfinished():
            if job.status is Status.PROCESSING:
                self.requeue(job)

    async def complete(self, job: Job, finished: Finished) -> bool:
        """End `job` with a result; False when it has ended otherwise in the meantime."""
        return bool(await self.end_all([(job, finished)]))

    async def fail(self, job: Job, message: str) -> bool:
        """End `job` with one line that says why; False when it has ended otherwise in the meantime."""
        return bool(await self.end_all([(job, message)]))

    async def cancel(self, job: Job) -> bool:
        """End `job` without a result; False when it is too late."""
        return bool(await self._settle([(job, self._record(Event.CANCELLED, job) | _given_up(job))]))

    async def end_all(self, endings: Iterable[tuple[Job, Finished | str]]) -> list[Job]:
        """End jobs in one group, each with its result or one line that says why not; return those that still ran."""
        return await self._settle([(job, self._ending(job, how)) for job, how in endings])

    async def forget(self, jobs: list[Job]) -> list[Gone]:
        """Delete the finished ones of `jobs` and return them; their ledger stays."""
        going = [job for job in jobs if job.status.is_final and not job.is_settling]
        for job in going:
            job.is_settling = True
            self._journal.append(self._record("deleted", job))
        await self._journal.commit()
        gone = [self._jobs.apply({"event": "deleted", "id": job.id}) for job in going]
        return [self._spared(each) for each in gone if each is not None]

    def _spared(self, gone: Gone) -> Gone:
        return Gone(gone.process_id, "") if gone.source_id in self._held else gone

    def _tell(self, job: Job) -> None:
        for ear in self._ears:
            ear(job)

    def _note(self, job: Job, event: Event) -> None:
        record = self._record(event, job)
        self._journal.append(record)
        self._jobs.apply(record)
        self._tell(job)

    async def _settle(self, endings: list[tuple[Job, Record]]) -> list[Job]:
        going = [(job, record) for job, record in endings if not (job.is_settling or job.status.is_final)]
        if not going:
            return []
        for job, _ in going:
            job.is_settling = True
        try:
            for _, record in going:
                self._journal.append(record)
            await self._journal.commit()
            for _, record in going:
                self._jobs.apply(record)
        finally:
            for job, _ in going:
                job.is_settling = False
        for job, _ in going:
            self._tell(job)
        return [job for job, _ in going]

    def _ending(self, job: Job, how: Finished | str) -> Record:
        if isinstance(how, str):
            return self._record(Event.FAILED, job) | {"message": how} | _given_up(job)
        return self._record(Event.COMPLETED, job) | {"credits": job.submission.price} | how.record()

    def _record(self, event: str, job: Job) -> Record:
        # Later than the change before, whatever the clock says: notifications are put in order by it.
        return {"event": event, "id": job.id, "at": max(self._clock.now(), job.modified + _TICK_S)}


def _given_up(job: Job) -> Record:
    return {"credits": job.submission.price, "progress": job.progress}


@contextlib.asynccontextmanager
async def open_store(folder: Path, clock: Clock) -> AsyncIterator[JobStore]:
    """Replay the journal in `folder`, which the caller has locked, and keep it open for as long as the block runs.

    Jobs that were running are queued again. A torn tail is cut, and the log says how much.
    """
    jobs = Jobs()
    file = await asyncio.to_thread(replay, folder / JOURNAL_NAME, jobs)
    async with JournalWriter(file, name="the service's journal") as journal:
        store = JobStore(jobs, journal, clock)
        store.requeue_all()
        yield store


def replay(path: Path, jobs: Jobs, *, sync: bool = True) -> AppendFile:
    """Fold the journal at `path` into `jobs` and return it, open behind its last sound line. Blocks."""
    reading = Reading()
    for record in read(path, reading):
        jobs.apply(record)
    file = AppendFile(path, sync=sync)
    if reading.torn_bytes:
        _log.warning("the journal ended in a torn line: %d bytes cut", reading.torn_bytes)
        file.truncate(reading.sound_bytes)
    if reading.damaged_lines or jobs.skipped:
        _log.error("the journal has %d damaged lines; %d others fit nothing", reading.damaged_lines, jobs.skipped)
    return file
