"""From `--backend` to an endpoint: the vendor's cloud, any base URL, or the embedded service as a child process.

The child restores (local) or only seems to (simulated).
"""

import asyncio
import contextlib
import importlib.util
import os
import secrets
import signal
import sys
from asyncio.subprocess import Process
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urlsplit

import orjson

from engine.disk import private
from engine.errors import LOCAL_LIBRARIES, MachineError, MissingExtra, UsageError
from engine.remote.endpoint import Endpoint
from engine.service.simulate.simulation import load_simulation
from engine.settings import api_keys

__all__ = ["check_backend", "open_backend"]

TOPAZ_BASE = "https://api.topazlabs.com/image/v1"
SERVICE_KEY = "FACE_RECOVERY_SERVICE_KEY"
_EMBEDDED = ("local", "simulated")

# The embedded service lists a job before it answers its submit, so a short settle time proves an absence.
_LOCAL_SETTLE_S = 1.0
_START_LIMIT_S = 60.0
_STOP_LIMIT_S = 5.0
_MAX_RESTARTS = 5
_SECRETS = ("TOPAZ_API_KEY", "FACE_RECOVERY_API_KEY", SERVICE_KEY)


def check_backend(backend: str, simulation: Path | None = None) -> None:
    """Raise UsageError for a backend that can't be used: unknown, without its key or its extra, badly simulated."""
    if backend == "simulated":
        load_simulation({}, simulation)
        return
    if backend == "local":
        if any(importlib.util.find_spec(library) is None for library in LOCAL_LIBRARIES):
            raise MissingExtra("local", "--backend local")
        return
    for each in _places(backend):
        _check_place(each)
    _members(backend)


def _check_place(place: str) -> None:
    if place != "topaz" and urlsplit(place).scheme not in ("http", "https"):
        raise UsageError(f"--backend {place}: is not simulated, local, topaz or a base URL (http:// or https://)")
    if urlsplit(place).username or urlsplit(place).password:
        raise UsageError("--backend: a URL must not hold a password; the key goes into FACE_RECOVERY_API_KEY")


def _places(backend: str) -> list[str]:
    return [each.strip() for each in backend.split(",")]


def _members(backend: str) -> list[tuple[str, str]]:
    """Return base URL and key of each member: one key for all URLs, one for each, or several for the only one."""
    urls = [TOPAZ_BASE if place == "topaz" else place for place in _places(backend)]
    keys = api_keys(backend)
    if len(urls) > 1 and len(keys) not in (1, len(urls)):
        raise UsageError(
            f"--backend names {len(urls)} addresses and FACE_RECOVERY_API_KEY {len(keys)} keys: "
            "give one key for all, or one for each"
        )
    count = max(len(urls), len(keys))
    return list(zip(urls * (count // len(urls)), keys * (count // len(keys)), strict=True))


@contextlib.asynccontextmanager
async def open_backend(
    backend: str, *, service: Path, workers: int, simulation: Path | None = None
) -> AsyncIterator[Endpoint]:
    """Yield the endpoint of `backend`; a local service lives in the folder `service`, as long as the block.

    So does a simulated one, as the file `simulation` says; its jobs are not deleted when they are done, as a cloud's.
    """
    check_backend(backend, simulation)
    if backend not in _EMBEDDED:
        (base_url, key), *others = _members(backend)
        yield Endpoint(name=backend, base_url=base_url, key=key, others=tuple(others), has_account=True)
        return
    child = _Child(service, _options(backend, workers, simulation))
    base_url = await child.start()
    keeper = asyncio.create_task(child.keep())
    try:
        is_own = backend == "local"
        yield Endpoint(name=backend, base_url=base_url, key=child.key, is_own=is_own, settle_s=_LOCAL_SETTLE_S)
    finally:
        keeper.cancel()
        await asyncio.shield(child.stop())


def _options(backend: str, workers: int, simulation: Path | None) -> list[str]:
    if backend == "local":
        return ["--workers", str(workers)]
    return ["--simulate"] if simulation is None else ["--simulation", str(simulation)]


class _Child:
    """The embedded service as a child in a session of its own, so that a Ctrl-C reaches only the engine.

    Its key is random and travels in its environment. It ends when its standard input does, so it can't outlive
    the engine, however that ends. Should it die alone, it is started again on the same port.
    """

    def __init__(self, folder: Path, options: list[str]) -> None:
        self.key = secrets.token_urlsafe(32)
        self._folder = folder
        self._log = folder.parent / "service.log"
        self._options = options
        self._port = 0
        self._process: Process | None = None

    async def start(self) -> str:
        """Start the service and return its base URL; raises MachineError when it does not come up."""
        self._process = await self._spawn()
        try:
            async with asyncio.timeout(_START_LIMIT_S):
                line = await self._process.stdout.readline() if self._process.stdout else b""
            base_url = str(orjson.loads(line)["base_url"])
        except (TimeoutError, orjson.JSONDecodeError, KeyError):
            await self.stop()
            raise MachineError(
                f"the embedded service did not start; {self._log} says why: {_last_line(self._log)}"
            ) from None
        self._port = urlsplit(base_url).port or 0
        return base_url

    async def _spawn(self) -> Process:
        environment = {name: value for name, value in os.environ.items() if name not in _SECRETS}
        command = [sys.executable, "-m", "engine", "serve", "--child", "--folder", str(self._folder)]
        command += ["--port", str(self._port), *self._options]
        with os.fdopen(private(self._log, os.O_WRONLY | os.O_CREAT | os.O_APPEND), "ab") as log:
            return await asyncio.create_subprocess_exec(
                *command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=log,
                env={**environment, SERVICE_KEY: self.key},
                start_new_session=True,
            )

    async def keep(self) -> None:
        """Start the service again whenever it ends by itself."""
        for _restart in range(_MAX_RESTARTS):
            if self._process is not None:
                await self._process.wait()
            with contextlib.suppress(MachineError):
                await self.start()

    async def stop(self) -> None:
        """End the service and all of its workers."""
        process, self._process = self._process, None
        if process is None:
            return
        if process.stdin is not None:
            process.stdin.close()
        try:
            async with asyncio.timeout(_STOP_LIMIT_S):
                await process.wait()
        except TimeoutError:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


def _last_line(path: Path) -> str:
    lines = path.read_text(errors="replace").strip().splitlines() if path.exists() else []
    return lines[-1] if lines else "it wrote nothing"
