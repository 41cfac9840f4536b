"""Takes in what knocks at a port, as fast as it knocks, and turns away what is too much before any work is done for it.

`loop.create_server` would do with neither: uvloop accepts one connection each time round its loop, so that a busy
service keeps new clients waiting for seconds; and a TLS connection is heard of only after its handshake, which is the
expensive part.
"""

import asyncio
import contextlib
import errno
import logging
import socket
import ssl
from collections.abc import Callable

import orjson

from engine.service.doorman import Doorman, neighbourhood
from engine.service.visit import Visit

__all__ = ["Acceptor", "Admission"]

_log = logging.getLogger(__name__)

# Makes what speaks with a client; the text names the client as the doorman counts it, None for this machine.
Admission = Callable[[str | None], Visit]

_AT_ONCE = 200  # then those that are in get their turn
_PAUSE_S = 0.5  # when the process may open no more files: some will be closed by then
_TLS_FAREWELL_S = 5.0  # for the other side's half of it; 30 by default
_OUT_OF_FILES = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_REFUSAL = orjson.dumps({"code": 503, "message": "too many connections; try again later"})
_REFUSED = (
    b"HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nContent-Length: %d\r\n"
    b"Retry-After: 5\r\nConnection: close\r\n\r\n%s" % (len(_REFUSAL), _REFUSAL)
)


class Acceptor:
    """Accepts on one bound, listening socket while `run` runs."""

    def __init__(
        self, listening: socket.socket, admit: Admission, doorman: Doorman, tls: ssl.SSLContext | None
    ) -> None:
        self._listening = listening
        self._admit = admit
        self._doorman = doorman
        self._tls = tls
        self._entering: set[asyncio.Task[None]] = set()

    async def run(self) -> None:
        """Accept until cancelled; connections that were let in go on."""
        loop = asyncio.get_running_loop()
        try:
            while True:
                try:
                    connection, _ = await loop.sock_accept(self._listening)
                    self._take(connection)
                    self._take_all()
                except OSError as error:
                    await self._mind(error)
        finally:
            for task in self._entering:
                task.cancel()

    def _take_all(self) -> None:
        """Take what else waits, without going round the loop for each."""
        with contextlib.suppress(BlockingIOError):
            for _ in range(_AT_ONCE):
                connection, _ = self._listening.accept()
                self._take(connection)

    async def _mind(self, error: OSError) -> None:
        # All else is the trouble of one client that went away while it waited.
        if error.errno in _OUT_OF_FILES:
            _log.error("no connection can be accepted: %s; raise the limit of open files", error.strerror)
            await asyncio.sleep(_PAUSE_S)

    def _take(self, connection: socket.socket) -> None:
        connection.setblocking(False)
        client = _client(connection)
        if self._doorman.let_in(client) is not None:
            self._turn_away(connection)
            return
        task = asyncio.get_running_loop().create_task(self._enter(connection, client))
        self._entering.add(task)
        task.add_done_callback(self._entering.discard)

    def _turn_away(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            if self._tls is None:  # nobody could read it before the handshake
                connection.send(_REFUSED)
                connection.shutdown(socket.SHUT_WR)

    async def _enter(self, connection: socket.socket, client: str | None) -> None:
        visit, is_plain = self._admit(client), self._tls is None
        try:
            await asyncio.get_running_loop().connect_accepted_socket(
                lambda: visit,
                connection,
                ssl=self._tls,
                ssl_handshake_timeout=None if is_plain else self._doorman.patience.header_s,
                ssl_shutdown_timeout=None if is_plain else _TLS_FAREWELL_S,
            )
        except OSError as error:  # the handshake's troubles are of this kind, too
            _log.debug("a connection came to nothing: %s", type(error).__name__)
        finally:
            if not visit.has_begun:
                connection.close()
                self._doorman.let_out(client)


def _client(connection: socket.socket) -> str | None:
    """Return whom the connection counts for; None for this machine itself, where a proxy or the engine may run."""
    try:
        peer, own = connection.getpeername(), connection.getsockname()
    except OSError:  # it has gone already
        return "unknown"
    return None if peer[0] == own[0] else neighbourhood(peer[0])
