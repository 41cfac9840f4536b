"""Every job of the service, in memory for reading, in the journal before anybody is told.

One fold for the live service and for the replay: a change becomes a record, the record becomes durable, then
`Jobs.apply` changes the memory. Between the two the job is *settling*, and no second ending may begin.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path

from engine.clock import Clock
from engine.disk import AppendFile
from engine.journal.line import Record
from engine.journal.replay import Reading, read
from engine.journal.writer import JournalWriter
from engine.service.credits import JOURNAL_NAME, Ledger, credits_of
from engine.service.job_state import Event, IllegalStep, Status, step
from engine.service.listing import Listing
from engine.service.submission import Finished, Submission

__all__ = ["Job", "JobStore", "Jobs", "open_store"]

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

    def __init__(self) -> None:
        self.by_id: dict[str, Job] = {}
        self.listing: Listing[Job] = Listing()
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
        self.listing.add(submission.sequence, job)
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


class JobStore:
    """The live store. Methods that await return once the change is durable; raises MachineError when it can't be."""

    def __init__(self, jobs: Jobs, journal: JournalWriter, clock: Clock) -> None:
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

    def page(self, limit: int, before: int | None) -> tuple[list[Job], int | None]:
        """Return up to `limit` jobs, newest first, and the cursor of the next page."""
        return self._jobs.listing.newest(limit, before)

    def unfinished(self) -> list[Job]:
        """Return the jobs that still need work, in the order they were accepted."""
        return [job for job in self._jobs.listing.oldest_first() if not job.status.is_final]

    def ended_before(self, moment: float) -> list[Job]:
        """Return the finished jobs that last changed before `moment`. Reads few jobs younger than that.

        A job from the future, accepted while the clock was ahead, says nothing about those behind it.
        """
        old, now = [], self._clock.now()
        for job in self._jobs.listing.oldest_first():
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

    async def complete(self, job: Job, finished: Finished) -> bool:
        """End `job` with a result; False when it has ended otherwise in the meantime."""
        return await self._settle(job, Event.COMPLETED, {"credits": job.submission.price, **finished.record()})

    async def fail(self, job: Job, message: str) -> bool:
        """End `job` with one line that says why; False when it has ended otherwise in the meantime."""
        return await self._settle(job, Event.FAILED, {"message": message, **_given_up(job)})

    async def cancel(self, job: Job) -> bool:
        """End `job` without a result; False when it is too late."""
        return await self._settle(job, Event.CANCELLED, _given_up(job))

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

    async def _settle(self, job: Job, event: Event, more: Record) -> bool:
        if job.is_settling or job.status.is_final:
            return False
        job.is_settling = True
        try:
            record = {**self._record(event, job), **more}
            await self._journal.commit(record)
            self._jobs.apply(record)
        finally:
            job.is_settling = False
        return True

    def _record(self, event: str, job: Job) -> Record:
        return {"event": event, "id": job.id, "at": self._clock.now()}


def _given_up(job: Job) -> Record:
    return {"credits": job.submission.price, "progress": job.progress}


@contextlib.asynccontextmanager
async def open_store(folder: Path, clock: Clock) -> AsyncIterator[JobStore]:
    """Replay the journal in `folder`, which the caller has locked, and keep it open for as long as the block runs.

    Jobs that were running are queued again. A torn tail is cut, and the log says how much.
    """
    jobs, file = await asyncio.to_thread(_replay, folder / JOURNAL_NAME)
    async with JournalWriter(file, name="the service's journal") as journal:
        store = JobStore(jobs, journal, clock)
        for job in store.unfinished():
            if job.status is Status.PROCESSING:
                store.requeue(job)
        yield store


def _replay(path: Path) -> tuple[Jobs, AppendFile]:
    jobs, reading = Jobs(), Reading()
    for record in read(path, reading):
        jobs.apply(record)
    file = AppendFile(path)
    if reading.torn_bytes:
        _log.warning("the journal ended in a torn line: %d bytes cut", reading.torn_bytes)
        file.truncate(reading.sound_bytes)
    if reading.damaged_lines or jobs.skipped:
        _log.error("the journal has %d damaged lines; %d others fit nothing", reading.damaged_lines, jobs.skipped)
    return jobs, file
