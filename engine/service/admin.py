"""What only whoever runs the service gets to see, on a port of its own: `/metrics` and the whole `/health`.

It asks for no key: keep its address where only the monitoring can reach it (this machine, by default).
"""

from collections.abc import Callable

from aiohttp import web

from engine import __version__
from engine.journal.line import Record
from engine.service.letterhead import letterhead
from engine.service.metrics import Metrics
from engine.service.wire import answer

__all__ = ["admin_app"]

_TEXT = "text/plain; version=0.0.4; charset=utf-8"  # Prometheus' exposition format


def admin_app(metrics: Metrics, health: Callable[[], Record]) -> web.Application:
    """Return the application behind the admin port."""

    async def tell_metrics(_request: web.Request) -> web.Response:
        return web.Response(body=metrics.text(), headers={"Content-Type": _TEXT, "Cache-Control": "no-store"})

    async def tell_health(_request: web.Request) -> web.Response:
        return answer({"status": "ok", "version": __version__, **health()})

    app = web.Application()
    app.on_response_prepare.append(letterhead)
    app.add_routes([web.get("/metrics", tell_metrics), web.get("/health", tell_health)])
    return app
