"""The engine as its user starts it, but for the step at which it dies: `python -m bench.chaos.doomed DOOM ARGUMENT...`

Nothing of the engine knows of this. The seams through which it reaches files and network are wrapped from outside, and
the process sends itself SIGKILL when it passes the step that `Doom` names for the time that it counts.
"""

import asyncio
import os
import random
import signal
import sys
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self
from urllib.parse import urlsplit

import orjson

from bench.chaos.steps import CALLS, lines_in
from engine.cli import main as engine_main
from engine.commands import restore
from engine.disk import AppendFile
from engine.pipeline import snapshots
from engine.remote.multipart import Upload
from engine.remote.transport import AiohttpTransport, Response, StreamedResponse

__all__ = ["Doom"]

_SUBMIT, _LOOK, _LINK = CALLS
_UNDER_WAY_S = 0.01  # an exchange with a service on this machine takes a few milliseconds
_SNAPSHOT_LINES = 60  # and not 20,000: the lives of an engine are short here
_EMPTY = Response(200, {}, b'{"data": [], "pagination": {"next_cursor": null, "has_next_page": false}}')


@dataclass(frozen=True, slots=True, kw_only=True)
class Doom:
    """Die at the `passage`-th passage of `step`, from 1; an empty one is never passed. `is_blind`: it is shown an empty
    listing, whatever the service lists. `run_id`: of a run that begins; the service's faults fall by it.
    """

    step: str = ""
    passage: int = 1
    seed: int = 0
    run_id: str = "0123456789"
    is_blind: bool = False

    def __str__(self) -> str:
        return orjson.dumps(asdict(self)).decode()

    @classmethod
    def parse(cls, text: str) -> Self:
        return cls(**orjson.loads(text))


class Fate:
    """Counts the passages of one process and ends it."""

    def __init__(self, doom: Doom) -> None:
        self._doom = doom
        self._left = doom.passage
        self.draw = random.Random(doom.seed)  # noqa: S311 -- chance, not secrets

    def is_sealed(self, step: str) -> bool:
        """Count a passage of `step`; True when it is the one to die at."""
        if step == self._doom.step:
            self._left -= 1
        return step == self._doom.step and self._left == 0

    def passes(self, step: str) -> None:
        if self.is_sealed(step):
            die()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def wrap_append_file(fate: Fate) -> None:
    """Journal, plan and results: before, in the middle of and after each write, and when a torn end is cut off."""
    append, truncate = AppendFile.append, AppendFile.truncate

    def doomed_append(self: AppendFile, data: bytes) -> None:
        places = lines_in(self.path.name, data)
        for place in places:
            fate.passes(f"{place}: before")
            if fate.is_sealed(f"{place}: torn"):
                _tear(self.path, data, fate)
        append(self, data)
        for place in places:
            fate.passes(f"{place}: after")

    def doomed_truncate(self: AppendFile, size_bytes: int) -> None:
        fate.passes("cut: before")
        truncate(self, size_bytes)
        fate.passes("cut: after")

    AppendFile.append = doomed_append  # type: ignore[method-assign]
    AppendFile.truncate = doomed_truncate  # type: ignore[method-assign]


def _tear(path: Path, data: bytes, fate: Fate) -> None:
    """Write a part of `data`, as a process does that dies in the middle."""
    with path.open("ab") as file:
        file.write(data[: fate.draw.randrange(len(data))])
    die()


def wrap_system_calls(fate: Fate) -> None:
    """What makes an output, a snapshot or an order visible, and the bytes of a small output before that."""
    write, link, unlink, replace = os.write, os.link, os.unlink, os.replace

    def doomed_write(fd: int, data: bytes) -> int:
        if Path(f"/proc/self/fd/{fd}").readlink().suffix != ".part":
            return write(fd, data)
        fate.passes("part: before")
        if fate.is_sealed("part: torn"):
            write(fd, data[: fate.draw.randrange(len(data))])
            die()
        written = write(fd, data)
        fate.passes("part: after")
        return written

    def doomed_link(source: Path, target: Path, **options: Any) -> None:
        fate.passes("rename: before")
        link(source, target, **options)
        fate.passes("rename: linked")

    def doomed_unlink(path: Path, **options: Any) -> None:
        unlink(path, **options)
        if str(path).endswith(".part"):
            fate.passes("rename: after")

    def doomed_replace(source: Path, target: Path, **options: Any) -> None:
        name = {"snapshot.json": "snapshot", "run.toml": "order"}.get(Path(target).name, "")
        fate.passes(f"{name}: before")
        replace(source, target, **options)
        fate.passes(f"{name}: after")

    os.write, os.link, os.unlink, os.replace = doomed_write, doomed_link, doomed_unlink, doomed_replace  # type: ignore[assignment]


def wrap_transport(fate: Fate, *, is_blind: bool) -> None:
    """Each exchange: before it, while it is under way, and when its headers are here."""
    request, stream = AiohttpTransport.request, AiohttpTransport.stream

    async def doomed_request(
        self: AiohttpTransport, method: str, url: str, *, headers: Mapping[str, str], upload: Upload | None = None
    ) -> Response:
        call = _call(method, url)
        if is_blind and method == "GET" and urlsplit(url).path.endswith("/status"):
            return _EMPTY
        fate.passes(f"{call}: before")
        if fate.is_sealed(f"{call}: under way"):
            asyncio.get_running_loop().call_later(fate.draw.uniform(0, _UNDER_WAY_S), die)
        answer = await request(self, method, url, headers=headers, upload=upload)
        fate.passes(f"{call}: answered")
        return answer

    def doomed_stream(self: AiohttpTransport, url: str, *, headers: Mapping[str, str]) -> "_Stream":
        return _Stream(stream(self, url, headers=headers), fate.passes)

    AiohttpTransport.request = doomed_request  # type: ignore[method-assign]
    AiohttpTransport.stream = doomed_stream  # type: ignore[method-assign]


def _call(method: str, url: str) -> str:
    if method == "POST":
        return _SUBMIT
    return _LINK if "/download/" in url else _LOOK


class _Stream:
    """A download that may end the process when its headers are here."""

    def __init__(self, real: AbstractAsyncContextManager[StreamedResponse], passes: Callable[[str], None]) -> None:
        self._real = real
        self._passes = passes

    async def __aenter__(self) -> "_Body":
        self._passes("file: before")
        answer = await self._real.__aenter__()
        self._passes("file: headers")
        return _Body(answer, self._passes)

    async def __aexit__(self, *error: Any) -> None:
        await self._real.__aexit__(*error)


class _Body:
    """Its body: the process may end after its first chunk."""

    def __init__(self, real: StreamedResponse, passes: Callable[[str], None]) -> None:
        self._real = real
        self._passes = passes
        self.status, self.headers = real.status, real.headers

    async def chunks(self, size_bytes: int) -> AsyncIterator[bytes]:
        async for chunk in self._real.chunks(size_bytes):
            yield chunk
            self._passes("file: body")

    async def read(self) -> bytes:
        body = await self._real.read()
        self._passes("file: body")
        return body


def main() -> None:
    doom = Doom.parse(sys.argv[1])
    fate = Fate(doom)
    wrap_append_file(fate)
    wrap_system_calls(fate)
    wrap_transport(fate, is_blind=doom.is_blind)
    snapshots.lines_between = lambda _planned: _SNAPSHOT_LINES
    restore.secrets = SimpleNamespace(token_hex=lambda _size: doom.run_id)  # type: ignore[attr-defined]
    sys.argv[:] = ["face-recovery", *sys.argv[2:]]
    engine_main()


if __name__ == "__main__":
    main()
