"""The submit lane and the look-up behind it: nothing is lost and nothing is sent twice."""

import pytest

from engine.pipeline.summary import ExitCode
from tests.fakes.remote import Answer, Lost, NoConnection
from tests.pipeline.harness import Bench


async def test_upload_names_are_unique_to_the_job_and_the_same_in_every_run(bench):
    """The filename that a POST carries is the run's id and the job's number."""
    await bench.restore()
    assert sorted(bench.remote.accepted) == [f"0123456789-{number:06d}.jpg" for number in range(3)]


async def test_the_intent_is_on_disk_before_the_post(bench):
    """Whenever a POST reaches the remote, the journal file already holds its intent."""
    seen = []

    def count_intents(call):
        if call == "submit":
            seen.append(bench.events().count("intent"))

    bench.remote.before = count_intents
    await bench.restore()
    assert all(intents >= posts for posts, intents in enumerate(seen, start=1))
    assert len(seen) == 3


@pytest.mark.parametrize("status", [400, 413, 415, 422])
async def test_a_refused_input_fails_alone_and_is_never_repeated(bench, status):
    """A 4xx about the input fails that job with the remote's words; the others go on; nothing is sent twice."""
    bench.remote.fault("submit", Answer(status, body=b'{"message": "not like this"}'))
    summary = await bench.restore()
    assert (summary.done, summary.failed, summary.exit_code) == (2, 1, ExitCode.FAILED_JOBS)
    assert bench.remote.count("submit") == 3
    assert "not like this" in next(row["reason"] for row in bench.results() if row["status"] == "failed")


async def test_too_fast_is_repeated_after_retry_after(bench):
    """A 429 is not accepted: the job is sent again, not before the time the remote named."""
    bench.settings["submit_concurrency"] = 1
    bench.remote.fault("submit", Answer(429, {"Retry-After": "30"}))
    started = bench.clock.monotonic()
    summary = await bench.restore()
    assert summary.done == 3
    assert len(bench.remote.accepted) == 3
    assert bench.clock.monotonic() - started >= 30


async def test_busy_pauses_and_goes_on(bench):
    """A 425 (an order for credits is in progress) pauses the lane and costs nothing."""
    bench.remote.fault("submit", Answer(425), Answer(425))
    summary = await bench.restore()
    assert (summary.done, len(bench.remote.accepted)) == (3, 3)


@pytest.mark.parametrize("fault", [Lost(is_done=True), Lost(is_done=False), Answer(500), Answer(503), Answer(504)])
async def test_an_unclear_post_is_looked_up_before_any_repeat(bench, fault):
    """After a POST whose fate is unclear, exactly one job per input is ever accepted."""
    bench.remote.fault("submit", fault)
    summary = await bench.restore()
    assert summary.done == 3
    assert sorted(bench.remote.accepted) == [f"0123456789-{number:06d}.jpg" for number in range(3)]
    assert (summary.adopted, summary.resubmitted) == ((1, 0) if fault == Lost(is_done=True) else (0, 1))


async def test_absence_is_proven_only_after_the_settle_time(bench):
    """An unclear job is not sent again before its settle time, however often the listing lacks it."""
    bench.settings |= {"settle_s": 50.0, "settle_looks": 5, "submit_concurrency": 1}
    bench.remote.fault("submit", Lost(is_done=False))
    started = bench.clock.monotonic()
    await bench.restore()
    assert bench.clock.monotonic() - started >= 50
    assert bench.remote.count("listing") >= 5


async def test_a_row_hidden_from_the_listing_for_a_while_is_still_adopted(bench):
    """A job that the listing shows late, but within the settle time, is adopted and not sent again."""
    bench.settings |= {"settle_s": 60.0, "settle_looks": 3, "submit_concurrency": 1}
    bench.remote.fault("submit", Lost(is_done=True))
    greeting_and_two_looks = 3

    def hide(_call):
        for job in bench.remote.jobs.values():
            job.is_hidden = bench.remote.count("listing") <= greeting_and_two_looks

    bench.remote.before = hide
    summary = await bench.restore()
    assert (summary.done, summary.adopted, len(bench.remote.accepted)) == (3, 1, 3)


