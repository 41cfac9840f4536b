"""Jobs that end when the model says so: a heap of moments and one timer, never a task a job.

A cancelled job of a `queue` keeps its worker until its moment has come. After a restart a job of an unlimited model
ends when it would have ended anyway; those of a `queue` stand in line again.
"""

import asyncio
import heapq
import math
from collections.abc import Iterable

from engine.clock import Clock
from engine.journal.line import Record
from engine.service.job_state import Status
from engine.service.job_store import JobStore
from engine.service.jobs import Job
from engine.service.simulate.dice import Dice
from engine.service.simulate.latency import Line
from engine.service.simulate.results import Results
from engine.service.simulate.simulation import Simulation
from engine.service.submission import Finished, Submission
from engine.service.work import Work

__all__ = ["SimulatedCrew"]

_TICK_S = 0.005  # jobs that end within it end together: one write, one wake-up
_LOOK_S = 1.0  # the machine's clock may jump, which no timer notices
_BATCH = 500  # and no more at once: requests get their turn in between


class SimulatedCrew:
    """`engine.service.parts.Restoring` without any work."""

    def __init__(self, simulation: Simulation, store: JobStore, results: Results, clock: Clock) -> None:
        self._simulation = simulation
        self._latency = simulation.latency
        self._dice = Dice(simulation.seed)
        self._store = store
        self._results = results
        self._clock = clock
        self._line = Line(self._latency)
        # By moment; a job is in it once, first for its beginning, if it has to wait for that, then for its end.
        self._moments: list[tuple[float, int, float, Job]] = []
        self._wake = asyncio.Event()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._is_draining = False
        self._counts = {Status.PENDING: 0, Status.PROCESSING: 0}

    def __repr__(self) -> str:
        return f"<SimulatedCrew: {self._counts[Status.PENDING]} waiting, {self._counts[Status.PROCESSING]} at work>"

    def eta(self, asked: Submission) -> float:
        """Return what the model knows beforehand, times `eta_factor` and the noise of this name."""
        told = self._simulation
        noise = self._dice.normal("eta", asked.filename) if told.eta_noise else 0.0
        forecast_s = self._latency.forecast_s(sum(self._counts.values()))
        return self._clock.now() + forecast_s * told.eta_factor * math.exp(told.eta_noise * noise)

    def duration_s(self, _work: Work) -> float:
        return self._latency.median_s

    def put(self, jobs: Iterable[Job]) -> None:
        """Give each job the moment of its beginning and of its end."""
        now = self._clock.now()
        for job in jobs:
            asked = job.submission
            work_s = self._latency.work_s(self._dice.normal("latency", asked.filename))
            came = min(now, asked.created) if self._latency.workers is None else now
            begin, end = self._line.place(came, work_s)
            self._counts[Status.PENDING] += 1
            if begin <= now:
                self._begin(job)
                begin = end
            heapq.heappush(self._moments, (begin, asked.sequence, end, job))
        self._set_timer()

    async def cancel(self, job: Job) -> bool:
        was = job.status
        if not await self._store.cancel(job):
            return False
        self._counts[was] -= 1
        return True

    def health(self) -> Record:
        return {
            "simulated": True,
            "workers": self._latency.workers,
            "queued": self._counts[Status.PENDING],
            "running": self._counts[Status.PROCESSING],
            "workers_failing": False,
        }

    async def drain(self) -> None:
        """Begin no more jobs from now on, and return once those at work have ended."""
        self._is_draining = True
        while self._counts[Status.PROCESSING]:
            await self._clock.sleep(_TICK_S)

    async def run(self) -> None:
        """End jobs as their moments come, until cancelled; raises MachineError when the journal can't be written."""
        try:
            while True:
                endings = [(job, await self._ending(job)) for job in self._due()]
                self._counts[Status.PROCESSING] -= len(await self._store.end_all(endings))
                self._stop_timer()
                self._set_timer()
                await self._wake.wait()
                self._wake.clear()
        finally:
            self._stop_timer()

    def _due(self) -> list[Job]:
        """Begin what is to begin by now and return what is to end, up to a batch."""
        now = self._clock.now()
        ended: list[Job] = []
        while self._moments and self._moments[0][0] <= now and len(ended) < _BATCH:
            _, sequence, end, job = heapq.heappop(self._moments)
            if job.is_settling:  # it is being cancelled
                continue
            if job.status is Status.PENDING and self._is_draining:
                continue  # the next start finds it in the journal
            if job.status is Status.PENDING:
                self._begin(job)
                heapq.heappush(self._moments, (end, sequence, end, job))
            elif job.status is Status.PROCESSING:
                ended.append(job)
        return ended

    def _begin(self, job: Job) -> None:
        self._store.start(job, job.eta)
        self._counts[Status.PENDING] -= 1
        self._counts[Status.PROCESSING] += 1

    async def _ending(self, job: Job) -> Finished | str:
        asked, told = job.submission, self._simulation
        if told.failed_jobs and self._dice.share("failed_jobs", asked.filename) < told.failed_jobs:
            return "the simulation has this job fail"
        result = await self._results.get(asked.output_format, asked.output_width, asked.output_height)
        return Finished(
            input_width=asked.input_width,
            input_height=asked.input_height,
            output_width=asked.output_width,
            output_height=asked.output_height,
            faces=1,
            warnings=(),
            sha256=result.sha256,
            size_bytes=len(result.body),
        )

    def _set_timer(self) -> None:
        """Have `run` wake at the first moment, or sooner."""
        if not self._moments or (self._timer is not None and self._timer_at <= self._moments[0][0]):
            return
        self._stop_timer()
        self._timer_at = self._moments[0][0]
        left_s = self._timer_at - self._clock.now()
        if left_s <= 0.0:  # jobs of no latency are done before their submit is answered, or right after
            self._wake.set()
            return
        delay_s = min(_LOOK_S, max(_TICK_S, left_s))
        self._timer = asyncio.get_running_loop().call_later(delay_s, self._ring)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _ring(self) -> None:
        self._timer = None
        self._wake.set()
