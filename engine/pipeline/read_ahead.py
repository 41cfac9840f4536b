"""Inputs read before it is their turn: many small ones in one hop to a thread, while those before them are sent."""

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Iterator

from engine.disk import path_of_text
from engine.errors import InputError
from engine.job.spec import JobSpec
from engine.pipeline.prepare import Loaded, load

__all__ = ["Ready", "read_ahead"]

# A planned job with its input; None where that has to be fetched first, or never will be; or why it can't be had.
Ready = tuple[JobSpec, Loaded | InputError | None]

# A hop costs as much as reading a small file. Two batches at once keep a disk busy that is far away.
_BATCH_JOBS, _BATCH_BYTES = 16, 2 * 1024 * 1024
_BATCHES_AT_ONCE = 2


async def read_ahead(groups: AsyncIterator[list[JobSpec]]) -> AsyncIterator[Ready]:
    """Yield the jobs of all `groups` in order, read; none of a group is held back for the next one."""
    async for group in groups:
        reading: deque[asyncio.Future[list[Ready]]] = deque()
        try:
            for batch in _batches(group):
                reading.append(asyncio.ensure_future(asyncio.to_thread(_read, batch)))
                if len(reading) == _BATCHES_AT_ONCE:
                    for ready in await reading[0]:
                        yield ready
                    reading.popleft()
            while reading:
                for ready in await reading[0]:
                    yield ready
                reading.popleft()
        finally:
            await asyncio.gather(*reading, return_exceptions=True)  # what failed, or was given up, was heard of


def _batches(group: list[JobSpec]) -> Iterator[list[JobSpec]]:
    batch: list[JobSpec] = []
    size_bytes = 0
    for spec in group:
        if batch and (len(batch) == _BATCH_JOBS or size_bytes + spec.size_bytes > _BATCH_BYTES):
            yield batch
            batch, size_bytes = [], 0
        batch.append(spec)
        size_bytes += spec.size_bytes
    yield batch


def _read(batch: list[JobSpec]) -> list[Ready]:
    return [(spec, _read_one(spec)) for spec in batch]


def _read_one(spec: JobSpec) -> Loaded | InputError | None:
    if spec.reason or spec.is_url or not spec.format:
        return None
    try:
        return load(path_of_text(spec.source), spec.size_bytes)
    except InputError as error:
        return error
