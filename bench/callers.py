"""Clients for the load bench: some that use the service as it is meant, and some that mean no good.

Each knows a few jobs of its own, and deletes them again, so that the service holds no more at the end of an hour than
at the end of a minute. What every call got is noted, and what it should not have got.
"""

import asyncio
import contextlib
import random
import time
from collections import Counter, defaultdict
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import aiohttp

__all__ = ["Account", "Caller", "Target"]

_MAX_JOBS = 5  # of one caller
_PATIENCE_S = 30.0
_GARBAGE = (
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"GET / HTTP/9.9\r\n\r\n",
    b"BREW /pot HTCPCP/1.0\r\n\r\n",
    b"GET /image/v1/status HTTP/1.1\r\nHost: x\r\nX-API-Key: \x00\x01\r\n\r\n",
    b"POST /image/v1/restore-gen/async HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
    b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n",
)
_SLOW = b"GET /image/v1/status HTTP/1.1\r\nHost: x\r\nX-Slow: "


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where to call. `header_limit_s` is the service's, for a header that does not end."""

    base_url: str  # with /image/v1
    key: str = field(repr=False)
    picture: bytes = field(repr=False)
    header_limit_s: float


@dataclass(slots=True)
class Account:
    """What all callers got. `wrong` names what none of them should have got, with how often."""

    statuses: dict[str, Counter[int]] = field(default_factory=lambda: defaultdict(Counter))
    seconds: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    wrong: Counter[str] = field(default_factory=Counter)

    def note(self, what: str, status: int, began: float) -> None:
        self.statuses[what][status] += 1
        self.seconds[what].append(time.perf_counter() - began)
        if status >= 500:
            self.wrong[f"{what} answered {status}"] += 1


class Caller:
    """One client, going on until it is told the time is up. Two with the same number do the same."""

    def __init__(self, number: int, target: Target, session: aiohttp.ClientSession, account: Account) -> None:
        self._random = random.Random(number)  # noqa: S311 -- a mix of calls, no secret
        self._target = target
        self._session = session
        self._account = account
        self._jobs: list[str] = []
        self._acts: tuple[tuple[Callable[[], Awaitable[None]], int], ...] = (
            (self._submit, 25),
            (self._poll, 35),
            (self._list, 5),
            (self._download, 10),
            (self._cancel, 5),
            (self._delete, 12),
            (self._call_with_bad_key, 4),
            (self._send_garbage, 3),
            (self._send_slowly, 1),
        )

    async def run(self, until: float) -> None:
        """Call until `until` on the performance counter, then delete what is left."""
        acts, weights = zip(*self._acts, strict=True)
        while time.perf_counter() < until:
            (act,) = self._random.choices(acts, weights)
            await self._do(act)
        while self._jobs and time.perf_counter() < until + _PATIENCE_S:
            await self._do(self._delete)

    async def _do(self, act: Callable[[], Awaitable[None]]) -> None:
        try:
            async with asyncio.timeout(_PATIENCE_S):
                await act()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._account.wrong[f"{act.__name__.strip('_')}: {type(error).__name__}"] += 1

    async def _submit(self) -> None:
        if len(self._jobs) >= _MAX_JOBS:
            await self._delete()
            return
        form = aiohttp.FormData({"model": "Faces"})
        form.add_field("image", self._target.picture, filename="load.png", content_type="image/png")
        status, answer = await self._call("submit", "POST", "/restore-gen/async", data=form)
        if status == 200:
            self._jobs.append(answer["process_id"])

    async def _poll(self) -> None:
        await self._call("poll", "GET", f"/status/{self._any_job()}")

    async def _list(self) -> None:
        await self._call("list", "GET", "/status?paginated=true&limit=20")

    async def _download(self) -> None:
        status, answer = await self._call("link", "GET", f"/download/{self._any_job()}")
        if status == 200:
            await self._call("download", "GET", answer["download_url"])

    async def _cancel(self) -> None:
        await self._call("cancel", "DELETE", f"/cancel/{self._any_job()}")

    async def _delete(self) -> None:
        job = self._any_job()
        status, _ = await self._call("delete", "DELETE", f"/status/{job}")
        if status == 204:
            self._jobs.remove(job)
        elif status == 409:  # it still runs
            await asyncio.sleep(0.05)

    async def _call_with_bad_key(self) -> None:
        bad = {"X-API-Key": f"wrong-{self._random.random()}"}
        status, _ = await self._call("bad key", "GET", "/status", headers=bad)
        if status not in (401, 429):
            self._account.wrong[f"a bad key got {status}"] += 1

    async def _send_garbage(self) -> None:
        began = time.perf_counter()
        answer = await self._exchange(self._random.choice(_GARBAGE))
        status = int(answer.split(b" ", 2)[1]) if answer.startswith(b"HTTP/") else 0
        self._account.note("garbage", status, began)
        if status not in (0, 400, 401):
            self._account.wrong[f"garbage got {status}"] += 1

    async def _send_slowly(self) -> None:
        """Begin a header and never end it: the service has to end the connection."""
        began = time.perf_counter()
        await self._exchange(_SLOW)
        self._account.note("slow header", 0, began)
        if time.perf_counter() - began > self._target.header_limit_s + 5.0:
            self._account.wrong["a slow header was not cut in time"] += 1

    async def _exchange(self, data: bytes) -> bytes:
        """Send raw bytes and return what comes until the service ends the connection."""
        place = urlsplit(self._target.base_url)
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        try:
            with contextlib.suppress(ConnectionError):
                writer.write(data)
                await writer.drain()
                return await reader.read()
        finally:
            writer.close()
        return b""

    async def _call(self, what: str, method: str, path: str, **options):  # type: ignore[no-untyped-def]
        """Return status and JSON, None where there is none, of one call; links come with their host."""
        url = path if path.startswith("http") else self._target.base_url + path
        headers = {} if path.startswith("http") else {"X-API-Key": self._target.key}
        headers |= options.pop("headers", {})
        began = time.perf_counter()
        async with self._session.request(method, url, headers=headers, **options) as response:
            body = await response.read()
            self._account.note(what, response.status, began)
            is_json = response.content_type == "application/json" and body
            return response.status, await response.json() if is_json else None

    def _any_job(self) -> str:
        return self._random.choice(self._jobs) if self._jobs else "00000000-0000-0000-0000-000000000000"
