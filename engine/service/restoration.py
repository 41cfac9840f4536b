"""The crew: a fixed number of slots that take jobs in the order they came.

A worker that dies takes down its own job only, and that only when a fresh worker dies of it too. Ending the crew
kills the workers; the jobs they had are queued again by the next replay.
"""

import asyncio
import logging
import sys
from collections.abc import Iterable

from engine.clock import Clock
from engine.service.eta import Pace
from engine.service.files import Files
from engine.service.job_state import Status
from engine.service.job_store import Job, JobStore
from engine.service.settings import ServiceSettings
from engine.service.slot import Bench, Slot
from engine.service.submit import settings_of, units_of
from engine.service.worker_process import JobFailed
from engine.service.worker_protocol import request_of

__all__ = ["Crew"]

_log = logging.getLogger(__name__)


class Crew:
    """Restores what is put to it. `queued` and `running` count jobs."""

    def __init__(self, settings: ServiceSettings, store: JobStore, files: Files, clock: Clock) -> None:
        self._store = store
        self._files = files
        self._clock = clock
        self._bench = _bench(settings)
        self._size = settings.workers
        self._queue: asyncio.Queue[Job] = asyncio.Queue()
        self._slots: dict[str, Slot] = {}  # by the id of the job they have
        self._units_ahead = 0.0  # queued and running
        self._pace = Pace()
        self.queued = 0

    def __repr__(self) -> str:
        return f"<Crew of {self._size}: {self.queued} queued, {self.running} running, {self._pace!r}>"

    @property
    def running(self) -> int:
        return len(self._slots)

    def eta(self, units: float) -> float:
        """Return the Unix time at which a job of `units` would be done if it were put now."""
        return self._pace.eta(self._clock.now(), units, units_ahead=self._units_ahead, workers=self._size)

    def put(self, jobs: Iterable[Job]) -> None:
        """Queue pending jobs."""
        for job in jobs:
            self.queued += 1
            self._units_ahead += units_of(job.submission)
            self._queue.put_nowait(job)

    async def cancel(self, job: Job) -> bool:
        """End `job`, queued or running, unless it has ended; durable when it returns. False when it is too late."""
        if not await self._store.cancel(job):
            return False
        if slot := self._slots.get(job.id):
            await slot.abandon()
        else:
            self.queued -= 1
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
        try:
            await slot.warm()
            while True:
                job = await self._queue.get()
                if job.status is Status.PENDING and not job.is_settling:
                    await self._do(job, slot)
                self._units_ahead -= units_of(job.submission)
        finally:
            await slot.close()

    async def _do(self, job: Job, slot: Slot) -> None:
        self.queued -= 1
        self._slots[job.id] = slot
        began = self._clock.monotonic()
        units = units_of(job.submission)
        self._store.start(job, self._pace.eta(self._clock.now(), units))
        try:
            is_done = await self._restore(job, slot)
        finally:
            del self._slots[job.id]
        if is_done:
            self._pace.learn(units, self._clock.monotonic() - began)
        else:
            await asyncio.to_thread(self._files.remove_output, job.id)
        _log.info("%s %s after %.1f s", job.id, job.status, self._clock.monotonic() - began)

    async def _restore(self, job: Job, slot: Slot) -> bool:
        """Say whether `job` has completed; else it has ended otherwise."""
        asked = job.submission
        request = request_of(asked, settings_of(asked), self._files.input(job.id), self._files.output(job.id))

        def progress(percent: int) -> None:
            # 100 is for the finished job, whose result can be fetched.
            job.progress = max(job.progress, min(99, percent))

        try:
            finished = await slot.restore(request, progress)
        except JobFailed as failure:
            await self._store.fail(job, str(failure))
            return False
        return await self._store.complete(job, finished)


def _bench(settings: ServiceSettings) -> Bench:
    own = (sys.executable, "-m", "engine.service.worker", "--threads", str(settings.threads_per_worker))
    return Bench(
        command=settings.worker_command or own,
        threads=settings.threads_per_worker,
        job_time_limit_s=settings.job_time_limit_s,
    )
