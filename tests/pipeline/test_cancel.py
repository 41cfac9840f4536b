"""`cancel`: what is in flight is taken back while it can be, the rest is left as it is."""

import asyncio

import pytest

from engine.pipeline.cancel import Cancelled
from engine.pipeline.closing import Reason
from engine.pipeline.inspection import inspect
from engine.pipeline.summary import ExitCode
from engine.remote.failures import RemoteError
from tests.fakes.remote import Answer, Lost
from tests.pipeline.caring import cancel_in_flight, retry_failed
from tests.pipeline.harness import Bench

JOBS, FLYING = 6, 4


@pytest.fixture
async def bench(tmp_path):
    """A run that was interrupted with four jobs in flight and two not sent."""
    bench = Bench(tmp_path, settings={"max_in_flight": FLYING, "drain_s": 0.0}).pictures(JOBS)
    bench.remote.job_s = 1e6

    def stop(call):
        if call in ("status", "listing") and len(bench.remote.accepted) == FLYING:
            bench.closing.tell(Reason.INTERRUPTED, "interrupted")

    bench.remote.before = stop
    assert (await bench.restore()).in_flight == FLYING
    bench.remote.before = lambda _call: None
    return bench


def numbers(bench):
    summary = inspect(bench.run_folder)
    assert summary.done + summary.failed + summary.in_flight + summary.waiting == summary.planned == JOBS
    return summary.done, summary.failed, summary.in_flight, summary.waiting


async def test_what_is_in_flight_is_cancelled(bench):
    """Each job ends as failed, cancelled and free of charge; what was not sent stays planned."""
    cancelled = await cancel_in_flight(bench)
    assert (cancelled.in_flight, cancelled.cancelled, cancelled.too_late, cancelled.unclear) == (FLYING, FLYING, 0, 0)
    assert numbers(bench) == (0, FLYING, 0, JOBS - FLYING)
    assert len(bench.remote.cancelled) == FLYING
    summary = inspect(bench.run_folder)
    assert (summary.reasons, summary.credits_charged, summary.credits_reserved) == ({"cancelled": FLYING}, 0, 0)
    assert [(row["status"], row["credits"]) for row in bench.results()] == [("failed", 0)] * FLYING


async def test_a_resume_sends_only_what_was_not_sent_and_a_retry_the_rest(bench):
    """Cancelled jobs stay so until they are retried, under new filenames."""
    await cancel_in_flight(bench)
    bench.remote.job_s = 1.0
    summary = await bench.resume()
    assert (summary.exit_code, summary.done, summary.failed) == (ExitCode.FAILED_JOBS, JOBS - FLYING, FLYING)
    _retried, summary = await retry_failed(bench, "cancelled")
    assert (summary.exit_code, summary.done, summary.credits_charged) == (ExitCode.DONE, JOBS, JOBS)
    assert len(set(bench.remote.accepted)) == JOBS + FLYING


async def test_what_is_finished_is_left_for_a_resume(bench):
    """Too late to cancel: the job stays in flight, and its paid result comes home."""
    bench.remote.job_s = 1.0
    await bench.clock.sleep(5.0)
    cancelled = await cancel_in_flight(bench)
    assert (cancelled.cancelled, cancelled.too_late) == (0, FLYING)
    assert numbers(bench) == (0, 0, FLYING, JOBS - FLYING)
    assert (await bench.resume()).exit_code is ExitCode.DONE
    assert len(bench.remote.accepted) == JOBS


async def test_a_job_that_is_gone_is_left_for_a_resume(bench):
    """Unknown there: whether it was paid for is not for a cancellation to say."""
    del bench.remote.jobs[bench.remote.job(0).process_id]
    cancelled = await cancel_in_flight(bench)
    assert (cancelled.cancelled, cancelled.too_late) == (FLYING - 1, 1)
    assert numbers(bench) == (0, FLYING - 1, 1, JOBS - FLYING)


async def test_a_lost_answer_counts_as_cancelled_once_that_is_seen(bench):
    """Cancelled, but the answer lost: the second request is too late, and the status says why."""
    bench.remote.fault("cancel", Lost(is_done=True))
    cancelled = await cancel_in_flight(bench)
    assert (cancelled.cancelled, cancelled.too_late) == (FLYING, 0)


async def test_unclear_jobs_are_looked_up_first(tmp_path):
    """One that had arrived is found by its filename and cancelled; one that had not stays unclear."""
    bench = Bench(tmp_path, settings={"drain_s": 0.0, "submit_concurrency": 1}).pictures(JOBS)
    bench.remote.job_s = 1e6
    bench.remote.fault("submit", Lost(is_done=True), Lost(is_done=False))

    def stop(call):
        if call == "listing" and bench.remote.count("submit") == JOBS:
            bench.closing.tell(Reason.INTERRUPTED, "interrupted")

    bench.remote.before = stop
    await bench.restore()
    bench.remote.before = lambda _call: None
    cancelled = await cancel_in_flight(bench)
    assert cancelled.cancelled + cancelled.too_late + cancelled.unclear == cancelled.in_flight == JOBS
    assert (cancelled.cancelled, cancelled.unclear) == (JOBS - 1, 1)
    assert numbers(bench) == (0, JOBS - 1, 1, 0)
    bench.remote.job_s = 1.0
    assert (await bench.resume()).done == 1


async def test_a_job_that_is_listed_late_is_waited_for(tmp_path):
    """An unclear job is looked for only once the listing is sure to show it."""
    bench = Bench(tmp_path, settings={"drain_s": 0.0}).pictures(1)
    bench.remote.job_s = 1e6
    bench.remote.fault("submit", Lost(is_done=True))

    def stop(call):
        if call == "submit":
            bench.closing.tell(Reason.INTERRUPTED, "interrupted")

    def list_late(_call):
        for job in bench.remote.jobs.values():
            job.is_hidden = bench.clock.now() < job.accepted_at + 5.0

    bench.remote.before = stop
    await bench.restore()
    bench.remote.before = list_late
    assert (await cancel_in_flight(bench)).cancelled == 1


async def test_a_backend_that_gives_no_answer_is_an_error_and_loses_nothing(bench):
    """What was cancelled until then is noted; the rest is in flight still."""
    bench.remote.fault("cancel", Answer(401))
    with pytest.raises(RemoteError):
        await cancel_in_flight(bench)
    assert numbers(bench) == (0, FLYING - 1, 1, JOBS - FLYING)
    assert (await cancel_in_flight(bench)).cancelled == 1
    assert numbers(bench) == (0, FLYING, 0, JOBS - FLYING)


async def test_one_that_is_broken_off_has_counted_what_it_did(bench):
    """Whoever breaks a cancellation off holds the counts as they are in the journal by then."""
    counts = Cancelled(in_flight=0)
    begun = []

    def break_off(call):
        begun.append(call)
        if len(begun) == FLYING:
            raise asyncio.CancelledError

    bench.remote.before = break_off
    with pytest.raises(asyncio.CancelledError):
        await cancel_in_flight(bench, counts)
    assert (counts.in_flight, counts.cancelled, counts.too_late) == (FLYING, FLYING - 1, 0)
    assert numbers(bench) == (0, FLYING - 1, 1, JOBS - FLYING)


async def test_nothing_in_flight_asks_nobody(tmp_path):
    """A finished run is left alone."""
    bench = Bench(tmp_path).pictures(1)
    await bench.restore()
    asked = len(bench.remote.requests)
    assert (await cancel_in_flight(bench)).in_flight == 0
    assert len(bench.remote.requests) == asked
