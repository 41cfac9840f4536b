"""Nothing is said before it is on disk: the store over a scripted journal file."""

import asyncio
import contextlib
import threading

import pytest

from engine.clock import SystemClock
from engine.errors import MachineError
from engine.journal.writer import JournalWriter
from engine.service.job_state import Status
from engine.service.job_store import JobStore
from engine.service.jobs import Jobs
from engine.service.submission import Finished, Submission


class ScriptedFile:
    """A journal file that writes when the gate is open, or fails."""

    def __init__(self):
        self.gate = threading.Event()
        self.gate.set()
        self.fails = False
        self.lines = []

    def append(self, data):
        self.gate.wait(10)
        if self.fails:
            raise OSError(28, "No space left on device")
        self.lines += data.splitlines()

    def close(self):
        self.gate.set()


@contextlib.asynccontextmanager
async def _store():
    file = ScriptedFile()
    async with JournalWriter(file, name="the journal") as journal:
        yield JobStore(Jobs(), journal, SystemClock()), file


def _draft(process_id="one"):
    return Submission(
        process_id=process_id,
        source_id="s",
        sequence=0,
        filename="a.png",
        input_format="png",
        input_width=1,
        input_height=1,
        output_format="png",
        output_width=1,
        output_height=1,
        options_json="{}",
        price=2,
        created=1.0,
        eta=2.0,
    )


FINISHED = Finished(
    input_width=1, input_height=1, output_width=1, output_height=1, faces=1, warnings=(), sha256="x", size_bytes=1
)


async def _turns():
    for _ in range(20):
        await asyncio.sleep(0)


async def test_a_job_is_accepted_only_once_it_is_on_disk():
    """While the disk is busy the job is in no listing, its credits are already promised, and nobody is answered."""
    async with _store() as (store, file):
        file.gate.clear()
        accepting = asyncio.create_task(store.accept(_draft()))
        await _turns()
        assert (accepting.done(), store.get("one"), store.page("", 10, None)) == (False, None, ([], None))
        assert (store.reserved_credits(""), file.lines) == (2, [])
        file.gate.set()
        job = await accepting
        assert (store.get("one"), store.reserved_credits(""), len(file.lines)) == (job, 2, 1)


@pytest.mark.parametrize(
    ("ending", "status"),
    [
        (lambda store, job: store.complete(job, FINISHED), Status.COMPLETED),
        (lambda store, job: store.fail(job, "why"), Status.FAILED),
        (lambda store, job: store.cancel(job), Status.CANCELLED),
    ],
)
async def test_an_ending_shows_only_once_it_is_on_disk(ending, status):
    """Until the line is durable the job still runs, and no other ending gets in between."""
    async with _store() as (store, file):
        job = await store.accept(_draft())
        store.start(job, 3.0)
        await _turns()
        file.gate.clear()
        ended = asyncio.create_task(ending(store, job))
        await _turns()
        assert job.status is Status.PROCESSING
        assert not await store.cancel(job)
        assert not await store.fail(job, "too late")
        file.gate.set()
        assert await ended
        assert job.status is status
        assert not await store.cancel(job)
        assert job.status is status


async def test_a_failed_write_leaves_no_job_and_no_reservation():
    """When the disk refuses the acceptance, the caller hears it and nothing has changed."""
    async with _store() as (store, file):
        file.fails = True
        with pytest.raises(MachineError, match="No space left"):
            await store.accept(_draft())
        assert (store.get("one"), store.reserved_credits(""), store.ledger.accepted) == (None, 0, 0)
        assert repr(store) == "<JobStore: 0 jobs, 0 ever accepted>"


async def test_records_that_fit_nothing_change_nothing():
    """A replay that meets events of lost jobs, or a second ending, counts them and goes on."""
    jobs = Jobs()
    jobs.apply(_draft().record())
    jobs.apply({"event": "failed", "id": "one", "at": 5.0, "message": "why", "credits": 2})
    for record in (
        {"event": "started", "id": "lost", "at": 1.0},
        {"event": "cancelled", "id": "one", "at": 6.0, "credits": 2},
        {"event": "unheard of", "id": "one", "at": 6.0},
        {"event": "completed", "id": "one"},
        {"no": "event"},
    ):
        jobs.apply(record)
    job = jobs.by_id["one"]
    assert (jobs.skipped, job.status, job.modified, job.message) == (5, Status.FAILED, 5.0, "why")
    assert (jobs.ledger.failed, jobs.ledger.cancelled, jobs.ledger.refunded_credits) == (1, 0, 2)


@pytest.mark.parametrize("ending", ["completed", "failed", "cancelled"])
async def test_a_record_without_its_credits_is_skipped(ending):
    """Such a line stops nothing: it is counted, and neither the job nor the ledger has changed."""
    jobs = Jobs()
    jobs.apply(_draft().record())
    more = {**FINISHED.record(), "message": "why", "at": 5.0}
    for said in ({}, {"credits": "2"}):
        jobs.apply({"event": ending, "id": "one", **more, **said})
    assert (jobs.skipped, jobs.by_id["one"].status, jobs.by_id["one"].finished) == (2, Status.PENDING, None)
    assert (jobs.ledger.completed, jobs.ledger.failed, jobs.ledger.cancelled) == (0, 0, 0)
    assert jobs.ledger.reserved_credits == 2
