"""A run from start to end, and what single failures of the remote do to it."""

import hashlib

import pytest

from engine.errors import UsageError
from engine.pipeline.closing import Reason
from engine.pipeline.summary import ExitCode
from tests.fakes.remote import Answer, Cut, Lost, NoConnection
from tests.pipeline.harness import Bench, noise, picture


@pytest.fixture
def bench(tmp_path):
    return Bench(tmp_path).pictures(3)


async def test_every_input_has_one_verified_output_and_one_row(bench):
    """A plain run leaves an output, a done event and a result row for each input, with both hashes right."""
    summary = await bench.restore()
    assert summary.exit_code is ExitCode.DONE
    assert bench.outputs() == ["p000.jpg", "p001.jpg", "p002.jpg"]
    assert bench.events().count("done") == 3
    for row in bench.results():
        source, output = bench.inputs / row["output"], bench.out / row["output"]
        assert row["input_sha256"] == hashlib.sha256(source.read_bytes()).hexdigest()
        assert row["output_sha256"] == hashlib.sha256(output.read_bytes()).hexdigest()
        assert (row["output_width"], row["output_height"], row["credits"], row["attempts"]) == (24, 32, 1, 1)


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


async def test_a_failed_job_brings_the_remotes_reason(bench):
    """A job that the remote reports as Failed fails with its message and costs no credit."""
    bench.remote.fates[1] = ("Failed", "the picture is truncated")
    summary = await bench.restore()
    assert (summary.done, summary.failed, summary.credits_charged, summary.credits_reserved) == (2, 1, 2, 0)
    assert summary.reasons == {"the picture is truncated": 1}


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


@pytest.mark.parametrize("status", [402, 412])
async def test_out_of_credits_finishes_what_is_in_flight(tmp_path, status):
    """A 402 or 412 closes the submit lane only: what was accepted comes home, and nothing is tried in vain."""
    bench = Bench(tmp_path, settings={"submit_concurrency": 1}).pictures(5)

    def refuse_the_fourth(call):
        if call == "submit" and len(bench.remote.accepted) == 3:
            bench.remote.fault("submit", Answer(status))

    bench.remote.before = refuse_the_fourth
    summary = await bench.restore()
    assert (summary.exit_code, summary.done, summary.waiting) == (ExitCode.NO_CREDITS, 3, 2)
    assert bench.remote.count("submit") == 4
    bench.remote.before = lambda _call: None
    assert (await bench.resume()).done == 5
    assert len(bench.remote.accepted) == 5


async def test_max_credits_is_never_exceeded(tmp_path):
    """Reserved plus charged never passes --max-credits; a resume with a higher limit goes on."""
    bench = Bench(tmp_path, settings={"max_credits": 4}).pictures(9)
    summary = await bench.restore()
    assert (summary.exit_code, summary.done, summary.credits_charged) == (ExitCode.NO_CREDITS, 4, 4)
    assert len(bench.remote.accepted) == 4
    summary = await bench.resume(max_credits=9)
    assert (summary.exit_code, summary.done, len(bench.remote.accepted)) == (ExitCode.DONE, 9, 9)


async def test_an_expired_link_is_minted_anew(bench):
    """A 403 on a presigned link costs another link, not the job."""
    bench.remote.fault("file", Answer(403), Answer(403))
    summary = await bench.restore()
    assert summary.done == 3
    assert bench.remote.links_minted == 5


async def test_a_broken_download_of_a_large_result_is_continued(tmp_path):
    """A large result that breaks off goes on from the bytes on disk, under If-Range."""
    bench = Bench(tmp_path).pictures(1)
    bench.remote.result, bench.remote.size = noise((1000, 900)), (1000, 900)
    bench.remote.fault("file", Cut(1_500_000), Cut(700_000))
    summary = await bench.restore()
    assert summary.done == 1
    ranges = [headers.get("Range") for headers in bench.remote.file_headers]
    assert ranges == [None, "bytes=1500000-", "bytes=2200000-"]
    assert (bench.out / "p000.jpg").read_bytes() == bench.remote.result


