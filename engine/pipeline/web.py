"""Inputs on the web: fetched to the run folder, then treated like any file.

A server that stumbles is asked again a few times. When one address after the other can't even be reached, it is
this machine that is offline: then the run stops, instead of failing the rest of its list.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import urljoin

import aiofiles

from engine.disk import private, publish
from engine.errors import InputError, MachineError
from engine.inputs.scan import with_header
from engine.limits import MAX_BYTES
from engine.picture import read_header
from engine.pipeline.flight import Flight
from engine.pipeline.scope import Scope
from engine.remote.failures import parse_retry_after
from engine.remote.transport import ConnectError, StreamedResponse, TransportError

__all__ = ["WebInputs", "copy_of"]

_ATTEMPTS = 4
_MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
_STUMBLES = (408, 425, 429, 500, 502, 503, 504)
# Fetches in a row that reached nobody: as many different dead addresses are less likely than a dead line.
_OFFLINE = 20
_CHUNK_BYTES = 1024 * 1024


class _Stumble(Exception):
    """It may work in a moment."""

    def __init__(self, message: str, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


def copy_of(scope: Scope, flight: Flight) -> Path:
    """Return where the local copy of a picture on the web lies until its job has ended."""
    return scope.folder.copy_of(flight.number)


class WebInputs:
    """Fetches for one submit lane."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._backoff = scope.backoff()
        self._unreached = 0

    async def copy(self, flight: Flight) -> Path:
        """Return the local copy of the flight's input, and complete its spec from the header.

        Raises InputError when it can't be had or is no picture, MachineError when nothing can be reached.
        """
        path = copy_of(self._scope, flight)
        if not path.exists():
            path.parent.mkdir(mode=0o700, exist_ok=True)
            await self._fetch(flight.spec.source, path)
        header = await asyncio.to_thread(read_header, path)
        flight.spec = with_header(flight.spec, header, self._scope.order.sizing)
        return path

    async def _fetch(self, url: str, path: Path) -> None:
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                await self._try(url, path)
                self._unreached = 0
                return
            except _Stumble as stumble:
                if attempt == _ATTEMPTS:
                    raise InputError(f"can't be fetched: {stumble}") from stumble
                wait_s = self._backoff.delay_s(attempt, self._scope.draw(), stumble.retry_after_s)
            await self._scope.clock.sleep(wait_s)

    async def _try(self, url: str, path: Path) -> None:
        try:
            for _redirect in range(_MAX_REDIRECTS + 1):
                async with self._scope.transport.stream(url, headers={"Accept": "image/*"}) as answer:
                    if answer.status in _REDIRECTS:
                        url = _location(url, answer)
                        continue
                    self._check(answer)
                    await _store(answer.chunks(_CHUNK_BYTES), path)
                    return
        except ConnectError as error:
            self._count_unreached(error)
            raise _Stumble(str(error)) from error
        except TransportError as error:
            raise _Stumble(str(error)) from error
        raise InputError(f"can't be fetched: more than {_MAX_REDIRECTS} redirects")

    def _check(self, answer: StreamedResponse) -> None:
        if answer.status == 200:
            return
        said = f"the web server answered {answer.status}"
        if answer.status in _STUMBLES:
            raise _Stumble(said, parse_retry_after(answer.headers.get("Retry-After"), self._scope.clock.now()))
        raise InputError(f"can't be fetched: {said}")

    def _count_unreached(self, error: ConnectError) -> None:
        self._unreached += 1
        if self._unreached >= _OFFLINE:
            raise MachineError(f"no address of the list can be reached ({error}): go online, then resume") from error


def _location(url: str, answer: StreamedResponse) -> str:
    try:
        target = urljoin(url, answer.headers.get("Location", ""))
    except ValueError:
        target = ""
    if not target.startswith(("http://", "https://")):
        raise InputError("can't be fetched: it redirects to no web address")
    return target


async def _store(chunks: AsyncIterator[bytes], path: Path) -> None:
    part = path.with_name(path.name + ".part")
    size = 0
    async with aiofiles.open(part, "wb", opener=private) as file:
        async for chunk in chunks:
            size += len(chunk)
            if size > MAX_BYTES:
                raise InputError("is over 500 MB")
            await file.write(chunk)
    await asyncio.to_thread(publish, part, path)
