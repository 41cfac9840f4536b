"""What counts as stored: inputs once, outputs, and the record of each job, until they are deleted."""

import asyncio

import pytest

from engine.service.jobs import ROW_BYTES, Jobs, row_bytes
from engine.service.key_file import KeyFile, LimitEntries
from engine.service.submission import Submission
from tests.service.harness import picture, running
from tests.service.test_job_store import FINISHED, _draft, _store, _turns


def accepted(process_id: str, *, input_bytes: int = 0, source_id: str = "s", **others) -> dict:
    values = {**_draft(process_id).record(), "source_id": source_id, "input_bytes": input_bytes, **others}
    return Submission.from_record(values).record()


def jobs_after(*records: dict) -> Jobs:
    jobs = Jobs()
    for record in records:
        jobs.apply(record)
    assert not jobs.skipped
    return jobs


def ended(process_id: str) -> dict:
    return {"event": "cancelled", "id": process_id, "at": 2.0, "credits": 2, "progress": 0}


def deleted(process_id: str) -> dict:
    return {"event": "deleted", "id": process_id}


ROW = row_bytes(_draft())


def stored(jobs: Jobs) -> int:
    return jobs.quota.of("").stored_bytes


@pytest.mark.parametrize("size_told", [0, 1000], ids=["an old journal", "a new one"])
def test_an_input_counts_once_and_until_nobody_uses_it(size_told):
    """Deleting the job that brought it is no way to have it for free."""
    steps = [accepted("one", input_bytes=1000), accepted("two", sequence=1, input_bytes=size_told)]
    assert stored(jobs_after(*steps)) == 1000 + 2 * ROW
    steps += [ended("one"), deleted("one")]
    assert stored(jobs_after(*steps)) == 1000 + ROW
    steps += [ended("two"), deleted("two")]
    assert stored(jobs_after(*steps)) == 0


def test_a_record_counts_with_its_texts():
    """Two kilobytes at the least, and what the settings take."""
    long = accepted("one", options_json="x" * 40_000)
    assert stored(jobs_after(long)) == ROW + 40_000 - len("{}")
    assert ROW >= ROW_BYTES


async def test_an_input_that_is_taken_up_again_at_the_last_moment_counts():
    """It stays on the disk for the new job, so it goes on counting, and after a replay it does, too."""
    async with _store() as (store, file):
        first = await store.accept(Submission.from_record(accepted("one", input_bytes=1000)))
        await store.complete(first, FINISHED)
        with store.holding("s"):
            file.gate.clear()
            accepting = asyncio.create_task(store.accept(_draft("two")))
            await _turns()
            forgetting = asyncio.create_task(store.forget([first]))
            await _turns()
            file.gate.set()
            (gone,) = await forgetting
            second = await accepting
        assert gone.source_id == ""
        assert store.quota.of("").stored_bytes == 1000 + ROW
        assert second.submission.input_bytes == 1000


async def test_rows_alone_fill_a_limit(tmp_path):
    """Submitting one input again and again, and cancelling each time, ends at the limit of the key."""
    folder = tmp_path / "service"
    folder.mkdir(mode=0o700)
    limits = LimitEntries(max_stored_bytes=20 * ROW_BYTES)
    headers = {"X-API-Key": KeyFile(folder).add("a", 1.0, limits=limits)[1]}
    async with running(folder) as service:
        status, first = await service.post(picture("hang"), headers=headers)
        count = 0
        while status == 200:
            count += 1
            status, answer = await service.post(None, headers=headers, source_id=first["source_id"])
            if status == 200:
                await service.call("DELETE", f"/cancel/{answer['process_id']}", headers=headers)
        assert status == 429
        assert count <= 20
        assert "delete finished jobs first" in answer["message"]
        await service.call("DELETE", "/status", headers=headers)
        assert (await service.post(picture(), headers=headers))[0] == 200


async def test_an_input_used_by_thousands_is_let_go_quickly():
    """Taking a user off an input costs the same however many there are."""
    count = 20_000
    jobs = jobs_after(*(accepted(str(n), sequence=n, input_bytes=10) for n in range(count)))
    for n in reversed(range(count)):
        jobs.apply(ended(str(n)))
        jobs.apply(deleted(str(n)))
    assert (stored(jobs), jobs.using("s"), jobs.skipped) == (0, None, 0)
