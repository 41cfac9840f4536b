"""What a person sees in a browser: the description at /openapi.json, and a page drawn from it at /docs.

Both are open to anybody, say nothing of jobs or keys, and are drawn once.
"""

import base64
import functools
import hashlib
from collections.abc import Mapping

import orjson
from aiohttp import web

from engine.service.description.page import STYLE, draw
from engine.service.openapi import describe
from engine.service.settings import ServiceSettings

__all__ = ["OPEN_PATHS", "routes"]

OPEN_PATHS = ("/docs", "/openapi.json")  # need no key

_STYLE_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
# The page has no script and no form and fetches nothing: its one style sheet is all that the browser may apply.
_POLICY = (
    f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {"Referrer-Policy": "no-referrer", "Cache-Control": "no-cache"}


def routes(settings: ServiceSettings) -> list[web.RouteDef]:
    """Return the routes of both, HEAD too; none where `settings.has_pages` is off."""
    if not settings.has_pages:
        return []
    description = functools.cache(lambda: describe(settings.public_url or "/"))
    page = functools.cache(lambda: draw(description()).encode())
    data = functools.cache(lambda: orjson.dumps(description()))

    async def openapi(_request: web.Request) -> web.Response:
        return _answer(data(), "application/json", {})

    async def docs(_request: web.Request) -> web.Response:
        return _answer(page(), "text/html; charset=utf-8", {"Content-Security-Policy": _POLICY})

    return [web.get("/openapi.json", openapi), web.get("/docs", docs)]


def _answer(body: bytes, kind: str, headers: Mapping[str, str]) -> web.Response:
    return web.Response(body=body, headers={"Content-Type": kind, **_HEADERS, **headers})
