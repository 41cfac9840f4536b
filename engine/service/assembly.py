"""Everything that stands behind the port, opened in order and put together in one place."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace

from aiohttp import web

from engine.clock import Clock
from engine.errors import MachineError
from engine.service.api import Api
from engine.service.files import Files
from engine.service.folder import check_whole
from engine.service.gate import Gate
from engine.service.guesses import Guesses
from engine.service.intake import Intake
from engine.service.job_store import JobStore, open_store
from engine.service.jobs import Job
from engine.service.keyring import Keyring
from engine.service.letterhead import letterhead
from engine.service.links import Links
from engine.service.outbox import open_outbox
from engine.service.outside import Outside
from engine.service.pages import routes as pages
from engine.service.parts import Pictures, Restoring
from engine.service.presign import Presigner
from engine.service.restoration import Crew
from engine.service.secret import load_secret
from engine.service.settings import ServiceSettings
from engine.service.simulate.faults import Faults
from engine.service.simulate.service import label, open_simulated
from engine.service.throttle import Throttle
from engine.service.webhooks import Webhooks

__all__ = ["Parts", "application", "open_parts"]

_MAX_JSON_BYTES = 1024 * 1024  # of a body that is read whole; uploads are streamed under their own cap
# A receiver has this long to answer: it should keep the notification and answer, not work on it first.
_NOTICE_LIMIT_S = 15.0


@dataclass(slots=True, kw_only=True)
class Parts:
    """What stands behind the API. `base_url` is known once the port is open; `faults` are a simulation's."""

    settings: ServiceSettings
    clock: Clock
    store: JobStore
    crew: Restoring
    files: Pictures
    keys: Keyring
    links: Links
    outside: Outside
    faults: Faults | None = None
    base_url: str = ""
    webhooks: Webhooks = field(init=False)

    def notice_links(self, job: Job) -> dict[str, str]:
        return self.links.notice(job, self.base_url)

    def secret_of(self, owner: str) -> bytes | None:
        """Return what signs the notifications for a key; None once it is revoked."""
        key = self.keys.get(owner)
        return None if key is None else key.digest


@contextlib.asynccontextmanager
async def open_parts(settings: ServiceSettings, clock: Clock) -> AsyncIterator[Parts]:
    """Open the service in the folder of `settings`, which the caller has locked, for as long as the block runs.

    Raises UsageError for damaged keys, or none at all, and MachineError when the disk fails.
    """
    async with contextlib.AsyncExitStack() as stack:
        keys = await asyncio.to_thread(_keyring, settings, clock)
        secret = await asyncio.to_thread(load_secret, settings.folder)
        store, crew, files, faults = await stack.enter_async_context(_workshop(settings, clock))
        links = Links(
            presigner=Presigner(settings.link_lifetime_s, secret),
            store=store,
            find_key=keys.get,
            clock=clock,
            public_url=settings.public_url or "",
        )
        outside = Outside(settings.allowed_networks, time_limit_s=settings.fetch_time_limit_s)
        parts = Parts(
            settings=settings,
            clock=clock,
            store=store,
            crew=crew,
            files=files,
            keys=keys,
            links=links,
            outside=await stack.enter_async_context(outside),
            faults=faults,
        )
        parts.webhooks = await stack.enter_async_context(_webhooks(parts))
        yield parts


def application(parts: Parts, on_broken: Callable[[MachineError], None]) -> tuple[web.Application, Gate]:
    """Return what answers calls, and the gate in front of it. `on_broken` hears of a disk that takes no more."""
    clock = parts.clock
    gate = Gate(keys=parts.keys, throttle=Throttle(clock), guesses=Guesses(clock), on_broken=on_broken)
    app = web.Application(middlewares=[gate.middleware], client_max_size=_MAX_JSON_BYTES)
    app.on_response_prepare.append(letterhead)
    intake = Intake(
        settings=parts.settings,
        store=parts.store,
        crew=parts.crew,
        files=parts.files,
        links=parts.links,
        outside=parts.outside,
        clock=clock,
    )
    if parts.faults is not None:
        intake = replace(intake, admit=parts.faults.admit)
        app.middlewares.append(parts.faults.middleware)
        app.on_response_prepare.append(label)
    api = Api(store=parts.store, crew=parts.crew, files=parts.files, intake=intake, links=parts.links)
    app.add_routes([*api.routes(), *pages(parts.settings)])
    return app, gate


def _keyring(settings: ServiceSettings, clock: Clock) -> Keyring:
    return Keyring(settings.folder, settings.keys, clock, defaults=settings.limits, credits=settings.credits)


@contextlib.asynccontextmanager
async def _workshop(
    settings: ServiceSettings, clock: Clock
) -> AsyncIterator[tuple[JobStore, Restoring, Pictures, Faults | None]]:
    """Open the jobs, whoever does them, and their files: for real, or simulated."""
    if settings.simulation is not None:
        async with open_simulated(settings.folder, settings.simulation, clock) as made:
            yield made.store, made.crew, made.pictures, made.faults
        return
    files = Files(settings.folder)
    await asyncio.to_thread(check_whole, settings.folder, files)
    async with open_store(settings.folder, clock) as store:
        await asyncio.to_thread(files.make)
        yield store, Crew(settings, store, files, clock), files, None


@contextlib.asynccontextmanager
async def _webhooks(parts: Parts) -> AsyncIterator[Webhooks]:
    store, settings = parts.store, parts.settings
    async with (
        open_outbox(settings.folder, lambda process_id: store.get(process_id) is not None) as outbox,
        Outside(settings.allowed_networks, time_limit_s=_NOTICE_LIMIT_S) as poster,
    ):
        webhooks = Webhooks(
            poster,
            outbox,
            parts.clock,
            find=store.get,
            links=parts.notice_links,
            secret_of=parts.secret_of,
        )
        store.subscribe(webhooks.changed)
        webhooks.recover(store.every())
        yield webhooks
