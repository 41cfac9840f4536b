"""What goes wrong between a client and the service: limits, errors, lost connections, bad downloads.

Each fault falls by the seed, the job's filename and how often this call was made for it, so a run can be repeated.
Calls that name no job fall by their path. Only the rate limit knows the time.
"""

import math
import socket
import struct
from collections import Counter
from collections.abc import Awaitable, Callable

from aiohttp import hdrs, web

from engine.clock import Clock
from engine.service.gate import is_open
from engine.service.refusal import Refusal
from engine.service.simulate.dice import Dice
from engine.service.simulate.made_file import Delivery
from engine.service.simulate.simulation import Simulation
from engine.service.token_bucket import TokenBucket
from engine.service.wire import error

__all__ = ["Faults"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_MESSAGES = {500: "internal error", 502: "bad gateway", 503: "service unavailable"}
# SO_LINGER on, 0 seconds: what closes is reset, not ended.
_NO_LINGER = struct.pack("ii", 1, 0)


class _ResetBefore(Exception):
    """The connection is to be lost before anything was accepted."""


class Faults:
    """The troubles of one simulation. `filename_of` finds the filename of a job by its id."""

    def __init__(self, simulation: Simulation, filename_of: Callable[[str], str | None], clock: Clock) -> None:
        self._told = simulation
        self._filename_of = filename_of
        self._clock = clock
        self._dice = Dice(simulation.seed)
        self._bucket = TokenBucket(simulation.limits, simulation.rate_burst) if simulation.limits else None
        self._losing: set[int] = set()  # ids of submits whose connection is lost once they are accepted
        self._attempts: Counter[tuple[str, str]] = Counter()

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Trouble every call but presigned files and /health."""
        if is_open(request):
            return await handler(request)
        if self._bucket is not None and (wait_s := self._bucket.take(self._clock.monotonic())):
            return self._too_fast(wait_s)
        if self._told.server_errors and not _is_submit(request):
            self._check_server_error(f"{request.method} {self._subject(request)}")
        try:
            answer = await handler(request)
        except _ResetBefore:
            return _reset(request)
        if id(request) in self._losing:
            self._losing.remove(id(request))
            return _reset(request)
        return answer

    def admit(self, request: web.Request, filename: str) -> None:
        """Trouble a submit, known by its filename, before it is accepted; raises Refusal for an error answer."""
        if self._told.server_errors:
            self._check_server_error(filename)
        if self._falls("reset_before", self._told.reset_before, filename):
            raise _ResetBefore
        if self._falls("reset_after", self._told.reset_after, filename):
            self._losing.add(id(request))

    def delivery(self, filename: str, method: str) -> Delivery:
        """Return how a result travels; raises Refusal for a link that has expired."""
        told = self._told
        if self._falls("expired_links", told.expired_links, filename):
            raise Refusal(403, "the link has expired (simulated); ask for a new one")
        if method == hdrs.METH_HEAD:
            return _FAST
        is_slow = self._falls("slow_downloads", told.slow_downloads, filename)
        is_cut = self._falls("truncated_downloads", told.truncated_downloads, filename)
        if not is_slow and not is_cut:
            return _FAST
        return Delivery(bytes_per_s=told.slow_bytes_per_s if is_slow else None, is_cut=is_cut)

    def _falls(self, question: str, fraction: float, name: str) -> bool:
        """Say whether the fault befalls `name` this time; counts the times only of faults that there are."""
        return bool(fraction) and self._share(question, name) < fraction

    def _share(self, question: str, name: str) -> float:
        attempt = self._attempts[question, name]
        self._attempts[question, name] += 1
        return self._dice.share(question, name, attempt)

    def _check_server_error(self, name: str) -> None:
        share = self._share("server_errors", name)
        if share < self._told.server_errors:
            status = list(_MESSAGES)[int(share / self._told.server_errors * len(_MESSAGES))]
            raise Refusal(status, f"{_MESSAGES[status]} (simulated)")

    def _subject(self, request: web.Request) -> str:
        process_id = request.match_info.get("id")
        filename = None if process_id is None else self._filename_of(process_id)
        return request.path if process_id is None or filename is None else request.path.replace(process_id, filename)

    def _too_fast(self, wait_s: float) -> web.Response:
        headers = {"Retry-After": str(math.ceil(wait_s))} if self._told.retry_after else None
        return error(429, "too many requests (simulated)", headers)


_FAST = Delivery()


def _is_submit(request: web.Request) -> bool:
    return request.method == hdrs.METH_POST and request.path.endswith("/async")


def _reset(request: web.Request) -> web.Response:
    """Lose the connection; the answer that aiohttp wants goes nowhere."""
    if (transport := request.transport) is not None:
        if (connection := transport.get_extra_info("socket")) is not None:
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        transport.abort()
    return web.Response(status=500)
