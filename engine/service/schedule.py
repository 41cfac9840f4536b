"""Which job is next, and when each one will be done: the queue, and what finished jobs taught about the others."""

import asyncio
from collections.abc import Iterable

from engine.clock import Clock
from engine.service.duration import Durations
from engine.service.eta import Timetable
from engine.service.fair_queue import FairQueue
from engine.service.jobs import Job
from engine.service.submission import Submission
from engine.service.work import Work, work_of

__all__ = ["Schedule"]


class Schedule:
    """The jobs that wait for one of `workers`, and those that have one."""

    def __init__(self, workers: int, clock: Clock) -> None:
        self._clock = clock
        self._durations = Durations()
        self._queue: FairQueue[Job] = FairQueue(self._durations.seconds)
        self._timetable = Timetable(self._durations, self._queue, workers)
        self._foretold: dict[str, tuple[float, float]] = {}  # by the id of the job at work: since when, and how long
        self._has_job = asyncio.Event()
        self._is_open = True

    def __repr__(self) -> str:
        return f"<Schedule: {self._queue!r}, {self._durations!r}>"

    def __len__(self) -> int:
        return len(self._queue)

    def eta(self, asked: Submission) -> float:
        """Return the Unix time at which `asked` would be done if it were put now."""
        now_s = self._clock.monotonic()
        return self._clock.now() + self._timetable.seconds_until_done(asked.owner, _work(asked), now_s)

    def duration_s(self, work: Work) -> float:
        """Return how long `work` takes one worker."""
        return self._durations.seconds(work)

    def learn(self, finished: Iterable[Job]) -> None:
        """Take in how long jobs took, the oldest first."""
        for job in finished:
            if job.finished is not None and job.finished.work_s > 0.0:
                self._durations.learn(_work(job.submission), job.finished.work_s)

    def put(self, job: Job) -> None:
        """Queue `job`; one that had its turn already gets its place back."""
        asked = job.submission
        self._timetable.submitted(asked.owner, _work(asked), self._clock.monotonic())
        self._put(job)

    def put_back(self, job: Job) -> None:
        """Queue `job` again, which began and did not end, at its old place. What it took is nobody's fault."""
        self._timetable.ended(job.id)
        self._foretold.pop(job.id, None)
        self._put(job)

    async def take(self) -> Job:
        """Return the next job once there is one, and only while this is open."""
        while not (self._is_open and len(self._queue)):
            self._has_job.clear()
            await self._has_job.wait()
        return self._queue.pop()

    def discard(self, job: Job) -> None:
        """Take out a job that has been cancelled, if it waits."""
        self._queue.discard(job.owner, job.submission.sequence)

    def close(self) -> None:
        """Give out no more jobs."""
        self._is_open = False

    def began(self, job: Job) -> float:
        """Note that a worker has `job`, and return the Unix time at which it will be done."""
        work, now_s = _work(job.submission), self._clock.monotonic()
        foretold_s = self._durations.seconds(work)
        self._timetable.began(job.id, work, now_s)
        self._foretold[job.id] = now_s, foretold_s
        return self._clock.now() + foretold_s

    def ended(self, job: Job) -> None:
        """Note that no worker has `job` any more, and learn from it if it was done.

        However it ended: what it took beyond the foretold is charged to its owner.
        """
        self._timetable.ended(job.id)
        if told := self._foretold.pop(job.id, None):
            began_s, foretold_s = told
            self.charge(job.owner, self._clock.monotonic() - began_s - foretold_s)
        self.learn([job])

    def charge(self, owner: str, seconds: float) -> None:
        """Have the next jobs of `owner` wait for what it took of a worker beyond the foretold; below 0 counts as 0."""
        self._queue.charge(owner, max(0.0, seconds))

    def _put(self, job: Job) -> None:
        self._queue.put(job.owner, job.submission.sequence, _work(job.submission), job)
        self._has_job.set()


def _work(asked: Submission) -> Work:
    sizes = (asked.input_width, asked.input_height), (asked.output_width, asked.output_height)
    return work_of(asked.route, *sizes, asked.face_work)