async def test_adoption_reads_every_page(tmp_path):
    """The listing is read to its last page, in whatever order."""
    bench = Bench(tmp_path).pictures(8)
    bench.remote.page_rows = 2
    bench.remote.fault("submit", *[Lost(is_done=True)] * 8)
    summary = await bench.restore()
    assert (summary.done, summary.adopted, len(bench.remote.accepted)) == (8, 8, 8)


async def test_no_connection_is_repeated_without_a_look(bench):
    """A POST that never left is simply sent again."""
    bench.remote.fault("submit", NoConnection(), NoConnection())
    summary = await bench.restore()
    assert (summary.done, summary.unclear, len(bench.remote.accepted)) == (3, 0, 3)


async def test_a_remote_that_stays_away_stops_the_run_resumably(bench):
    """When nothing answers for long enough the run ends with a reason, and a resume finishes it."""
    bench.settings["unreachable_limit_s"] = 100.0
    bench.remote.fault("submit", *[NoConnection()] * 200)
    summary = await bench.restore()
    assert summary.exit_code is ExitCode.INTERRUPTED
    assert "could not be reached" in summary.message
    bench.remote.faults.clear()
    assert (await bench.resume()).exit_code is ExitCode.DONE
    assert len(bench.remote.accepted) == 3


async def test_a_key_refused_at_once_stops_before_anything_is_sent(bench):
    """A wrong key ends the run with its own exit code; no picture leaves."""
    bench.key = "wrong"
    summary = await bench.restore()
    assert summary.exit_code is ExitCode.KEY_REFUSED
    assert bench.remote.count("submit") == 0
    assert "wrong" not in summary.message


async def test_a_key_refused_midway_leaves_the_rest_for_a_resume(bench):
    """A 401 on a submit stops submitting; a resume with a good key finishes without paying twice."""
    bench.settings["submit_concurrency"] = 1
    bench.remote.fault("submit", *[Answer(401)] * 3)
    summary = await bench.restore()
    assert (summary.exit_code, summary.waiting) == (ExitCode.KEY_REFUSED, 3)
    bench.remote.faults.clear()
    assert (await bench.resume()).exit_code is ExitCode.DONE
    assert len(bench.remote.accepted) == 3


async def test_the_settle_time_begins_when_the_post_became_unclear(bench):
    """A POST that took longer than the settle time to break off is still given all of it before a repeat."""
    bench.settings |= {"settle_s": 30.0, "submit_concurrency": 1}
    bench.remote.fault("submit", Lost(is_done=True, after_s=120.0))

    def show_late(_call):
        for job in bench.remote.jobs.values():
            job.is_hidden = bench.clock.monotonic() < 140.0

    bench.remote.before = show_late
    summary = await bench.restore()
    assert (summary.adopted, len(bench.remote.accepted)) == (1, 3)


async def test_a_picture_whose_every_submit_is_unclear_is_given_up(bench):
    """One poisonous picture fails in the end, with a reason; the others are done."""
    bench.settings |= {"submit_concurrency": 1, "submit_attempts": 3}
    posts = []

    def poison(call):
        if call == "submit" and not posts:
            posts.append(call)
            bench.remote.fault("submit", Answer(500))
        elif call == "submit" and bench.remote.job(1) and bench.remote.job(2):
            bench.remote.fault("submit", Answer(500))

    bench.remote.before = poison
    summary = await bench.restore()
    assert (summary.done, summary.failed, len(bench.remote.accepted)) == (2, 1, 2)
    assert bench.remote.count("submit") == 5


