"""Start the service, say where it is, stop it. The one place where its tasks begin.

Stopping: jobs that run get `drain_s` to end while everything but a submit is answered as before; then no new
connections, open ones get a second, workers are killed, the journal is closed. What was running is queued again by
the next start; nothing that was answered is lost.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Coroutine
from functools import partial
from pathlib import Path

from aiohttp import web

from engine.clock import Clock, SystemClock
from engine.disk import lock_folder
from engine.errors import MachineError, UsageError
from engine.journal.line import Record
from engine.service.admin import admin_app
from engine.service.assembly import Parts, application, open_parts
from engine.service.doorman import Doorman, Patience
from engine.service.folder import prepare
from engine.service.gate import Gate
from engine.service.letterhead import write_line
from engine.service.listener import Address, listening
from engine.service.metrics import Metrics, Sources
from engine.service.parts import Restoring
from engine.service.retention import sweep_forever
from engine.service.settings import ServiceSettings
from engine.service.tls import context_of
from engine.service.webhooks import Webhooks

__all__ = ["ServiceSettings", "serve"]

_log = logging.getLogger(__name__)

_LOCK_WAIT_S = 10.0  # a predecessor that was just told to stop may still hold the folder
_ADMIN_CONNECTIONS = 40


async def serve(
    settings: ServiceSettings, on_ready: Callable[[str], None], stop: asyncio.Event, *, clock: Clock | None = None
) -> None:
    """Serve until `stop` is set; `on_ready` hears the base URL (`http://host:port`) once calls are answered.

    Raises UsageError when the folder is in use or the address can't be bound, MachineError when the disk fails.
    """
    clock = clock or SystemClock()
    await asyncio.to_thread(prepare, settings.folder)
    async with _locked(settings.folder, clock), open_parts(settings, clock) as parts:
        parts.crew.put(parts.store.unfinished())
        failure: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        app, gate = application(parts, partial(_break, failure))
        async with _open(parts, gate, app) as base_url:
            parts.base_url = base_url
            on_ready(base_url)
            sweeping = sweep_forever(parts.store, parts.files, clock, settings.retention_s)
            stopping = _stopping(stop, gate, parts.crew, settings.drain_s)
            await _work(stopping, failure, parts.crew.run(), sweeping, parts.webhooks.run())


def _break(failure: asyncio.Future[None], error: MachineError) -> None:
    if not failure.done():
        failure.set_exception(error)


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


@contextlib.asynccontextmanager
async def _open(parts: Parts, gate: Gate, app: web.Application) -> AsyncIterator[str]:
    """Open the port of the API, and the admin's if there is to be one; yields the API's base URL."""
    settings = parts.settings
    doorman = Doorman(Patience.of(settings), settings.max_connections)
    tls = None if settings.tls is None else await asyncio.to_thread(context_of, settings.tls)
    address = Address(host=settings.host, port=settings.port, tls=tls)
    if settings.admin_port is None:
        async with listening(app, address, doorman, write_line) as base_url:
            yield base_url
        return
    webhooks = partial(_counts, parts.webhooks)
    metrics = Metrics(Sources(doorman=doorman, gate=gate, store=parts.store, crew=parts.crew, webhooks=webhooks))

    def on_end(request: web.BaseRequest, response: web.StreamResponse) -> None:
        write_line(request, response)
        metrics.observe(request, response)

    async with (
        _admin(settings, admin_app(metrics, partial(_health, parts))),
        listening(app, address, doorman, on_end) as url,
    ):
        yield url


def _health(parts: Parts) -> Record:
    # Keys that can't be read stay as they were: one that was revoked meanwhile would still be let in.
    return {**parts.crew.health(), "keys_stale": parts.keys.is_stale}


def _counts(webhooks: Webhooks) -> dict[str, int]:
    return {
        "pending": webhooks.pending,
        "delivered": webhooks.delivered,
        "discarded": webhooks.discarded,
        "retried": webhooks.retries,
    }


@contextlib.asynccontextmanager
async def _admin(settings: ServiceSettings, app: web.Application) -> AsyncIterator[None]:
    address = Address(host=settings.admin_host, port=settings.admin_port or 0)
    async with listening(app, address, Doorman(Patience.of(settings), _ADMIN_CONNECTIONS), write_line) as url:
        _log.info("metrics and health at %s", url)
        yield


async def _work(
    stopping: Coroutine[None, None, None], failure: asyncio.Future[None], *parts: Coroutine[None, None, None]
) -> None:
    """Run `parts` until `stopping` is done, one of them fails, or a request met a broken disk; then end them all."""
    tasks = [asyncio.create_task(part) for part in (stopping, *parts)]
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


async def _stopping(stop: asyncio.Event, gate: Gate, crew: Restoring, drain_s: float) -> None:
    """Return once the service is to end: after `stop`, and the end of what runs or `drain_s`."""
    await stop.wait()
    if drain_s <= 0.0:
        return
    gate.takes_jobs = False
    _log.info("stopping: what runs gets %g s to end", drain_s)
    try:
        async with asyncio.timeout(drain_s):
            await crew.drain()
    except TimeoutError:
        _log.warning("stopping: what still runs after %g s is done again by the next start", drain_s)
