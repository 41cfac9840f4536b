"""Start the service, say where it is, stop it. The one place where its tasks begin.

Stopping: no new connections, open ones get a second, workers are killed, the journal is closed. What was running
is queued again by the next start; nothing that was answered is lost.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass, replace
from pathlib import Path

from aiohttp import web

from engine.clock import Clock, SystemClock
from engine.disk import lock_folder
from engine.errors import MachineError, UsageError
from engine.service.api import Api
from engine.service.files import Files
from engine.service.gate import Gate
from engine.service.job_store import JobStore, open_store
from engine.service.parts import Pictures, Restoring
from engine.service.presign import Presigner
from engine.service.restoration import Crew
from engine.service.retention import sweep_forever
from engine.service.settings import ServiceSettings
from engine.service.simulate.faults import Faults
from engine.service.simulate.service import label, open_simulated

__all__ = ["ServiceSettings", "serve"]

_log = logging.getLogger(__name__)

_LOCK_WAIT_S = 10.0  # a predecessor that was just told to stop may still hold the folder
_FAREWELL_S = 1.0  # for requests that are under way when the service stops
_BACKLOG = 1024
_MAX_JSON_BYTES = 1024 * 1024  # of a body that is read whole; uploads are streamed under their own cap


async def serve(
    settings: ServiceSettings, on_ready: Callable[[str], None], stop: asyncio.Event, *, clock: Clock | None = None
) -> None:
    """Serve until `stop` is set; `on_ready` hears the base URL (`http://host:port`) once calls are answered.

    Raises UsageError when the folder is in use or the address can't be bound, MachineError when the disk fails.
    """
    clock = clock or SystemClock()
    _make_folder(settings.folder)
    async with _locked(settings.folder, clock), _parts(settings, clock) as parts:
        parts.crew.put(parts.store.unfinished())
        failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        async with _listening(settings, _app(settings, parts, clock, failure)) as base_url:
            on_ready(base_url)
            sweeping = sweep_forever(parts.store, parts.files, clock, settings.retention_s)
            await _work(stop, failure, parts.crew.run(), sweeping)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Parts:
    """What stands behind the API; `faults` in a simulation only."""

    store: JobStore
    crew: Restoring
    files: Pictures
    faults: Faults | None = None


@contextlib.asynccontextmanager
async def _parts(settings: ServiceSettings, clock: Clock) -> AsyncIterator[_Parts]:
    if settings.simulation is not None:
        async with open_simulated(settings.folder, settings.simulation, clock) as made:
            yield _Parts(store=made.store, crew=made.crew, files=made.pictures, faults=made.faults)
        return
    async with open_store(settings.folder, clock) as store:
        files = Files(settings.folder)
        await asyncio.to_thread(files.make)
        yield _Parts(store=store, crew=Crew(settings, store, files, clock), files=files)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.chmod(0o700)
    except OSError as error:
        raise MachineError(f"{folder} can't be used: {error.strerror or error}") from error


@contextlib.asynccontextmanager
async def _locked(folder: Path, clock: Clock) -> AsyncIterator[None]:
    # The lock belongs to the thread that takes it: tried on the loop, without waiting, again and again.
    deadline = clock.monotonic() + _LOCK_WAIT_S
    with contextlib.ExitStack() as stack:
        while True:
            try:
                stack.enter_context(lock_folder(folder))
                break
            except UsageError:
                if clock.monotonic() > deadline:
                    raise
            await clock.sleep(0.05)
        yield


def _app(settings: ServiceSettings, parts: _Parts, clock: Clock, failure: asyncio.Future[None]) -> web.Application:
    def on_broken(error: MachineError) -> None:
        if not failure.done():
            failure.set_exception(error)

    links = Presigner(settings.link_lifetime_s)
    api = Api(settings=settings, store=parts.store, crew=parts.crew, files=parts.files, links=links, clock=clock)
    middlewares = [Gate(settings.keys, on_broken).middleware]
    if parts.faults is not None:
        api = replace(api, admit=parts.faults.admit)
        middlewares.append(parts.faults.middleware)
    app = web.Application(middlewares=middlewares, client_max_size=_MAX_JSON_BYTES)
    if parts.faults is not None:
        app.on_response_prepare.append(label)
    app.add_routes(api.routes())
    return app


@contextlib.asynccontextmanager
async def _listening(settings: ServiceSettings, app: web.Application) -> AsyncIterator[str]:
    # The access log would write down presigned links, which are permissions.
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_FAREWELL_S)
    await runner.setup()
    try:
        site = web.TCPSite(runner, settings.host, settings.port, backlog=_BACKLOG)
        try:
            await site.start()
        except (OSError, OverflowError) as error:
            raise UsageError(f"{settings.host}:{settings.port} can't be served: {error}") from error
        yield _base_url(settings.host, runner)
    finally:
        await runner.cleanup()


def _base_url(host: str, runner: web.AppRunner) -> str:
    port = runner.addresses[0][1]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


async def _work(stop: asyncio.Event, failure: asyncio.Future[None], *parts: Coroutine[None, None, None]) -> None:
    """Run `parts` until `stop` is set, one of them fails, or a request met a broken disk; then end them all."""
    tasks = [asyncio.create_task(part) for part in (_wait(stop), *parts)]
    endings: list[asyncio.Future[None]] = [failure, *tasks]
    try:
        await asyncio.wait(endings, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
    for ended in endings:
        if ended.done() and not ended.cancelled() and (error := ended.exception()):
            raise error


async def _wait(stop: asyncio.Event) -> None:
    await stop.wait()
