"""An open port: aiohttp behind a doorman, with or without TLS, closed in good order."""

import asyncio
import contextlib
import errno
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass

from aiohttp import web

from engine.errors import UsageError
from engine.service.acceptor import Acceptor
from engine.service.doorman import Doorman
from engine.service.visit import OnEnd, Visit

__all__ = ["EVERYWHERE", "Address", "listening"]

_FAREWELL_S = 1.0  # for requests that are under way when the service stops
_BACKLOG = 1024
EVERYWHERE = frozenset({"", "0.0.0.0", "::"})  # noqa: S104 -- addresses to listen on, not to call


@dataclass(frozen=True, slots=True, kw_only=True)
class Address:
    """Where to listen. Port 0 picks a free one."""

    host: str
    port: int
    tls: ssl.SSLContext | None = None

    def url(self, port: int) -> str:
        """Return what to call it: an address that stands for all of them is told as this machine's name."""
        scheme = "http" if self.tls is None else "https"
        host = socket.gethostname() if self.host in EVERYWHERE else self.host
        return f"{scheme}://[{host}]:{port}" if ":" in host else f"{scheme}://{host}:{port}"


@contextlib.asynccontextmanager
async def listening(app: web.Application, address: Address, doorman: Doorman, on_end: OnEnd) -> AsyncIterator[str]:
    """Answer calls for as long as the block runs, which gets the base URL; raises UsageError for a port in use."""
    # No access log of aiohttp's: it would write down presigned links, which are permissions.
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_FAREWELL_S)
    await runner.setup()
    try:
        handlers = runner.server
        assert handlers is not None  # noqa: S101 -- after `setup`

        def admit(client: str | None) -> Visit:
            return Visit(handlers, doorman, client, on_end)

        async with _bound(address) as sockets:
            acceptors = [Acceptor(each, admit, doorman, address.tls) for each in sockets]
            tasks = [asyncio.create_task(each.run()) for each in acceptors]
            try:
                yield address.url(sockets[0].getsockname()[1])
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.wait(tasks)
    finally:
        await runner.cleanup()


@contextlib.asynccontextmanager
async def _bound(address: Address) -> AsyncIterator[list[socket.socket]]:
    """Listen at every address that the host's name stands for; raises UsageError."""
    with contextlib.ExitStack() as stack:
        try:
            sockets = [stack.enter_context(each) for each in await _listen(address)]
        except (OSError, OverflowError) as error:
            raise UsageError(f"{address.host}:{address.port} can't be served: {error}") from error
        yield sockets


async def _listen(address: Address) -> list[socket.socket]:
    loop, port = asyncio.get_running_loop(), address.port
    found = await loop.getaddrinfo(address.host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    opened: list[socket.socket] = []
    try:
        for family, *_, place in dict.fromkeys(found):
            # The first one may pick a port, and all others take the same.
            opened.append(socket.create_server((place[0], port), family=family, backlog=_BACKLOG))
            opened[-1].setblocking(False)
            port = opened[0].getsockname()[1]
    except OSError as error:
        # A name may stand for IPv6 where the machine has none.
        if not opened or error.errno not in (errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT):
            for each in opened:
                each.close()
            raise
    return opened
