"""What stands on every answer, and the one line that each call leaves in the log.

The line tells the path but no query: a presigned link's query is a permission.
"""

import logging
import re
import secrets
import time

from aiohttp import hdrs, web

from engine import __version__
from engine.service.caller import CALLER

__all__ = ["id_of", "in_one_line", "letterhead", "seconds_of", "write_head", "write_line"]

_access = logging.getLogger("engine.service.access")

_ID = web.RequestKey("id", str)
_BEGAN = web.RequestKey("began", float)  # on the machine's monotonic clock

_SANE_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_NAME = "face-recovery"  # which libraries it is made of, and how old, is nobody's business
_PATH_CHARS = 200
_JSON = "application/json"


def id_of(request: web.BaseRequest) -> str:
    """Return the id of this call: the client's own if it can stand in a header and a log, else a new one."""
    known = request.get(_ID)
    if known is None:
        given = request.headers.get("X-Request-ID", "")
        known = request[_ID] = given if _SANE_ID.fullmatch(given) else secrets.token_hex(8)
        request[_BEGAN] = time.monotonic()
    return known


def seconds_of(request: web.BaseRequest) -> float:
    """Return how long this call has taken so far; 0 for what was no sound HTTP."""
    began = request.get(_BEGAN)
    return 0.0 if began is None else time.monotonic() - began


async def letterhead(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Complete the head of an answer that is about to go out: for `on_response_prepare`."""
    write_head(request, response)


def write_head(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Complete the head of `response`."""
    headers = response.headers
    headers["X-Request-ID"] = id_of(request)
    headers["X-Face-Recovery"] = __version__
    headers["X-Content-Type-Options"] = "nosniff"
    headers[hdrs.SERVER] = _NAME
    if hdrs.CACHE_CONTROL not in headers and headers.get(hdrs.CONTENT_TYPE, "").startswith(_JSON):
        headers[hdrs.CACHE_CONTROL] = "no-store"


def write_line(request: web.BaseRequest, response: web.StreamResponse) -> None:
    """Write down one call that has ended: method, path, status, bytes, milliseconds, key, id."""
    if not _access.isEnabledFor(logging.INFO):
        return
    call_id = id_of(request)
    key = request.get(CALLER)
    _access.info(
        "%s %s %d %d bytes %.1f ms key=%s id=%s",
        in_one_line(request.method[:20]),
        in_one_line(request.path[:_PATH_CHARS]),
        response.status,
        response.body_length,
        1000.0 * seconds_of(request),
        "-" if key is None else in_one_line(key.id) or "own",
        call_id,
    )


def in_one_line(text: str) -> str:
    """Return `text` with everything escaped that would move a terminal or begin a line of its own."""
    return text if text.isprintable() else "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
