"""A stop that lets running jobs end."""

import asyncio
import contextlib
import signal
import sys
import time

import aiohttp

from engine.service.server import serve
from engine.service.settings import ServiceSettings
from engine.service.simulate.simulation import Simulation
from tests.service.harness import KEY, SCRIPTED, Running, picture, running, until


@contextlib.asynccontextmanager
async def stoppable(folder, **settings):
    """A service with the event that stops it, and its task."""
    values = {"keys": frozenset({KEY}), "workers": 2, "worker_command": SCRIPTED, **settings}
    ready, stop = asyncio.get_running_loop().create_future(), asyncio.Event()
    task = asyncio.create_task(serve(ServiceSettings(folder=folder, **values), ready.set_result, stop))
    async with aiohttp.ClientSession(headers={"X-API-Key": KEY}) as session:
        yield Running(await ready, session), stop, task
    stop.set()
    await task


async def _is_refusing(service):
    return (await service.post(picture()))[0] == 503


async def test_running_jobs_end_and_everything_but_submits_is_answered(tmp_path):
    """While it drains: 503 for submits, looks and downloads as before; then it ends by itself, and in time."""
    gate = tmp_path / "gate"
    async with stoppable(tmp_path / "service", workers=1, drain_s=60.0) as (service, stop, task):
        done = await service.submit()
        await service.reached(done, "Completed")
        busy, queued = await service.submit(f"wait {gate}"), await service.submit()
        await service.reached(busy, "Processing")
        stop.set()
        await until(lambda: _is_refusing(service), "submits to be refused")
        assert (await service.row(queued))["status"] == "Pending"
        assert (await service.fetch((await service.link(done))["download_url"])).status == 200
        assert not task.done()
        gate.touch()
        async with asyncio.timeout(20):
            await task
    async with running(tmp_path / "service") as service:
        assert (await service.row(busy))["status"] == "Completed"
        await service.reached(queued, "Completed")


async def test_what_takes_longer_than_the_drain_is_done_by_the_next_start(tmp_path):
    """The stop waits `drain_s` and no longer."""
    gate = tmp_path / "gate"
    async with stoppable(tmp_path / "service", drain_s=0.3) as (service, stop, task):
        busy = await service.submit(f"wait {gate}")
        await service.reached(busy, "Processing")
        stop.set()
        async with asyncio.timeout(20):
            await task
    gate.touch()
    async with running(tmp_path / "service") as service:
        await service.reached(busy, "Completed")


async def test_a_second_signal_leaves_at_once(tmp_path):
    """SIGTERM drains; another one ends the process while a job still runs."""
    program = tmp_path / "program.py"
    program.write_text(_PROGRAM)
    process = await asyncio.create_subprocess_exec(
        sys.executable, str(program), str(tmp_path / "service"), stdout=asyncio.subprocess.PIPE
    )
    base = (await process.stdout.readline()).decode().strip()
    async with aiohttp.ClientSession(headers={"X-API-Key": KEY}) as session:
        service = Running(base, session)
        await service.reached(await service.submit("hang"), "Processing")
        process.send_signal(signal.SIGTERM)
        await until(lambda: _is_refusing(service), "submits to be refused")
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(20):
            await process.wait()
        assert time.monotonic() - began < 20


_PROGRAM = f"""
import asyncio, contextlib, sys
sys.path.insert(0, {str(sys.path[0])!r})
sys.path.insert(0, ".")
from pathlib import Path
from engine.service.server import ServiceSettings, serve
from engine.shutdown import two_step

async def main():
    stop = asyncio.Event()
    settings = ServiceSettings(folder=Path(sys.argv[1]), keys=frozenset({{{KEY!r}}}), workers=1, drain_s=600.0,
                               worker_command={tuple(SCRIPTED)!r})
    work = asyncio.create_task(serve(settings, lambda base: print(base, flush=True), stop))
    with two_step(stop.set, work.cancel), contextlib.suppress(asyncio.CancelledError):
        await work

asyncio.run(main())
"""


async def test_a_simulated_service_drains_too(tmp_path):
    """The simulated job at work ends, the one that waits for a worker does not begin before the next start."""
    simulation = Simulation.model_validate({"latency": "queue:1:0.5:0", "result_bytes": 5000})
    async with stoppable(tmp_path / "service", simulation=simulation, drain_s=60.0) as (service, stop, task):
        first, second = await service.submit(), await service.submit()
        await service.reached(first, "Processing")
        stop.set()
        async with asyncio.timeout(20):
            await task
    async with running(tmp_path / "service", simulation=simulation) as service:
        assert (await service.row(first))["status"] == "Completed"
        await service.reached(second, "Completed")
