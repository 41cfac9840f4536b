"""Inputs read ahead: in order, whole, and each one's trouble its own."""

import hashlib
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.errors import InputError
from engine.job.spec import JobSpec
from engine.pipeline.prepare import Loaded
from engine.pipeline.read_ahead import read_ahead
from engine.remote.multipart import SMALL_BYTES


def spec(folder: Path, number: int, size_bytes: int = 100) -> JobSpec:
    """Return the job of a new file of so many bytes."""
    path = folder / f"{number}.jpg"
    path.write_bytes(content(number, size_bytes))
    return JobSpec(number=number, source=str(path), output="x.jpg", format="jpeg", size_bytes=size_bytes)


def content(number: int, size_bytes: int = 100) -> bytes:
    return bytes([number % 256]) * size_bytes


async def groups_of(*groups: list[JobSpec]) -> AsyncIterator[list[JobSpec]]:
    for group in groups:
        yield group


async def test_jobs_come_in_the_order_of_the_plan_with_their_content_and_hash(tmp_path: Path):
    """Across batches and groups, whatever their sizes."""
    specs = [spec(tmp_path, number) for number in range(100)]
    ready = [each async for each in read_ahead(groups_of(specs[:1], specs[1:60], [], specs[60:]))]
    assert [each for each, _loaded in ready] == specs
    for number, (_spec, loaded) in enumerate(ready):
        assert loaded == Loaded(content(number), hashlib.sha256(content(number)).hexdigest())


async def test_no_job_is_held_back_for_the_next_group(tmp_path: Path):
    """While the plan is still being made, what it has so far is sent: the next group is asked for only after it."""
    specs = [spec(tmp_path, number) for number in range(40)]
    asked: list[int] = []

    async def groups() -> AsyncIterator[list[JobSpec]]:
        for first in (0, 20):
            asked.append(first)
            yield specs[first : first + 20]

    reading = read_ahead(groups())
    for number in range(20):
        assert (await anext(reading))[0].number == number
    assert asked == [0]
    assert (await anext(reading))[0].number == 20


async def test_large_inputs_are_hashed_and_not_kept(tmp_path: Path):
    """Beyond the size of a small one an input's content stays on the disk, until it is sent."""
    small, large = spec(tmp_path, 1, SMALL_BYTES), spec(tmp_path, 2, SMALL_BYTES + 1)
    ready = [loaded async for _spec, loaded in read_ahead(groups_of([small, large, small]))]
    digest = hashlib.sha256(content(2, SMALL_BYTES + 1)).hexdigest()
    assert [loaded.content is None for loaded in ready] == [False, True, False]
    assert ready[1].sha256 == digest


async def test_few_bytes_are_read_ahead(tmp_path: Path):
    """Two batches of 2 MiB at the most wait for their turn: a file that changes before its batch is read is seen."""
    specs = [spec(tmp_path, number, 1024 * 1024) for number in range(12)]
    reading = read_ahead(groups_of(specs))
    first = await anext(reading)
    Path(specs[8].source).unlink()
    assert isinstance(first[1], Loaded)
    loaded = {each.number: loaded async for each, loaded in reading}
    assert [number for number, each in loaded.items() if isinstance(each, InputError)] == [8]


async def test_an_unreadable_input_is_an_error_of_its_own_job(tmp_path: Path):
    """Gone, changed or a folder: the others of its batch are read."""
    specs = [spec(tmp_path, number) for number in range(5)]
    Path(specs[1].source).unlink()
    Path(specs[2].source).write_bytes(b"longer than planned" * 10)
    Path(specs[3].source).unlink()
    Path(specs[3].source).mkdir()
    ready = [loaded async for _spec, loaded in read_ahead(groups_of(specs))]
    assert [type(loaded) for loaded in ready] == [Loaded, InputError, InputError, InputError, Loaded]
    assert [str(loaded).split(":")[0] for loaded in ready[1:4]] == [
        "is gone since it was planned",
        "has changed since it was planned",
        "can't be read",
    ]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
async def test_what_is_not_read_here_passes_unread(tmp_path: Path):
    """Pictures on the web are fetched first, refused ones never: their sources are not opened."""
    never = tmp_path / "never"
    os.mkfifo(never)  # opening it would wait for ever
    web = JobSpec(number=0, source="http://host.test/a.jpg", output="a.jpg", format="jpeg", size_bytes=5)
    refused = JobSpec(number=1, source=str(never), reason="is no picture")
    assert [each async for each in read_ahead(groups_of([web, refused]))] == [(web, None), (refused, None)]