async def test_a_result_that_changed_is_fetched_from_the_start(tmp_path):
    """When the ETag changed between two ranges, the old bytes are thrown away."""
    bench = Bench(tmp_path).pictures(1)
    bench.remote.result, bench.remote.size = noise((1000, 900)), (1000, 900)
    bench.remote.fault("file", Cut(1_500_000))

    def change(call):
        if call == "link" and bench.remote.file_headers:
            bench.remote.etag = '"two"'
            bench.remote.job(0).result = noise((1000, 900), seed=8)

    bench.remote.before = change
    summary = await bench.restore()
    assert summary.done == 1
    assert (bench.out / "p000.jpg").read_bytes() == noise((1000, 900), seed=8)


@pytest.mark.parametrize(
    "wrong",
    [b"no picture at all", picture()[:-200], picture((10, 10)), b""],
    ids=["garbage", "truncated", "other size", "empty"],
)
async def test_a_wrong_result_is_never_published(bench, wrong):
    """What does not decode, or has another size than promised, is fetched again, then fails; no file is left."""
    bench.settings["submit_concurrency"] = 1
    bench.remote.result = wrong
    summary = await bench.restore()
    assert (summary.done, summary.failed) == (0, 3)
    assert bench.outputs() == []


async def test_a_wrong_result_that_gets_right_is_done(bench):
    """A result that was damaged on its way once is simply fetched again."""
    bench.remote.fault("file", Answer(200, {"Content-Length": "9"}, b"not right"))
    summary = await bench.restore()
    assert summary.done == 3


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


async def test_a_billed_job_that_fails_here_counts_against_the_limit(tmp_path):
    """What the backend charged for is charged, though no output came of it: --max-credits stays a cap."""
    bench = Bench(tmp_path, settings={"max_credits": 2, "max_in_flight": 1}).pictures(6)
    bench.remote.result = b"no picture"
    summary = await bench.restore()
    assert (summary.exit_code, summary.failed, summary.credits_charged) == (ExitCode.NO_CREDITS, 2, 2)
    assert len(bench.remote.accepted) == 2


async def test_a_long_outage_of_the_file_host_gives_up_nothing(bench):
    """Results that can't be fetched for half an hour are fetched afterwards."""

    def outage(call):
        if call == "file" and bench.clock.monotonic() < 1800.0:
            bench.remote.fault("file", Answer(503))

    bench.remote.before = outage
    assert (await bench.restore()).done == 3


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


async def test_an_interrupt_is_heard_during_the_greeting(bench):
    """A remote that says to come back in a quarter of an hour does not hold up a Ctrl-C."""
    bench.remote.fault("listing", *[Answer(429, {"Retry-After": "900"})] * 3)
    bench.remote.before = lambda _call: bench.closing.tell(Reason.INTERRUPTED, "interrupted")
    started = bench.clock.monotonic()
    assert (await bench.restore()).exit_code is ExitCode.INTERRUPTED
    assert bench.clock.monotonic() - started < 900


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


async def test_another_part_of_a_result_than_asked_for_is_not_joined(tmp_path):
    """A 206 that does not begin where the .part file ends starts the download over."""
    bench = Bench(tmp_path).pictures(1)
    bench.remote.result, bench.remote.size = noise((1000, 900)), (1000, 900)
    whole = bench.remote.result
    wrong = Answer(206, {"Content-Range": f"bytes 0-{len(whole) - 1}/{len(whole)}", "ETag": '"one"'}, whole)
    bench.remote.fault("file", Cut(1_500_000), wrong)
    assert (await bench.restore()).done == 1
    assert (bench.out / "p000.jpg").read_bytes() == whole


async def test_somebody_elses_part_file_is_left_alone(bench):
    """A .part file that was there before is not written over; its job says so."""
    bench.out.mkdir()
    (bench.out / "p001.jpg.part").write_bytes(b"precious")
    summary = await bench.restore()
    assert (summary.done, summary.failed) == (2, 1)
    assert (bench.out / "p001.jpg.part").read_bytes() == b"precious"


async def test_hostile_numbers_from_the_remote_break_nothing(bench):
    """Credits that are negative or beyond counting are not believed."""
    bench.remote.credits = -5
    summary = await bench.restore()
    assert (summary.done, summary.credits_charged) == (3, 3)
    bench.remote.credits = 1e300
    (bench.inputs / "more.jpg").write_bytes(picture())
    assert (await bench.restore()).credits_charged == 4


