"""One connection: aiohttp's request handler, with limits for what the client may take its time over.

aiohttp waits without end for a header, a body, or a client that does not read. Here each connection has one timer,
moved only when it fires or when something nearer comes up, so that a call costs it no more than a few assignments.
Uses the names of `web.RequestHandler` that have no underscore: the callbacks of a protocol, `log_access` at the end
of each call, and `handle_error` for what is not HTTP.
"""

import asyncio
import logging
import math
import socket
from collections.abc import Callable
from enum import Enum, auto
from typing import cast

from aiohttp import web

from engine.service.doorman import Cut, Doorman
from engine.service.letterhead import write_head
from engine.service.wire import error

__all__ = ["OnEnd", "Visit"]

_log = logging.getLogger(__name__)

# Hears of each call once it was answered, or its client has gone.
OnEnd = Callable[[web.BaseRequest, web.StreamResponse], None]


class _Phase(Enum):
    HEADER = auto()  # from the connection's or the header's first byte to its last
    CALL = auto()  # body, work, answer
    IDLE = auto()  # between two calls


class Visit(web.RequestHandler):
    """One connection of a listener. `on_end` may add nothing to the answer: it is out."""

    __slots__ = (
        "_call",
        "_client",
        "_doorman",
        "_due",
        "_guard",
        "_is_stuck",
        "_looped",
        "_on_end",
        "_phase",
        "_received",
        "_received_before",
        "_timer",
        "_unsent_before",
        "_wire",
        "has_begun",
    )

    def __init__(self, server: web.Server, doorman: Doorman, client: str | None, on_end: OnEnd) -> None:
        self._looped = asyncio.get_running_loop()
        # Nothing is unpacked: half a megabyte of it would hold everybody up for a second, before any key is asked for.
        super().__init__(server, loop=self._looped, logger=_log, auto_decompress=False)
        self._doorman = doorman
        self._client = client  # for whom the doorman counts it; let out when the connection ends
        self._on_end = on_end
        self._wire: asyncio.Transport | None = None  # None: not yet there, or gone
        self.has_begun = False
        self._phase = _Phase.HEADER
        self._due = math.inf
        self._timer: asyncio.TimerHandle | None = None
        self._received = 0  # bytes, of all calls
        self._received_before = 0  # at the beginning of this window
        self._call: web.BaseRequest | None = None
        self._guard: asyncio.Timeout | None = None
        self._is_stuck = False  # the client's side takes no more for now
        self._unsent_before = math.inf

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        wire = cast("asyncio.Transport", transport)  # uvloop's are of no such class
        self._wire, self.has_begun = wire, True
        _limit_unread(transport, 2 * self._doorman.patience.window_s)
        super().connection_made(transport)
        self._enter(_Phase.HEADER, self._doorman.patience.header_s)

    def connection_lost(self, exc: BaseException | None) -> None:
        if self._wire is None:
            return
        self._wire = self._call = self._guard = None
        self._doorman.let_out(self._client)
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._wire is None:
            return
        self._received += len(data)
        self._doorman.received_bytes += len(data)
        if self._phase is _Phase.IDLE and data:
            self._enter(_Phase.HEADER, self._doorman.patience.header_s)
        super().data_received(data)

    def pause_writing(self) -> None:
        self._is_stuck, self._unsent_before = True, math.inf
        super().pause_writing()

    def resume_writing(self) -> None:
        self._is_stuck = False
        super().resume_writing()

    def begin(self, request: web.BaseRequest, guard: asyncio.Timeout | None) -> None:
        """Hear that a whole header has come; `guard` expires when the body comes too slowly."""
        self._call, self._guard = request, guard
        self._received_before = self._received
        self._enter(_Phase.CALL, self._doorman.patience.window_s)

    def log_access(self, request: web.BaseRequest, response: web.StreamResponse, time: float | None) -> None:  # noqa: ARG002 -- aiohttp's
        """Hear from aiohttp that a call has ended."""
        self._call = self._guard = None
        self._doorman.sent_bytes += response.body_length
        self._enter(_Phase.IDLE, self._doorman.patience.idle_s)
        self._on_end(request, response)

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002 -- holds what the client sent, maybe a key with a stray character
    ) -> web.StreamResponse:
        """Answer what is not HTTP, and failures outside of every handler, in JSON; the connection ends with it."""
        if request.writer.output_size > 0:
            raise ConnectionError("an answer has begun already")
        if isinstance(exc, ConnectionError):  # the client has gone: nobody's fault here, and nobody to tell
            status = 400
        elif status >= 500:
            _log.error("a call failed outside of its handler", exc_info=exc)
        text = "the request can't be read: it is no sound HTTP" if status < 500 else "internal error"
        answer = error(status, text)
        write_head(request, answer)  # no signal of the application's is sent for these
        answer.force_close()
        return answer

    def _enter(self, phase: _Phase, seconds: float) -> None:
        self._phase, self._due = phase, self._looped.time() + seconds
        if self._timer is None or self._due < self._timer.when():
            self._set_timer()

    def _set_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._looped.call_at(self._due, self._look)

    def _look(self) -> None:
        """Do what the phase asks for once its time is over; else come again when it will be."""
        if self._wire is None:
            return
        if self._looped.time() >= self._due:
            match self._phase:
                case _Phase.HEADER:
                    self._cut(self._wire, Cut.SLOW_HEADER)
                case _Phase.IDLE:
                    self._cut(self._wire, Cut.IDLE)
                case _Phase.CALL:
                    self._end_window(self._wire)
        self._set_timer()

    def _cut(self, wire: asyncio.Transport, why: Cut) -> None:
        _log.debug("connection ended: %s", why)
        self._doorman.note(why)
        self._due = self._looped.time() + self._doorman.patience.header_s  # look again: closing may get stuck, too
        # A close waits until everything is sent, which is what this client does not let happen.
        if wire.is_closing() or wire.get_write_buffer_size():
            wire.abort()
        else:
            wire.close()

    def _end_window(self, wire: asyncio.Transport) -> None:
        unsent = wire.get_write_buffer_size()
        if self._is_stuck and unsent >= self._unsent_before:
            self._doorman.note(Cut.UNREAD)
            wire.abort()
        elif self._is_body_slow(wire) and self._guard is not None:
            self._doorman.note(Cut.SLOW_BODY)
            self._guard.reschedule(self._looped.time())
            self._guard = None
        self._unsent_before = unsent if self._is_stuck else math.inf
        self._received_before = self._received
        self._due = self._looped.time() + self._doorman.patience.window_s

    def _is_body_slow(self, wire: asyncio.Transport) -> bool:
        # Not reading is this side's own slowness: the body that came has not been stored yet.
        if self._call is None or self._call.content.is_eof() or not wire.is_reading():
            return False
        return self._received - self._received_before < self._doorman.patience.min_bytes_a_window


def _limit_unread(transport: asyncio.BaseTransport, limit_s: float) -> None:
    # Where the loop has the kernel send a file, nobody here sees whether it gets on; Linux can look after that.
    connection = transport.get_extra_info("socket")
    if connection is not None and hasattr(socket, "TCP_USER_TIMEOUT"):
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, max(1, int(1000 * limit_s)))
