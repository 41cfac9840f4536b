"""One result on its way to a client, from memory: whole or a range of it, at full speed, slowly, or not to its end."""

from dataclasses import dataclass
from email.utils import formatdate

from aiohttp import hdrs, web
from aiohttp.abc import AbstractStreamWriter

from engine.clock import Clock
from engine.service.simulate.byte_range import Part, part_of
from engine.service.simulate.results import Result

__all__ = ["Delivery", "MadeFile"]

_PIECE_BYTES = 1024 * 1024
_SLOW_STEP_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How the bytes travel: `bytes_per_s` None for as fast as they can; a cut one ends half way."""

    bytes_per_s: int | None = None
    is_cut: bool = False


class MadeFile(web.StreamResponse):
    """The answer that hands out `result`; the body is never copied as a whole."""

    def __init__(
        self, result: Result, headers: dict[str, str], *, modified: float, delivery: Delivery, clock: Clock
    ) -> None:
        super().__init__(headers=headers)
        self._result = result
        self._modified = int(modified)
        self._delivery = delivery
        self._clock = clock

    async def prepare(self, request: web.BaseRequest) -> AbstractStreamWriter | None:
        size_bytes, tag = len(self._result.body), f'"{self._result.sha256[:32]}"'
        part = part_of(request, size_bytes, tag, self._modified)
        self.set_status(part.status)
        self.headers[hdrs.ETAG] = tag
        self.headers[hdrs.LAST_MODIFIED] = formatdate(self._modified, usegmt=True)
        self.headers[hdrs.ACCEPT_RANGES] = "bytes"
        if part.status == 206:
            self.headers[hdrs.CONTENT_RANGE] = f"bytes {part.begin}-{part.end - 1}/{size_bytes}"
        elif part.status == 416:
            self.headers[hdrs.CONTENT_RANGE] = f"bytes */{size_bytes}"
        self.content_length = part.end - part.begin
        writer = await super().prepare(request)
        if request.method != hdrs.METH_HEAD:
            await self._send(part, request)
        return writer

    async def _send(self, part: Part, request: web.BaseRequest) -> None:
        view = memoryview(self._result.body)[part.begin : part.end]
        if self._delivery.is_cut:
            view = view[: len(view) // 2]
        await (self._send_fast(view) if self._delivery.bytes_per_s is None else self._send_slowly(view))
        if self._delivery.is_cut and request.transport is not None:
            request.transport.close()

    async def _send_fast(self, view: memoryview) -> None:
        for at in range(0, len(view), _PIECE_BYTES):
            await self.write(view[at : at + _PIECE_BYTES])

    async def _send_slowly(self, view: memoryview) -> None:
        step = max(1, int((self._delivery.bytes_per_s or 1) * _SLOW_STEP_S))
        for at in range(0, len(view), step):
            await self.write(view[at : at + step])
            await self._clock.sleep(_SLOW_STEP_S)