async def test_a_listing_that_always_fails_stops_the_run_resumably(bench):
    """Without the listing nothing unclear can be decided: the run ends with a reason instead of waiting for ever."""
    bench.settings |= {"submit_concurrency": 1, "unreachable_limit_s": 300.0}
    bench.remote.fault("submit", Lost(is_done=True))

    def no_listing(call):
        if call == "listing" and bench.remote.accepted:
            bench.remote.fault("listing", Answer(500))

    bench.remote.before = no_listing
    summary = await bench.restore()
    assert summary.exit_code is ExitCode.INTERRUPTED
    bench.remote.before = lambda _call: None
    assert (await bench.resume()).done == 3
    assert len(bench.remote.accepted) == 3


async def test_an_input_that_is_gone_or_changed_fails_alone(bench):
    """An input that is another one than planned is not sent."""
    bench.settings["max_credits"] = 1
    await bench.restore()
    (bench.inputs / "p001.jpg").unlink()
    (bench.inputs / "p002.jpg").write_bytes(b"something else")
    summary = await bench.resume(max_credits=3)
    assert (summary.done, summary.failed, len(bench.remote.accepted)) == (1, 2, 1)
    assert {row["reason"].split(" since")[0] for row in bench.results() if row["status"] == "failed"} == {
        "is gone",
        "has changed",
    }


async def test_one_server_error_does_not_hold_up_the_others(tmp_path):
    """A single 503 costs its own job a look-up; the rest are submitted at once."""
    bench = Bench(tmp_path, settings={"settle_s": 100.0, "backoff_first_s": 30.0}).pictures(40)
    bench.remote.fault("submit", Answer(503))
    accepted_at = []

    def note(call):
        if call == "submit":
            accepted_at.append(bench.clock.monotonic())

    bench.remote.before = note
    assert (await bench.restore()).done == 40
    assert len([at for at in accepted_at if at < 5.0]) == 40


async def test_submits_that_are_refused_are_each_accepted_once_in_the_end(tmp_path):
    """Under a rate limit every job gets through, no two of them twice, without a look-up."""
    bench = Bench(tmp_path).pictures(60)
    bench.remote.most_per_s = 10
    summary = await bench.restore()
    assert (summary.done, summary.unclear, len(set(bench.remote.accepted))) == (60, 0, 60)
    assert len(bench.remote.accepted) == 60
    assert bench.remote.count("submit") > 60


async def test_a_long_listing_is_read_to_its_end_though_pages_fail(bench):
    """A page that fails is asked for again; the sweep does not begin anew for it."""
    bench.remote.add_strangers(4000)
    bench.remote.fault("submit", Lost(is_done=True))
    asked = 0

    def stumble(call):
        nonlocal asked
        asked += call == "listing"
        if call == "listing" and asked % 10 == 0:
            bench.remote.fault("listing", Answer(502))

    bench.remote.before = stumble
    summary = await bench.restore()
    assert (summary.done, summary.adopted, len(bench.remote.accepted)) == (3, 1, 3)
    assert asked < 300


async def test_a_backend_that_refuses_every_submit_is_not_asked_for_ever(bench):
    """After as long as any job may take the run stops, says so, and can be resumed."""
    bench.settings["job_deadline_s"] = 3600.0
    bench.remote.always["submit"] = Answer(429)
    summary = await bench.restore()
    assert (summary.exit_code, summary.waiting) == (ExitCode.INTERRUPTED, 3)
    assert "has refused every submit for 1 h" in summary.message
    bench.remote.always.clear()
    assert (await bench.resume()).done == 3


async def test_somebodys_file_is_not_taken_for_an_adopted_jobs_result(bench):
    """A copy of the input that appears in the output's place is neither the result nor replaced."""
    bench.remote.fault("submit", Lost(is_done=True))

    def put(call):
        if call == "listing" and bench.remote.jobs:
            for name in ("p000.jpg", "p001.jpg", "p002.jpg"):
                if not (bench.out / name).exists():
                    (bench.out / name).write_bytes((bench.inputs / name).read_bytes())

    bench.remote.before = put
    summary = await bench.restore()
    assert (summary.failed, summary.adopted) == (1, 1)
    assert (bench.out / "p000.jpg").read_bytes() == (bench.inputs / "p000.jpg").read_bytes()
