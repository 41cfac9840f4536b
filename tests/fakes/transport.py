"""A transport that plays a script: planned answers in order, every request kept as it would have gone out."""

from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import orjson
from multidict import CIMultiDict

from engine.remote.multipart import Upload
from engine.remote.transport import Response, StreamedResponse, TransportError

__all__ = ["Answer", "Request", "ScriptedTransport", "Step"]


@dataclass(frozen=True, slots=True)
class Request:
    """What was asked. `body` is the upload as its bytes; `headers` compare their names without case."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes = b""
    upload: Upload | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """One planned answer; `json` stands in for `body`. `breaks_after` bytes of it, the exchange breaks off."""

    status: int = 200
    body: bytes = b""
    json: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    breaks_after: int | None = None

    @property
    def content(self) -> bytes:
        return self.body if self.json is None else orjson.dumps(self.json)


Step = Answer | TransportError | Callable[[Request], Answer | TransportError]


class ScriptedTransport:
    """`engine.remote.transport.Transport`: the n-th request gets the n-th step, then each one `otherwise`.

    A step is an answer, an error to raise, or a function of the request that returns one of the two. A request
    that the script does not foresee is an AssertionError.
    """

    def __init__(self, *steps: Step, otherwise: Step | None = None) -> None:
        self._steps: Iterator[Step] = iter(steps)
        self._otherwise = otherwise
        self.requests: list[Request] = []

    def __repr__(self) -> str:
        return f"<ScriptedTransport {len(self.requests)} requests>"

    async def request(
        self, method: str, url: str, *, headers: Mapping[str, str], upload: Upload | None = None
    ) -> Response:
        sent = headers if upload is None else {**headers, **upload.headers}
        body = b"" if upload is None else await _whole(upload)
        answer = self._play(Request(method, url, CIMultiDict(sent), body, upload))
        if answer.breaks_after is not None:
            raise TransportError(f"broke off after {answer.breaks_after} bytes")
        return Response(answer.status, _headers(answer), answer.content)

    @asynccontextmanager
    async def stream(self, url: str, *, headers: Mapping[str, str]) -> AsyncIterator[StreamedResponse]:
        yield _ScriptedStream(self._play(Request("GET", url, CIMultiDict(headers))))

    def _play(self, request: Request) -> Answer:
        self.requests.append(request)
        step = next(self._steps, self._otherwise)
        assert step is not None, f"request {len(self.requests)} is not in the script: {request.method} {request.url}"
        outcome = step(request) if callable(step) else step
        if isinstance(outcome, TransportError):
            raise outcome
        return outcome


class _ScriptedStream:
    def __init__(self, answer: Answer) -> None:
        self.status = answer.status
        self.headers: Mapping[str, str] = _headers(answer)
        self._answer = answer

    async def chunks(self, size_bytes: int) -> AsyncIterator[bytes]:
        content, end = self._answer.content, self._answer.breaks_after
        arrives = content[:end]
        for at in range(0, len(arrives), size_bytes):
            yield arrives[at : at + size_bytes]
        if end is not None:
            raise TransportError(f"broke off after {end} bytes")

    async def read(self) -> bytes:
        return b"".join([chunk async for chunk in self.chunks(64 * 1024)])


def _headers(answer: Answer) -> CIMultiDict[str]:
    return CIMultiDict({"Content-Length": str(len(answer.content)), **answer.headers})


async def _whole(upload: Upload) -> bytes:
    body = upload.body()
    return body if isinstance(body, bytes) else b"".join([piece async for piece in body])
