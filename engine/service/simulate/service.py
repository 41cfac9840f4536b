"""Put a simulated service together: its journal replayed, its strangers listed, its parts wired."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

from aiohttp import web

from engine.clock import Clock
from engine.service.credits import JOURNAL_NAME
from engine.service.job_store import JobStore, replay
from engine.service.jobs import Jobs
from engine.service.simulate.crew import SimulatedCrew
from engine.service.simulate.faults import Faults
from engine.service.simulate.journal import UnsyncedJournal
from engine.service.simulate.listing_order import order_of
from engine.service.simulate.pictures import SimulatedPictures
from engine.service.simulate.results import Results
from engine.service.simulate.simulation import Simulation
from engine.service.simulate.strangers import CrowdedStore, Strangers

__all__ = ["Simulated", "label", "open_simulated"]

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulated:
    """The parts of one simulated service."""

    store: JobStore
    crew: SimulatedCrew
    pictures: SimulatedPictures
    faults: Faults


@contextlib.asynccontextmanager
async def open_simulated(folder: Path, simulation: Simulation, clock: Clock) -> AsyncIterator[Simulated]:
    """Go on with the jobs in `folder`, which the caller has locked, for as long as the block runs."""
    _log.warning("simulated: no picture is restored; %r", simulation)
    jobs, results = Jobs(order_of(simulation.listing_order, simulation.seed)), Results(simulation.result_bytes)
    file = await asyncio.to_thread(replay, folder / JOURNAL_NAME, jobs, sync=False)
    strangers = await _strangers(simulation.old_rows, results, clock)
    strangers.enter(jobs)
    async with UnsyncedJournal(file) as journal:
        store = CrowdedStore(jobs, journal, clock, strangers)
        store.requeue_all()
        faults = Faults(simulation, lambda process_id: _filename(store, process_id), clock)
        crew = SimulatedCrew(simulation, store, results, clock)
        yield Simulated(store=store, crew=crew, pictures=SimulatedPictures(results, faults, clock), faults=faults)


async def label(_request: web.Request, response: web.StreamResponse) -> None:
    """Say on every answer what it comes from."""
    response.headers["X-Simulated"] = "true"


async def _strangers(count: int, results: Results, clock: Clock) -> Strangers:
    result = await results.get(Strangers.FORMAT, Strangers.WIDTH, Strangers.HEIGHT) if count else None
    return Strangers(count, clock.now(), result)


def _filename(store: JobStore, process_id: str) -> str | None:
    job = store.get(process_id)
    return None if job is None else job.submission.filename
