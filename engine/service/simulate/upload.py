"""An upload that is looked at and forgotten: the same checks as of one that is kept, without a disk or a thread."""

import io

from engine.picture import Claims
from engine.service.picture_head import read_head

__all__ = ["ForgottenUpload"]


class ForgottenUpload:
    """`engine.service.parts.Incoming` in memory."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    async def add(self, data: bytes) -> None:
        self._buffer += data

    async def finish(self) -> Claims:
        data, self._buffer = bytes(self._buffer), bytearray()
        return read_head(io.BytesIO(data))

    def discard(self) -> None:
        self._buffer = bytearray()
