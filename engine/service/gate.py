"""The gate in front of every call: whose key is it, may it call now, and every error is JSON.

Health and presigned files need no key. Keys are never logged; what a stranger learns of an endpoint is 401.
"""

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from aiohttp import hdrs, web
from aiohttp.http_exceptions import HttpProcessingError

from engine.errors import MachineError
from engine.service.caller import CALLER
from engine.service.doorman import neighbourhood
from engine.service.guesses import Guesses
from engine.service.key import Key
from engine.service.letterhead import id_of, in_one_line
from engine.service.refusal import Refusal
from engine.service.visit import Visit
from engine.service.wire import error

__all__ = ["Finding", "Gate", "Handler", "Limited", "Throttling", "is_open"]

_log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_OPEN = ("/health", "/files/", "/docs", "/openapi.json")
_CLOSING_S = 10.0  # by then its successor may be there


def is_open(request: web.BaseRequest) -> bool:
    """Say whether the call needs no key."""
    return request.path.startswith(_OPEN)


class Finding(Protocol):
    """Who knows the keys: `engine.service.keyring.Keyring`."""

    def find(self, text: str) -> Key | None:
        """Return the key that `text` is, suspended or not; takes the same time for every wrong one."""
        ...


class Throttling(Protocol):
    """Who counts calls: `engine.service.throttle.Throttle`."""

    def take(self, key: Key) -> float:
        """Count a call and return 0, or the seconds that `key` has to wait, nothing counted."""
        ...


class Limited(StrEnum):
    """Why a call was answered 429 at the gate."""

    KEY = "key"  # over the rate of its key
    CLIENT = "client"  # too many wrong keys from there


@dataclass(kw_only=True)
class Gate:
    """The middleware in front. `on_broken` hears of a disk that takes no more."""

    keys: Finding
    throttle: Throttling
    guesses: Guesses
    on_broken: Callable[[MachineError], None]
    limited: Counter[Limited] = field(default_factory=Counter)
    takes_jobs: bool = True  # False: submits are answered 503, all else goes on

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        id_of(request)
        visit = request.protocol
        if not isinstance(visit, Visit) or request.content.is_eof():
            if isinstance(visit, Visit):
                visit.begin(request, None)
            return await self._answer(request, handler)
        try:
            async with asyncio.timeout(None) as guard:
                visit.begin(request, guard)
                return await self._answer(request, handler)
        except TimeoutError:
            return _too_slow(request)

    async def _answer(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            if not is_open(request):
                request[CALLER] = self._key_of(request)
                self._check_turn(request, request[CALLER])
            return await handler(request)
        except Refusal as refusal:
            return _refused(refusal)
        except web.HTTPException as other:
            allow = {"Allow": other.headers["Allow"]} if "Allow" in other.headers else None
            return error(other.status, _explain(request, other), allow)
        except MachineError as broken:
            self.on_broken(broken)
            return error(503, str(broken))
        except (web.RequestPayloadError, HttpProcessingError):
            # What exactly is wrong with it would quote it.
            _log.info("%s: the body can't be read", _call(request))
            return error(400, "the body can't be read: it is not what its headers say")
        except ConnectionError:
            raise  # the client is gone: nobody to answer
        except OSError as failure:
            _log.error("%s: %s", _call(request), failure)
            return error(503, f"the service's disk failed: {failure.strerror or failure}")
        except Exception:
            _log.exception("%s failed", _call(request))
            return error(500, "internal error; the service's log says more")

    def _key_of(self, request: web.Request) -> Key:
        """Return the key of the call; raises Refusal with 401, 403 or 429."""
        given = request.headers.get("X-API-Key", "")
        if not given:
            raise Refusal(401, "X-API-Key is missing")
        key, client = self.keys.find(given), neighbourhood(request.remote)
        wait_s = self.guesses.wrong(client) if key is None else self.guesses.right(client, key.id)
        if wait_s:
            self.limited[Limited.CLIENT] += 1
            raise Refusal(429, "too many wrong keys came from this address; wait", retry_after_s=wait_s)
        if key is None:
            raise Refusal(401, "X-API-Key is wrong")
        if key.is_suspended:
            raise Refusal(403, "this key is suspended; ask whoever runs the service")
        return key

    def _check_turn(self, request: web.Request, key: Key) -> None:
        if wait_s := self.throttle.take(key):
            self.limited[Limited.KEY] += 1
            raise Refusal(429, "this key calls too often; wait as long as Retry-After says", retry_after_s=wait_s)
        if not self.takes_jobs and _is_submit(request):
            raise Refusal(503, "the service is stopping and takes no more jobs", retry_after_s=_CLOSING_S)


def _refused(refusal: Refusal) -> web.Response:
    if refusal.retry_after_s is None:
        return error(refusal.status, str(refusal))
    answer = error(refusal.status, str(refusal), {hdrs.RETRY_AFTER: str(math.ceil(refusal.retry_after_s))})
    if refusal.status == 503:
        answer.force_close()
    return answer


def _too_slow(request: web.Request) -> web.Response:
    if request.writer.output_size > 0:
        raise ConnectionError("an answer has begun already")
    answer = error(408, "the body came too slowly; send it again, in smaller pieces or over a better connection")
    answer.force_close()
    return answer


def _is_submit(request: web.Request) -> bool:
    return request.method == hdrs.METH_POST and request.path.endswith("/async")


def _call(request: web.Request) -> str:
    return f"{in_one_line(request.method[:20])} {in_one_line(request.path[:200])} (id={id_of(request)})"


def _explain(request: web.Request, other: web.HTTPException) -> str:
    match other.status:
        case 404:
            return f"no such endpoint: {request.path[:200]}"
        case 405:
            return f"{request.method[:20]} is not allowed here"
    return other.reason