async def test_a_job_that_never_ends_is_given_up_at_the_deadline(bench):
    """No job is given up while the remote may still finish it, and none is waited for for ever."""
    bench.settings |= {"job_deadline_s": 500.0}
    bench.remote.job_s = 1e9
    started = bench.clock.monotonic()
    summary = await bench.restore()
    assert summary.failed == 3
    assert bench.clock.monotonic() - started >= 500


async def test_the_own_service_is_told_to_forget_what_is_done(bench):
    """A job at the run's own service is deleted there once its output is safe."""
    bench.is_own = True
    await bench.restore()
    assert bench.remote.jobs == {}


async def test_a_foreign_remote_keeps_its_jobs(bench):
    """Nothing is ever deleted at a backend that is not the run's own."""
    await bench.restore()
    assert len(bench.remote.jobs) == 3
    assert bench.remote.count("forget") == 0


async def test_an_output_that_is_there_already_is_never_replaced(bench):
    """A file that this run did not make keeps its bytes; its job says so and costs nothing."""
    bench.out.mkdir()
    (bench.out / "p001.jpg").write_bytes(b"precious")
    summary = await bench.restore()
    assert (summary.done, summary.failed, len(bench.remote.accepted)) == (2, 1, 2)
    assert (bench.out / "p001.jpg").read_bytes() == b"precious"


async def test_an_output_that_appears_meanwhile_is_never_replaced(bench):
    """A file that somebody puts in the output's place during the run keeps its bytes."""

    def intrude(call):
        if call == "link":
            (bench.out / "p001.jpg").write_bytes(b"precious")

    bench.remote.before = intrude
    summary = await bench.restore()
    assert (summary.done, summary.failed) == (2, 1)
    assert (bench.out / "p001.jpg").read_bytes() == b"precious"


async def test_an_input_that_is_gone_or_changed_fails_alone(bench):
    """An input that is another one than planned is not sent."""

    bench.settings["submit_concurrency"] = 1

    def change(call):
        if call == "submit":
            (bench.inputs / "p001.jpg").unlink(missing_ok=True)
            (bench.inputs / "p002.jpg").write_bytes(b"something else")

    bench.remote.before = change
    summary = await bench.restore()
    assert (summary.done, summary.failed, len(bench.remote.accepted)) == (1, 2, 1)
    assert {row["reason"].split(" since")[0] for row in bench.results() if row["status"] == "failed"} == {
        "is gone",
        "has changed",
    }


async def test_restoring_again_does_only_what_is_new(bench):
    """The same command over a folder with one more picture sends one more job."""
    await bench.restore()
    (bench.inputs / "extra.jpg").write_bytes(picture())
    summary = await bench.restore()
    assert (summary.planned, summary.done, summary.ended_now) == (4, 4, 1)
    assert len(bench.remote.accepted) == 4


async def test_other_parameters_in_the_same_run_folder_are_refused(bench):
    """A run folder never mixes two sets of parameters."""
    await bench.restore()
    bench.parameters = bench.parameters.model_copy(update={"strength": 0.5})
    with pytest.raises(UsageError, match="differs in parameters"):
        await bench.restore()


async def test_a_folder_without_pictures_is_an_error_before_anything_starts(tmp_path):
    """Nothing is made and nothing is sent when there is nothing to restore."""
    bench = Bench(tmp_path).pictures(0)
    (bench.inputs / "notes.txt").write_text("no picture")
    with pytest.raises(UsageError, match="no picture"):
        await bench.restore()
    assert not bench.out.exists()
    assert bench.remote.requests == []


async def test_an_interrupt_leaves_a_run_that_a_resume_finishes(tmp_path):
    """Told to stop, the run submits no more, keeps what it knows, and the resume pays for nothing twice."""
    bench = Bench(tmp_path, settings={"submit_concurrency": 1, "max_in_flight": 4}).pictures(10)

    def stop_after_three(call):
        if call == "submit" and len(bench.remote.accepted) == 3:
            bench.closing.tell(Reason.INTERRUPTED, "interrupted")

    bench.remote.before = stop_after_three
    summary = await bench.restore()
    assert summary.exit_code is ExitCode.INTERRUPTED
    assert summary.done + summary.failed + summary.in_flight + summary.waiting == summary.planned
    summary = await bench.resume()
    assert (summary.exit_code, summary.done, len(bench.remote.accepted)) == (ExitCode.DONE, 10, 10)
    assert len(bench.results()) == 10
