"""The poll lane: when jobs are looked at, and what the answers mean."""

from tests.fakes.remote import Answer, Lost, NoConnection
from tests.pipeline.harness import Bench


async def test_a_failed_job_brings_the_remotes_reason(bench):
    """A job that the remote reports as Failed fails with its message and costs no credit."""
    bench.remote.fates[1] = ("Failed", "the picture is truncated")
    summary = await bench.restore()
    assert (summary.done, summary.failed, summary.credits_charged, summary.credits_reserved) == (2, 1, 2, 0)
    assert summary.reasons == {"the picture is truncated": 1}


async def test_a_status_that_fails_is_asked_again(bench):
    """5xx, lost connections and nonsense on status cost a look, not a job."""
    bench.remote.fault(
        "status", Answer(500), Lost(is_done=False), Answer(200, body=b"<html>"), Answer(429), NoConnection()
    )
    summary = await bench.restore()
    assert (summary.done, len(bench.remote.accepted)) == (3, 3)


def lose_the_second(bench):
    """Let the remote forget job 1 when its status is asked for."""
    lost = []

    def lose_one(call):
        job = bench.remote.job(1)
        if call == "status" and not lost and job and bench.remote.requests[-1][1].endswith(job.process_id):
            lost.append(bench.remote.jobs.pop(job.process_id))

    bench.remote.before = lose_one


async def test_a_job_that_the_own_service_lost_is_looked_up_then_sent_again(bench):
    """A 404 on status at the run's own service is looked up by filename; provably gone, the job is sent once more."""
    bench.is_own = True
    lose_the_second(bench)
    summary = await bench.restore()
    assert (summary.done, summary.resubmitted, len(bench.remote.accepted)) == (3, 1, 4)


async def test_a_job_that_a_paid_backend_lost_is_not_paid_for_again(bench):
    """A process id that the cloud no longer knows has expired: the job fails, counted as charged."""
    lose_the_second(bench)
    summary = await bench.restore()
    assert (summary.done, summary.failed, len(bench.remote.accepted)) == (2, 1, 3)
    assert summary.credits_charged == 3


async def test_a_status_that_always_fails_ends_at_the_deadline(bench):
    """No job is asked about for ever, whatever the remote answers; the others are not held up."""
    bench.settings["job_deadline_s"] = 600.0

    def fail_one(call):
        job = bench.remote.job(1)
        if call == "status" and job and bench.remote.requests[-1][1].endswith(job.process_id):
            bench.remote.fault("status", Answer(500))

    bench.remote.before = fail_one
    summary = await bench.restore()
    assert (summary.done, summary.failed) == (2, 1)


async def test_a_remote_clock_that_is_hours_ahead_costs_no_time(bench):
    """An eta by a clock that runs two hours ahead does not postpone the first look by two hours."""
    bench.remote.ahead_s = 7200.0
    started = bench.clock.monotonic()
    assert (await bench.restore()).done == 3
    assert bench.clock.monotonic() - started < 120


async def test_etas_that_are_far_too_late_are_not_waited_for(tmp_path):
    """What the first finished jobs teach moves the looks at all others that are waiting already."""
    bench = Bench(tmp_path).pictures(60)
    bench.remote.eta_factor = 1000.0
    started = bench.clock.monotonic()
    assert (await bench.restore()).done == 60
    assert bench.clock.monotonic() - started < 60
    assert bench.remote.count("status") < 4 * 60


async def test_a_job_that_never_ends_is_given_up_at_the_deadline(bench):
    """No job is given up while the remote may still finish it, and none is waited for for ever."""
    bench.settings |= {"job_deadline_s": 500.0}
    bench.remote.job_s = 1e9
    started = bench.clock.monotonic()
    summary = await bench.restore()
    assert summary.failed == 3
    assert bench.clock.monotonic() - started >= 500
