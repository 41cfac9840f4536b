"""The crew: a fixed number of slots that take jobs in the order they came.

A worker that dies takes down its own job only, and that only when a fresh worker dies of it too. Where the machine
is at fault - no worker starts, the disk is full - no job is: it waits at its old place, and the slot tries again
after a pause that doubles. Ending the crew kills the workers; the jobs they had are queued again by the next replay.
"""

import asyncio
import logging
import sys
from collections.abc import Iterable

from engine.clock import Clock
from engine.errors import UsageError
from engine.journal.line import Record
from engine.service.eta import Pace
from engine.service.files import Files
from engine.service.job_state import Status
from engine.service.job_store import Job, JobStore
from engine.service.settings import ServiceSettings
from engine.service.slot import Bench, Slot
from engine.service.submission import Submission
from engine.service.submit import settings_of, units_of
from engine.service.worker_process import JobFailed, MachineTrouble
from engine.service.worker_protocol import request_of

__all__ = ["Crew"]

_log = logging.getLogger(__name__)

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0


class Crew:
    """Restores what is put to it. `queued` and `running` count jobs."""

    def __init__(self, settings: ServiceSettings, store: JobStore, files: Files, clock: Clock) -> None:
        self._store = store
        self._files = files
        self._clock = clock
        self._bench = _bench(settings)
        self._size = settings.workers
        # By sequence: a job that is put back keeps its place.
        self._queue: asyncio.PriorityQueue[tuple[int, Job]] = asyncio.PriorityQueue()
        self._failing: set[Slot] = set()
        self._slots: dict[str, Slot] = {}  # by the id of the job they have
        self._units_ahead = 0.0  # queued and running
        self.pace = Pace()
        self.queued = 0

    def __repr__(self) -> str:
        return f"<Crew of {self._size}: {self.queued} queued, {self.running} running, {self.pace!r}>"

    @property
    def running(self) -> int:
        return len(self._slots)

    @property
    def is_failing(self) -> bool:
        """Whether the machine keeps a slot from working; the log says how."""
        return bool(self._failing)

    def eta(self, asked: Submission) -> float:
        """Return the Unix time at which `asked` would be done if it were put now."""
        return self.pace.eta(self._clock.now(), units_of(asked), units_ahead=self._units_ahead, workers=self._size)

    def duration_s(self, units: float) -> float:
        """Return how long a job of `units` takes by itself."""
        return self.pace.eta(0.0, units)

    def health(self) -> Record:
        """Return what /health tells of the work."""
        return {
            "workers": self._size,
            "queued": self.queued,
            "running": self.running,
            "workers_failing": self.is_failing,
        }

    def put(self, jobs: Iterable[Job]) -> None:
        """Queue pending jobs."""
        for job in jobs:
            self.queued += 1
            self._units_ahead += units_of(job.submission)
            self._queue.put_nowait((job.submission.sequence, job))

    async def cancel(self, job: Job) -> bool:
        """End `job`, queued or running, unless it has ended; durable when it returns. False when it is too late."""
        was_waiting = job.status is Status.PENDING
        if not await self._store.cancel(job):
            return False
        if was_waiting:
            self.queued -= 1
            self._units_ahead -= units_of(job.submission)
        elif slot := self._slots.get(job.id):
            await slot.abandon()
        return True

    async def run(self) -> None:
        """Work until cancelled; raises MachineError when an ending can't be journaled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for number in range(self._size):
                    tasks.create_task(self._work(Slot(self._bench)), name=f"restoration slot {number}")
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from failures

    async def _work(self, slot: Slot) -> None:
        pause_s = _FIRST_PAUSE_S
        try:
            while True:
                try:
                    await self._do_next(slot)
                    pause_s = _FIRST_PAUSE_S
                except MachineTrouble as trouble:
                    self._failing.add(slot)
                    _log.error("%s; no job is charged with it, the next try is in %.1f s", trouble, pause_s)
                    await self._clock.sleep(pause_s)
                    pause_s = min(2 * pause_s, _LONGEST_PAUSE_S)
        finally:
            await slot.close()

    async def _do_next(self, slot: Slot) -> None:
        """Take a job once a worker is ready for it; raises MachineTrouble, the job being queued again."""
        await slot.warm()
        if self._queue.empty():
            self._failing.discard(slot)  # else the next job tells whether the trouble is over
        _, job = await self._queue.get()
        if job.status is Status.PENDING and not job.is_settling:  # what was cancelled is no longer counted
            await self._do(job, slot)
        self._failing.discard(slot)

    async def _do(self, job: Job, slot: Slot) -> None:
        self.queued -= 1
        self._slots[job.id] = slot
        began = self._clock.monotonic()
        units = units_of(job.submission)
        self._store.start(job, self.pace.eta(self._clock.now(), units))
        try:
            is_done = await self._restore(job, slot)
        except MachineTrouble:
            self._put_back(job)
            raise
        finally:
            del self._slots[job.id]
            self._units_ahead -= units
        if is_done:
            self.pace.learn(units, self._clock.monotonic() - began)
        else:
            await self._remove_output(job)
        _log.info("%s %s after %.1f s", job.id, job.status, self._clock.monotonic() - began)

    async def _restore(self, job: Job, slot: Slot) -> bool:
        """Say whether `job` has completed; else it has ended otherwise."""

        def progress(percent: int) -> None:
            # 100 is for the finished job, whose result can be fetched.
            job.progress = max(job.progress, min(99, percent))

        try:
            finished = await slot.restore(self._request(job), progress)
        except (JobFailed, UsageError) as failure:
            await self._store.fail(job, str(failure))
            return False
        return await self._store.complete(job, finished)

    def _put_back(self, job: Job) -> None:
        if job.status is Status.PROCESSING and not job.is_settling:
            self._store.requeue(job)
            self.put([job])

    def _request(self, job: Job) -> Record:
        """Return what the worker is told; raises UsageError for settings that an older version accepted."""
        asked = job.submission
        return request_of(asked, settings_of(asked), self._files.input(job.id), self._files.output(job.id))

    async def _remove_output(self, job: Job) -> None:
        try:
            await asyncio.to_thread(self._files.remove_output, job.id)
        except OSError as error:  # a stray file is no reason to stop: deleting the job tries again
            _log.warning("the output of %s can't be removed: %s", job.id, error)


def _bench(settings: ServiceSettings) -> Bench:
    own = (sys.executable, "-m", "engine.service.worker", "--threads", str(settings.threads_per_worker))
    return Bench(
        command=settings.worker_command or own,
        threads=settings.threads_per_worker,
        job_time_limit_s=settings.job_time_limit_s,
    )
