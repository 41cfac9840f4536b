"""One place at the bench: a worker process, replaced when it dies."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.journal.line import Record
from engine.service.submission import Finished
from engine.service.worker_process import JobFailed, MachineTrouble, WorkerDied, WorkerProcess

__all__ = ["Bench", "Slot"]

_log = logging.getLogger(__name__)

_ATTEMPTS = 2  # one more in a fresh worker: the death may have been an earlier job's leak


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """What every slot needs to know."""

    command: Sequence[str]
    threads: int
    job_time_limit_s: float


class Slot:
    """Has one request done at a time. Close it to be rid of its worker."""

    def __init__(self, bench: Bench) -> None:
        self._bench = bench
        self._worker: WorkerProcess | None = None
        self._job_id = ""  # of the request that is being done
        self._is_abandoned = False
        self.deaths = 0  # of workers that had a request, each with its own end

    def __repr__(self) -> str:
        return f"<Slot: {self._worker!r}>"

    async def warm(self) -> None:
        """Have a worker ready before the next request; raises MachineTrouble."""
        await self._ready()

    async def restore(self, job_id: str, request: Record, on_progress: Callable[[int], None]) -> Finished:
        """Have `request` of a job done; raises JobFailed, also when it was abandoned, and MachineTrouble.

        Only the deaths of workers that had the request count as attempts.
        """
        self._job_id, self._is_abandoned = job_id, False
        try:
            return await self._in_attempts(request, on_progress)
        finally:
            self._job_id = ""

    async def abandon(self, job_id: str) -> None:
        """Have the request of that job fail, without another attempt, if it is the one that is being done."""
        if job_id != self._job_id:
            return
        self._is_abandoned = True
        if self._worker is not None:
            await self._worker.kill()

    async def close(self) -> None:
        """Kill the worker, if there is one."""
        worker, self._worker = self._worker, None
        if worker is not None:
            await asyncio.shield(worker.kill())

    async def _in_attempts(self, request: Record, on_progress: Callable[[int], None]) -> Finished:
        death = ""
        for _ in range(_ATTEMPTS):
            try:
                return await self._attempt(request, on_progress)
            except MachineTrouble:
                if self._is_abandoned:
                    break
                raise
            except WorkerDied as died:
                await self.close()
                if self._is_abandoned:
                    break
                death = str(died)
                self.deaths += 1
                _log.error("%s; its job was %s", death, request["source"])
        raise JobFailed("abandoned" if self._is_abandoned else f"{death}; tried {_ATTEMPTS} times")

    async def _attempt(self, request: Record, on_progress: Callable[[int], None]) -> Finished:
        limit_s = self._bench.job_time_limit_s
        worker = await self._ready()
        if self._is_abandoned:
            raise WorkerDied("abandoned")
        try:
            async with asyncio.timeout(limit_s):
                return await worker.restore(request, on_progress)
        except TimeoutError:
            await self.close()
            raise JobFailed(f"not done after {limit_s:.0f} s, the limit for one picture") from None

    async def _ready(self) -> WorkerProcess:
        if self._worker is None or not self._worker.is_alive:
            await self.close()
            self._worker = await WorkerProcess.start(self._bench.command, self._bench.threads)
        return self._worker
