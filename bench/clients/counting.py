"""A transport that keeps when calls were answered, and whether they were refused as too many."""

import time
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractAsyncContextManager, asynccontextmanager

from engine.remote.multipart import Upload
from engine.remote.transport import Response, StreamedResponse, Transport

__all__ = ["CountingTransport"]

_TOO_FAST = 429


class CountingTransport:
    """Counts whole seconds since its first request; files are left out, as no provider's limit counts them."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._started = 0.0
        self._seconds: defaultdict[int, Counter[str]] = defaultdict(Counter)

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], upload: Upload | None = None
    ) -> Response:
        answer = await self._transport.request(method, url, headers=headers, upload=upload)
        self._count("refused" if answer.status == _TOO_FAST else "answered")
        return answer

    def stream(self, url: str, *, headers: Mapping[str, str]) -> AbstractAsyncContextManager[StreamedResponse]:
        return self._stream(url, headers)

    @asynccontextmanager
    async def _stream(self, url: str, headers: Mapping[str, str]) -> AsyncIterator[StreamedResponse]:
        async with self._transport.stream(url, headers=headers) as answer:
            yield answer

    def seconds(self) -> list[dict[str, int]]:
        """Return, for each second from the first answer on, how many requests were `answered` and `refused`."""
        last = max(self._seconds, default=-1)
        return [{name: self._seconds[second][name] for name in ("answered", "refused")} for second in range(last + 1)]

    def _count(self, kind: str) -> None:
        now = time.monotonic()
        self._started = self._started or now
        self._seconds[int(now - self._started)][kind] += 1
