"""The port that only whoever runs the service can reach."""

import asyncio
import contextlib
import logging
import re

import orjson
import pytest

from engine.errors import UsageError
from tests.service.harness import picture, running, until


@contextlib.asynccontextmanager
async def administered(folder, caplog, **settings):
    """A running service and the URL of its admin port, as its log tells it."""
    caplog.set_level(logging.INFO, "engine.service.server")
    async with running(folder, admin_port=0, **settings) as service:
        (url,) = re.findall(r"metrics and health at (http://\S+)", caplog.text)
        yield service, url


async def test_health_in_full(tmp_path, caplog):
    """Workers, queue and version are told on the admin port, and nothing but `ok` on the API's."""
    async with administered(tmp_path / "service", caplog) as (service, admin):
        for _ in range(3):
            await service.submit(f"wait {tmp_path / 'gate'}")

        async def is_busy():
            health = orjson.loads((await service.fetch(admin + "/health")).body)
            return health if health["running"] == 2 else None

        health = await until(is_busy, "two running jobs")
        assert (health["status"], health["workers"], health["queued"], health["worker_deaths"]) == ("ok", 2, 1, 0)
        assert orjson.loads((await service.fetch(service.base + "/health")).body) == {"status": "ok"}


async def test_the_api_port_tells_no_metrics_and_the_admin_port_no_jobs(tmp_path, caplog):
    """Each port has its own paths."""
    async with administered(tmp_path / "service", caplog) as (service, admin):
        assert (await service.fetch(service.base + "/metrics")).status == 401
        assert (await service.call("GET", "//metrics"))[0] == 404
        assert (await service.fetch(admin + "/image/v1/status")).status == 404
        assert (await service.fetch(admin + "/metrics", method="POST")).status == 405


async def test_an_admin_port_in_use_is_a_usage_error(tmp_path):
    """It is said in one line, and the folder is free again."""
    taken = await asyncio.start_server(lambda reader, writer: None, "127.0.0.1", 0)
    port = taken.sockets[0].getsockname()[1]
    with pytest.raises(UsageError, match=f"127.0.0.1:{port} can't be served"):
        async with running(tmp_path / "service", admin_port=port):
            pass
    taken.close()
    async with running(tmp_path / "service") as service:
        assert (await service.post(picture()))[0] == 200
