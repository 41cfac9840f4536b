"""The crew: a fixed number of slots that take jobs as the schedule gives them out.

A worker that dies takes down its own job only, and that only when a fresh worker dies of it too. Where the machine
is at fault - no worker starts, the disk is full - no job is: it waits at its old place, and the slot tries again
after a pause that doubles. Ending the crew kills the workers; the jobs they had are queued again by the next replay.
"""

import asyncio
import logging
import sys
from collections.abc import Iterable
from dataclasses import replace
from itertools import islice

from engine.clock import Clock
from engine.errors import UsageError
from engine.journal.line import Record
from engine.service.files import Files
from engine.service.job_state import Status
from engine.service.job_store import JobStore
from engine.service.jobs import Job
from engine.service.schedule import Schedule
from engine.service.settings import ServiceSettings
from engine.service.slot import Bench, Slot
from engine.service.submission import Submission
from engine.service.submit import settings_of
from engine.service.work import Work
from engine.service.worker_memory import check_memory
from engine.service.worker_process import JobFailed, MachineTrouble
from engine.service.worker_protocol import request_of

__all__ = ["Crew"]

_log = logging.getLogger(__name__)

_FIRST_PAUSE_S = 0.5
_LONGEST_PAUSE_S = 30.0
_LESSONS = 300  # finished jobs that a start learns from: more than count


class Crew:
    """Restores what is put to it. `queued` and `running` count jobs."""

    def __init__(self, settings: ServiceSettings, store: JobStore, files: Files, clock: Clock) -> None:
        self._store = store
        self._files = files
        self._clock = clock
        self._bench = _bench(settings)
        self._size = settings.workers
        self._schedule = Schedule(settings.workers, clock)
        self._schedule.learn(reversed(list(islice(store.newest(), _LESSONS))))
        self._all_slots = [Slot(self._bench) for _ in range(self._size)]
        self._failing: set[Slot] = set()
        self._slots: dict[str, Slot] = {}  # by the id of the job they have
        self._last_owners: dict[Slot, str] = {}  # of the job they had last
        self._is_quiet = asyncio.Event()  # set while no job runs
        self._is_quiet.set()

    def __repr__(self) -> str:
        return f"<Crew of {self._size}: {self.queued} queued, {self.running} running, {self._schedule!r}>"

    @property
    def queued(self) -> int:
        return len(self._schedule)

    @property
    def running(self) -> int:
        return len(self._slots)

    @property
    def is_failing(self) -> bool:
        """Whether the machine keeps a slot from working; the log says how."""
        return bool(self._failing)

    def eta(self, asked: Submission) -> float:
        """Return the Unix time at which `asked` would be done if it were put now."""
        return self._schedule.eta(asked)

    def duration_s(self, work: Work) -> float:
        """Return how long `work` takes by itself."""
        return self._schedule.duration_s(work)

    def health(self) -> Record:
        """Return what /health tells of the work."""
        return {
            "workers": self._size,
            "queued": self.queued,
            "running": self.running,
            "workers_failing": self.is_failing,
            "worker_deaths": sum(slot.deaths for slot in self._all_slots),
        }

    def put(self, jobs: Iterable[Job]) -> None:
        """Queue pending jobs."""
        for job in jobs:
            self._schedule.put(job)

    async def cancel(self, job: Job) -> bool:
        """End `job`, queued or running, unless it has ended; durable when it returns. False when it is too late."""
        if not await self._store.cancel(job):
            return False
        self._schedule.discard(job)
        if slot := self._slots.get(job.id):
            await slot.abandon(job.id)
        return True

    async def drain(self) -> None:
        """Take no more jobs from now on, and return once those that run have ended."""
        self._schedule.close()
        await self._is_quiet.wait()

    async def run(self) -> None:
        """Work until cancelled; raises MachineError when an ending can't be journaled."""
        try:
            async with asyncio.TaskGroup() as tasks:
                for number, slot in enumerate(self._all_slots):
                    tasks.create_task(self._work(slot), name=f"restoration slot {number}")
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
        """Take a job once a worker is ready for it; raises MachineTrouble, the job being queued again.

        Where the last job has cost the slot its worker, the start of the next one is charged to its owner.
        """
        began = self._clock.monotonic()
        await slot.warm()
        if (owner := self._last_owners.pop(slot, None)) is not None:
            self._schedule.charge(owner, self._clock.monotonic() - began)
        if not self.queued:
            self._failing.discard(slot)  # else the next job tells whether the trouble is over
        job = await self._schedule.take()
        if job.status is Status.PENDING and not job.is_settling:
            await self._do(job, slot)
        self._failing.discard(slot)

    async def _do(self, job: Job, slot: Slot) -> None:
        self._slots[job.id] = slot
        self._is_quiet.clear()
        began = self._clock.monotonic()
        self._store.start(job, self._schedule.began(job))
        try:
            is_done = await self._restore(job, slot)
        except MachineTrouble:
            self._put_back(job)
            raise
        finally:
            del self._slots[job.id]
            self._schedule.ended(job)
            if not self._slots:
                self._is_quiet.set()
        self._last_owners[slot] = job.owner
        if not is_done:
            await self._remove_output(job)
        _log.info("%s %s after %.1f s", job.id, job.status, self._clock.monotonic() - began)

    async def _restore(self, job: Job, slot: Slot) -> bool:
        """Say whether `job` has completed; else it has ended otherwise."""

        def progress(percent: int) -> None:
            # 100 is for the finished job, whose result can be fetched.
            job.progress = max(job.progress, min(99, percent))

        began = self._clock.monotonic()
        try:
            finished = await slot.restore(job.id, self._request(job), progress)
        except (JobFailed, UsageError) as failure:
            await self._store.fail(job, str(failure))
            return False
        except MachineTrouble:
            raise
        except Exception:  # a fault of this program's: it costs one job, not the service
            _log.exception("%s can't be worked on", job.id)
            await self._store.fail(job, "internal error; the service's log says more")
            return False
        return await self._store.complete(job, replace(finished, work_s=round(self._clock.monotonic() - began, 3)))

    def _put_back(self, job: Job) -> None:
        if job.status is Status.PROCESSING and not job.is_settling:
            self._store.requeue(job)
            self._schedule.put_back(job)

    def _request(self, job: Job) -> Record:
        """Return what the worker is told; raises UsageError for settings that an older version accepted."""
        asked = job.submission
        source, target = self._files.input(asked.source_id), self._files.output(job.id)
        return request_of(asked, settings_of(asked), source, target)

    async def _remove_output(self, job: Job) -> None:
        try:
            await asyncio.to_thread(self._files.remove_output, job.id)
        except OSError as error:  # a stray file is no reason to stop: deleting the job tries again
            _log.warning("the output of %s can't be removed: %s", job.id, error)


def _bench(settings: ServiceSettings) -> Bench:
    """Raises UsageError for a memory limit that workers can't work under."""
    check_memory(settings.worker_memory_bytes)
    own = [sys.executable, "-m", "engine.service.worker"]
    own += ["--threads", str(settings.threads_per_worker), "--time-limit", str(settings.job_time_limit_s)]
    if settings.worker_memory_bytes is not None:
        own += ["--memory", str(settings.worker_memory_bytes)]
    return Bench(
        command=settings.worker_command or own,
        threads=settings.threads_per_worker,
        job_time_limit_s=settings.job_time_limit_s,
    )
