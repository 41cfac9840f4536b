"""A run's backend, reached: its service started where it has one of its own, and connections to it."""

import contextlib
import random
from collections.abc import AsyncIterator

from engine.backend import open_backend
from engine.clock import SystemClock
from engine.pipeline.opening import Opened
from engine.pipeline.visit import Visit
from engine.remote.client import Client
from engine.remote.endpoint import Endpoint
from engine.remote.transport import AiohttpTransport, Transport
from engine.settings import Settings

__all__ = ["connected", "transport_for", "visit_of"]


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


def transport_for(settings: Settings) -> AiohttpTransport:
    """Return connections as many and as patient as `settings` ask for; to be entered on the loop that uses them."""
    return AiohttpTransport(
        max_connections=settings.submit_concurrency + settings.poll_concurrency + settings.download_concurrency + 2,
        connect_timeout_s=settings.connect_timeout_s,
        stall_timeout_s=settings.stall_timeout_s,
    )


def visit_of(opened: Opened, endpoint: Endpoint, transport: Transport) -> Visit:
    """Return a visit to the backend on behalf of the run in `opened`."""
    clock = SystemClock()
    client = Client(transport, endpoint.base_url, endpoint.key, clock)
    return Visit(opened=opened, endpoint=endpoint, client=client, clock=clock, draw=random.SystemRandom().random)
