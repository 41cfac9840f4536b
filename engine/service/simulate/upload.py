"""An upload that is looked at and forgotten: the same checks as of one that is kept, without a disk or a thread."""

import io

from engine.picture import Claims
from engine.service.jobs import Job
from engine.service.picture_head import read_head
from engine.service.upload import Arrived

__all__ = ["ForgottenUpload"]


class ForgottenUpload:
    """`engine.service.parts.Incoming` in memory."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    async def add(self, data: bytes) -> None:
        self._buffer += data

    async def finish(self) -> Arrived:
        data, self._buffer = bytes(self._buffer), bytearray()
        return Arrived(head=read_head(io.BytesIO(data)))

    async def adopt(self, job: Job, kind: str) -> Arrived:
        asked = job.submission
        if kind == "inputs":
            return Arrived(head=Claims(format=asked.input_format, width=asked.input_width, height=asked.input_height))
        return Arrived(head=Claims(format=asked.output_format, width=asked.output_width, height=asked.output_height))

    def discard(self) -> None:
        self._buffer = bytearray()
