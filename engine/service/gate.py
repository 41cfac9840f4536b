"""The gate in front of every call: is the key right, and every error is JSON.

Health and presigned files need no key; the key itself is compared in constant time and never logged.
"""

import hmac
import logging
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError

from engine.errors import MachineError
from engine.service.refusal import Refusal
from engine.service.wire import error

__all__ = ["Gate", "is_open"]

_log = logging.getLogger(__name__)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_OPEN = ("/health", "/files/")


def is_open(request: web.BaseRequest) -> bool:
    """Say whether the call needs no key."""
    return request.path.startswith(_OPEN)


class Gate:
    """The middleware in front. `on_broken` hears of a disk that takes no more."""

    def __init__(self, keys: frozenset[str], on_broken: Callable[[MachineError], None]) -> None:
        self._keys = [key.encode() for key in keys]
        self._on_broken = on_broken

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not (is_open(request) or self._is_known(request)):
            return error(401, "X-API-Key is missing or wrong")
        try:
            return await handler(request)
        except Refusal as refusal:
            return error(refusal.status, str(refusal))
        except web.HTTPException as other:
            allow = {"Allow": other.headers["Allow"]} if "Allow" in other.headers else None
            return error(other.status, _explain(request, other), allow)
        except MachineError as broken:
            self._on_broken(broken)
            return error(503, str(broken))
        except (web.RequestPayloadError, HttpProcessingError) as malformed:
            _log.info("%s %s: %s", request.method, request.path, malformed)
            return error(400, "the body can't be read: it is not what its headers say")
        except ConnectionError:
            raise  # the client is gone: nobody to answer
        except OSError as failure:
            _log.error("%s %s: %s", request.method, request.path, failure)
            return error(503, f"the service's disk failed: {failure.strerror or failure}")
        except Exception:
            _log.exception("%s %s failed", request.method, request.path)
            return error(500, "internal error; the service's log says more")

    def _is_known(self, request: web.Request) -> bool:
        given = request.headers.get("X-API-Key", "").encode("utf-8", "surrogateescape")
        # Every key is compared: the time taken does not tell which one came close.
        return any([hmac.compare_digest(key, given) for key in self._keys])  # noqa: C419 - no early end


def _explain(request: web.Request, other: web.HTTPException) -> str:
    match other.status:
        case 404:
            return f"no such endpoint: {request.path[:200]}"
        case 405:
            return f"{request.method[:20]} is not allowed here"
    return other.reason
