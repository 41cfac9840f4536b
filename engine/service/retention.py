"""Forget finished jobs with their files: on request, and once they are older than the service keeps them."""

import asyncio
import logging

from engine.clock import Clock
from engine.service.job_store import JobStore
from engine.service.jobs import Gone, Job
from engine.service.parts import Pictures

__all__ = ["forget", "sweep_forever"]

_log = logging.getLogger(__name__)

_SLICE = 500  # jobs forgotten before others get their turn
_SWEEP_EVERY_S = 600.0


async def forget(jobs: list[Job], store: JobStore, files: Pictures) -> int:
    """Delete the finished ones of `jobs`, then their files, and return how many there were.

    A crash in between leaves files without a job, which the sweep after the next start removes.
    """
    count = 0
    for at in range(0, len(jobs), _SLICE):
        gone = await store.forget(jobs[at : at + _SLICE])
        await asyncio.to_thread(_remove, files, gone)
        count += len(gone)
    return count


async def sweep_forever(store: JobStore, files: Pictures, clock: Clock, retention_s: float) -> None:
    """Remove stray files once, then what has grown too old, until cancelled. Trouble with files is logged."""
    try:
        strays = await asyncio.to_thread(
            files.sweep, lambda name: bool(store.get(name) or store.using(name)), clock.now()
        )
        _log.log(logging.WARNING if strays else logging.DEBUG, "%d files without a job removed", strays)
    except OSError as error:
        _log.warning("files without a job can't be removed: %s", error)
    while True:
        try:
            count = await forget(store.ended_before(clock.now() - retention_s), store, files)
            _log.log(logging.INFO if count else logging.DEBUG, "%d old jobs forgotten", count)
        except OSError as error:
            _log.warning("the files of old jobs can't be removed: %s", error)
        await clock.sleep(_SWEEP_EVERY_S)


def _remove(files: Pictures, gone: list[Gone]) -> None:
    for each in gone:
        files.remove(each)
