"""Every job of the service, in memory for reading, in the journal before anybody is told.

One fold for the live service and for the replay: a change becomes a record, the record becomes durable, then
`Jobs.apply` changes the memory. Between the two the job is *settling*, and no second ending may begin.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from engine.clock import Clock
from engine.disk import AppendFile
from engine.journal.line import Json, Record
from engine.journal.replay import Reading, read
from engine.journal.writer import JournalWriter
from engine.service.credits import JOURNAL_NAME, Ledger, credits_of
from engine.service.job_state import Event, IllegalStep, Status, step
from engine.service.listing import NEWEST_FIRST, Listing, Order
from engine.service.submission import Finished, Submission

__all__ = ["Job", "JobStore", "Jobs", "Journal", "open_store", "replay"]

_log = logging.getLogger(__name__)


@dataclass(slots=True, kw_only=True)
class Job:
    """One job as it stands. Only `Jobs.apply` moves its status."""

    submission: Submission
    eta: float
    modified: float
    status: Status = Status.PENDING
    progress: int = 0
    finished: Finished | None = None
    message: str | None = None  # why it failed
    is_settling: bool = False  # its ending is on the way to the disk

    @property
    def id(self) -> str:
        return self.submission.process_id


class Jobs:
    """The fold of the journal: all jobs, their order, and the ledger. Never awaits."""

    def __init__(self, order: Order = NEWEST_FIRST) -> None:
        self.by_id: dict[str, Job] = {}  # in the order they were accepted
        self.listing: Listing[str] = Listing(order)  # of their ids
        self.ledger = Ledger()
        self.next_sequence = 0
        self.skipped = 0  # records that fit nothing: the journal lost lines before them

    def apply(self, record: Record) -> None:
        """Take in one durable record; a record that fits nothing is counted and changes nothing."""
        try:
            credits_of(record)
            self._fold(record)
            self.ledger.apply(record)
        except (IllegalStep, KeyError, TypeError, ValueError):
            self.skipped += 1

    def _fold(self, record: Record) -> None:
        match record["event"]:
            case "accepted":
                self._add(Submission.from_record(record))
            case "deleted":
                self.listing.remove(self.by_id.pop(record["id"]).submission.sequence)
            case event:
                _change(self.by_id[record["id"]], Event(event), record)

    def _add(self, submission: Submission) -> None:
        job = Job(submission=submission, eta=submission.eta, modified=submission.created)
        self.by_id[job.id] = job
        self.listing.add(submission.sequence, job.id)
        self.next_sequence = max(self.next_sequence, submission.sequence + 1)


def _change(job: Job, event: Event, record: Record) -> None:
    after, at = step(job.status, event), record["at"]
    match event:
        case Event.COMPLETED:
            job.finished = Finished.from_record(record)
        case Event.FAILED:
            job.message = record["message"]
    job.status, job.modified = after, at
    job.progress = 100 if event is Event.COMPLETED else record.get("progress", 0)
    job.eta = at if after.is_final else job.eta


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
        self._promised_credits = 0  # of acceptances on their way to the disk

    def __repr__(self) -> str:
        return f"<JobStore: {len(self._jobs.by_id)} jobs, {self._jobs.ledger.accepted} ever accepted>"

    @property
    def ledger(self) -> Ledger:
        return self._jobs.ledger

    def get(self, process_id: str) -> Job | None:
        return self._jobs.by_id.get(process_id)

    def page(self, limit: int, cursor: int | None) -> tuple[list[Job], int | None]:
        """Return up to `limit` jobs in the order of the listing, and the cursor of the next page."""
        ids, following = self._jobs.listing.page(limit, cursor)
        return [job for process_id in ids if (job := self.get(process_id)) is not None], following

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

    def reserved_credits(self) -> int:
        return self.ledger.reserved_credits + self._promised_credits

    async def accept(self, draft: Submission) -> Job:
        """Number `draft` and keep it."""
        submission = replace(draft, sequence=self._jobs.next_sequence)
        self._jobs.next_sequence += 1
        self._promised_credits += submission.price
        try:
            record = submission.record()
            await self._journal.commit(record)
            self._jobs.apply(record)
        finally:
            self._promised_credits -= submission.price
        return self._jobs.by_id[submission.process_id]

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

    async def forget(self, jobs: list[Job]) -> list[str]:
        """Delete the finished ones of `jobs` and return their ids; their ledger stays."""
        going = [job for job in jobs if job.status.is_final and not job.is_settling]
        for job in going:
            job.is_settling = True
            self._journal.append(self._record("deleted", job))
        await self._journal.commit()
        for job in going:
            self._jobs.apply({"event": "deleted", "id": job.id})
        return [job.id for job in going]

    def _note(self, job: Job, event: Event) -> None:
        record = self._record(event, job)
        self._journal.append(record)
        self._jobs.apply(record)

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
        return [job for job, _ in going]

    def _ending(self, job: Job, how: Finished | str) -> Record:
        if isinstance(how, str):
            return self._record(Event.FAILED, job) | {"message": how} | _given_up(job)
        return self._record(Event.COMPLETED, job) | {"credits": job.submission.price} | how.record()

    def _record(self, event: str, job: Job) -> Record:
        return {"event": event, "id": job.id, "at": self._clock.now()}


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
