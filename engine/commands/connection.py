"""A run's backend, reached: its service started where it has one of its own, and connections to it."""

import contextlib
import random
from collections.abc import AsyncIterator
from pathlib import Path

from engine.backend import open_backend
from engine.clock import Clock, SystemClock
from engine.pipeline.opening import Opened
from engine.pipeline.visit import Visit
from engine.remote.connect import Remote, connect
from engine.remote.endpoint import Endpoint
from engine.remote.transport import AiohttpTransport, Transport
from engine.settings import Settings

__all__ = ["asking", "connected", "transport_for", "visit_of"]


@contextlib.asynccontextmanager
async def connected(opened: Opened) -> AsyncIterator[tuple[Endpoint, Transport]]:
    """Yield the backend that the run in `opened` is for, and the way to it."""
    settings = opened.order.settings
    backend = open_backend(
        settings.backend,
        service=opened.folder.service,
        workers=settings.service_workers,
        simulation=settings.simulation,
    )
    async with backend as endpoint, transport_for(settings) as transport:
        yield endpoint, transport


@contextlib.asynccontextmanager
async def asking(backend: str, settings: Settings, clock: Clock) -> AsyncIterator[Remote]:
    """Yield a client of the cloud `backend`, for questions that belong to no run."""
    async with open_backend(backend, service=Path(), workers=0) as endpoint, transport_for(settings) as transport:
        yield connect(endpoint, transport, clock, settings.backoff(), random.SystemRandom().random)


def transport_for(settings: Settings) -> AiohttpTransport:
    """Return connections as many and as patient as `settings` ask for; to be entered on the loop that uses them."""
    return AiohttpTransport(
        max_connections=settings.submit_concurrency + settings.poll_concurrency + settings.download_concurrency + 2,
        connect_timeout_s=settings.connect_timeout_s,
        stall_timeout_s=settings.stall_timeout_s,
    )


def visit_of(opened: Opened, endpoint: Endpoint, transport: Transport) -> Visit:
    """Return a visit to the backend on behalf of the run in `opened`."""
    clock, draw = SystemClock(), random.SystemRandom().random
    client = connect(endpoint, transport, clock, opened.order.settings.backoff(), draw)
    return Visit(opened=opened, endpoint=endpoint, client=client, clock=clock, draw=draw)
