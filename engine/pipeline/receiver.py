"""The door for notices: a small HTTP server, behind whatever makes it public. It knows no jobs; `Notices` does."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import cast

from aiohttp import web

from engine.errors import MachineError
from engine.pipeline.notices import MAX_NOTICE_BYTES, SIGNATURE, Notices

__all__ = ["receiving"]

_READ_S = 10.0  # a notice is some 2 KB
_AT_ONCE = 64
_CONNECTIONS = 200
_LEAVE_S = 1.0
_FULL = b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


@contextlib.asynccontextmanager
async def receiving(
    listen: str, notices: Notices, *, connections: int = _CONNECTIONS, read_s: float = _READ_S
) -> AsyncIterator[str]:
    """Answer notices at `listen` (HOST:PORT; port 0: a free one) as long as the block runs, and yield where that is.

    There are at most so many `connections`, and none lasts `read_s` without a whole notice. Raises MachineError when
    nothing can listen there.
    """
    host, _colon, port = listen.rpartition(":")
    porch = _Porch(connections, read_s)
    app = web.Application(client_max_size=MAX_NOTICE_BYTES)
    app.router.add_route("*", "/{path:.*}", _Door(notices, porch).answer)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=_LEAVE_S)
    await runner.setup()
    if runner.server is None:
        raise AssertionError("a runner that is set up has a server")
    make = runner.server
    try:
        try:
            server = await asyncio.get_running_loop().create_server(
                lambda: _Caller(make(), porch), host.strip("[]"), int(port), backlog=_AT_ONCE
            )
        except OSError as error:
            why = error.strerror or str(error)
            raise MachineError(f"webhook_listen {listen} can't be listened on ({why}): choose another") from error
        with contextlib.closing(server):
            place = server.sockets[0].getsockname()
            yield f"{place[0]}:{place[1]}"
    finally:
        await runner.cleanup()


class _Porch:
    """Who is at the door: the connections there are, each with the moment until which its next notice is awaited."""

    def __init__(self, most: int, read_s: float) -> None:
        self._most = most
        self._read_s = read_s
        self._callers: dict[asyncio.Transport, asyncio.TimerHandle] = {}

    def is_full(self) -> bool:
        return len(self._callers) >= self._most

    def expect(self, caller: asyncio.Transport) -> None:
        """End the connection unless a whole notice has come over it in time."""
        self.leave(caller)
        self._callers[caller] = asyncio.get_running_loop().call_later(self._read_s, caller.abort)

    def listened(self, caller: asyncio.Transport | None) -> None:
        """Take note that one has come: what it takes to answer it is not the sender's matter."""
        if caller in self._callers:
            self._callers[caller].cancel()

    def answered(self, caller: asyncio.Transport | None) -> None:
        """Take note that the next one may come."""
        if caller in self._callers:
            self.expect(caller)

    def leave(self, caller: asyncio.Transport) -> None:
        if timer := self._callers.pop(caller, None):
            timer.cancel()


class _Caller(asyncio.Protocol):
    """One connection, handed on to what speaks HTTP unless there are too many."""

    def __init__(self, http: asyncio.Protocol, porch: _Porch) -> None:
        self._http = http
        self._porch = porch
        self._transport: asyncio.Transport | None = None  # None: not let in

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        wire = cast("asyncio.Transport", transport)  # uvloop's are of no such class
        if self._porch.is_full():
            wire.write(_FULL)
            wire.close()
            return
        self._transport = wire
        self._porch.expect(wire)
        self._http.connection_made(wire)

    def connection_lost(self, exc: Exception | None) -> None:
        if self._transport is not None:
            self._porch.leave(self._transport)
            self._http.connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._transport is not None:
            self._http.data_received(data)

    def eof_received(self) -> bool | None:
        return self._http.eof_received() if self._transport is not None else None

    def pause_writing(self) -> None:
        self._http.pause_writing()

    def resume_writing(self) -> None:
        self._http.resume_writing()


class _Door:
    """Lets notices in, a few at once; the rest may come again."""

    def __init__(self, notices: Notices, porch: _Porch) -> None:
        self._notices = notices
        self._porch = porch
        self._inside = 0

    async def answer(self, request: web.Request) -> web.Response:
        if self._inside >= _AT_ONCE:
            return web.Response(status=503)
        self._inside += 1
        try:
            return await self._take(request)
        finally:
            self._inside -= 1
            self._porch.answered(request.transport)

    async def _take(self, request: web.Request) -> web.Response:
        token = request.path.rpartition("/")[2]
        if request.method != "POST":
            return web.Response(status=404)
        try:
            body = await request.read()
        except web.HTTPRequestEntityTooLarge:
            return web.Response(status=413)
        self._porch.listened(request.transport)
        try:
            status = await self._notices.take(token, body, request.headers.get(SIGNATURE))
        except MachineError:  # the journal can't be written: the run is about to say so
            return web.Response(status=503)
        return web.Response(status=status)
