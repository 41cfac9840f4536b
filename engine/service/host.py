"""Under which host a client reaches this service, for the links that it is given."""

import re

from aiohttp import web

__all__ = ["host_of"]

_SANE = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(:[0-9]{1,5})?")


def host_of(request: web.Request) -> str:
    """Return what the client calls this service, or the address it came in by when that can't stand in a link."""
    if _SANE.fullmatch(request.host):
        return request.host
    address = request.transport.get_extra_info("sockname") if request.transport is not None else None
    if address is None:
        return "localhost"  # the client is gone already
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
