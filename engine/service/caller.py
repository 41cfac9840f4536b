"""Who sent a request, under which address it reached this service, and what it may not look like."""

import re

from aiohttp import hdrs, web

from engine.service.key import Key
from engine.service.refusal import Refusal

__all__ = ["CALLER", "check_plain", "host_of", "key_of", "origin_of"]

CALLER = web.RequestKey("caller", Key)  # set by the gate

_SANE = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")


def key_of(request: web.Request) -> Key:
    """Return the key of the call, which the gate has found to be good."""
    return request[CALLER]


def origin_of(request: web.Request) -> str:
    """Return scheme, host and port as the client writes them."""
    return f"{request.scheme}://{host_of(request)}"


def host_of(request: web.Request) -> str:
    """Return what the client calls this service, or the address it came in by when that can't stand in a link."""
    if _SANE.fullmatch(request.host):
        return request.host
    address = request.transport.get_extra_info("sockname") if request.transport is not None else None
    if address is None:
        return "localhost"  # the client is gone already
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def check_plain(request: web.Request) -> None:
    """Raise Refusal with 415 for a packed body, which nobody here unpacks."""
    if request.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
        raise Refusal(415, "the body must not be packed: leave out Content-Encoding")
