"""The poll lane: when jobs are looked at, and what the answers mean."""

import random
from pathlib import Path

import pytest

from engine.pipeline.closing import Reason
from engine.pipeline.summary import ExitCode
from tests.fakes.remote import Answer, Listed, Lost, NoConnection
from tests.pipeline.harness import Bench


def crowd(folder: Path, count: int) -> Bench:
    """Return a bench with so many jobs, that end one after another between 20 and 80 s."""
    bench = Bench(folder).pictures(count)
    draw = random.Random(3)
    bench.remote.durations = {number: draw.uniform(20.0, 80.0) for number in range(count)}
    return bench


def looks(bench: Bench) -> tuple[int, int]:
    """Return how many looks at one job there were, and how many pages were asked for."""
    return bench.remote.count("status"), bench.remote.count("listing")


def looked_at_alone(bench: Bench) -> int:
    """Return how many different jobs were looked at alone."""
    return len({url for call, url in bench.remote.requests if call == "status"})


def after_the_greeting(bench: Bench, call: str, fault: Answer) -> None:
    """Let `call` always fail from the first submit on."""

    def begin(made: str) -> None:
        if made == "submit":
            bench.remote.always[call] = fault

    bench.remote.before = begin


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


@pytest.mark.parametrize("listed", [Listed.OLDEST_FIRST, Listed.NEWEST_FIRST, Listed.BY_KEY])
async def test_hundreds_of_jobs_cost_few_requests(tmp_path, listed):
    """Sweeps of the listing find 300 jobs with half a request each, and soon after they have ended."""
    bench = crowd(tmp_path, 300)
    bench.remote.listed = listed
    assert (await bench.restore()).done == 300
    assert sum(looks(bench)) < 150
    unseen_s = [row["timings"]["unseen_s"] for row in bench.results()]
    assert sum(unseen_s) / len(unseen_s) < 3.0


@pytest.mark.parametrize("page_rows", [10, 100])
async def test_a_listing_without_an_order_is_still_of_use(tmp_path, page_rows):
    """Where every page is a new draw, jobs end all the same, for less than four requests each."""
    bench = crowd(tmp_path, 300)
    bench.remote.listed, bench.remote.page_rows = Listed.SHUFFLED, page_rows
    assert (await bench.restore()).done == 300
    assert sum(looks(bench)) < 4 * 300


async def test_flights_that_slide_off_their_page_are_found_again(tmp_path):
    """Other clients' new jobs push the rows from page to page; no flight is lost between them."""
    bench = crowd(tmp_path, 100)
    bench.remote.listed, bench.remote.page_rows = Listed.NEWEST_FIRST, 10

    def push(call: str) -> None:
        if call == "listing" and bench.remote.accepted:
            bench.remote.add_strangers(3)

    bench.remote.before = push
    assert (await bench.restore()).done == 100
    assert sum(looks(bench)) < 4 * 100


async def test_old_rows_of_strangers_make_the_walk_give_up(tmp_path):
    """Behind 40 pages of others' finished jobs nothing is found in time: flights are looked at alone instead."""
    bench = crowd(tmp_path, 50)
    bench.remote.page_rows = 10
    bench.remote.add_strangers(400)
    assert (await bench.restore()).done == 50
    assert looks(bench)[1] < 3 * 9


async def test_a_row_that_the_listing_hides_is_looked_at_alone(tmp_path):
    """A job that is on no page ends with the others."""
    bench = crowd(tmp_path, 60)

    def hide(_call: str) -> None:
        if job := bench.remote.job(50):
            job.is_hidden = True

    bench.remote.before = hide
    assert (await bench.restore()).done == 60
    hidden = bench.remote.job(50)
    assert any(call == "status" and url.endswith(hidden.process_id) for call, url in bench.remote.requests)


async def test_rows_that_vanish_from_their_page_are_looked_at_alone(tmp_path):
    """A listing that stops showing jobs it has shown before costs looks, not jobs."""
    bench = crowd(tmp_path, 60)
    bench.remote.listed, bench.remote.page_rows = Listed.BY_KEY, 10

    def hide(_call: str) -> None:
        for job in bench.remote.jobs.values():
            job.is_hidden = bench.clock.monotonic() > 30.0

    bench.remote.before = hide
    assert (await bench.restore()).done == 60


@pytest.mark.parametrize("fault", [Answer(500), Answer(404), Answer(200, body=b"<html>"), NoConnection()])
async def test_without_a_listing_jobs_finish_by_looks_alone(tmp_path, fault):
    """A listing that fails for ever is asked a few times, then hardly ever again."""
    bench = crowd(tmp_path, 40)
    after_the_greeting(bench, "listing", fault)
    assert (await bench.restore()).done == 40
    assert looks(bench)[1] < 10


async def test_a_listing_that_breaks_in_the_middle_of_a_run_is_done_without(tmp_path):
    """Flights on remembered pages are looked at alone once their page has failed twice in a row."""
    bench = crowd(tmp_path, 60)
    bench.remote.listed, bench.remote.page_rows = Listed.BY_KEY, 10
    broken_from = []

    def break_down(_call: str) -> None:
        if bench.clock.monotonic() > 30.0 and not broken_from:
            broken_from.append(bench.remote.count("listing"))
            bench.remote.always["listing"] = Answer(500)

    bench.remote.before = break_down
    assert (await bench.restore()).done == 60
    assert broken_from[0] > 5
    assert looks(bench)[1] - broken_from[0] < 30


async def test_a_status_word_that_nobody_knows_counts_as_going_on(tmp_path):
    """On a page and alone: the job ends when its word does."""
    bench = crowd(tmp_path, 40)
    bench.remote.fates = dict.fromkeys(range(40), ("Inspecting", ""))

    def inspect(_call: str) -> None:
        if bench.clock.monotonic() > 100.0:
            bench.remote.fates.clear()

    bench.remote.before = inspect
    summary = await bench.restore()
    assert (summary.done, summary.failed) == (40, 0)


async def test_failures_are_seen_on_a_page_too(tmp_path):
    """Failed and Cancelled rows of the listing end their jobs, with the remote's reason, uncharged and not repeated."""
    bench = crowd(tmp_path, 60)
    bench.remote.listed, bench.remote.page_rows = Listed.BY_KEY, 20
    bench.remote.fates = dict.fromkeys(range(10, 30), ("Failed", "no face"))
    bench.remote.fates |= dict.fromkeys(range(30, 40), ("Cancelled", ""))
    summary = await bench.restore()
    assert (summary.done, summary.credits_charged, len(bench.remote.accepted)) == (30, 30, 60)
    assert summary.reasons == {"no face": 20, "was cancelled at the backend": 10}
    assert looked_at_alone(bench) < 15


async def test_the_deadline_counts_on_pages_too(tmp_path):
    """Jobs that never end are given up without a look at each alone."""
    bench = Bench(tmp_path, settings={"job_deadline_s": 500.0}).pictures(40)
    bench.remote.job_s = 1e9
    bench.remote.listed, bench.remote.page_rows = Listed.BY_KEY, 10
    summary = await bench.restore()
    assert (summary.failed, summary.credits_charged) == (40, 40)
    assert 500 <= bench.clock.monotonic() < 700
    assert looked_at_alone(bench) < 10


async def test_resumed_flights_are_looked_at_at_once(tmp_path):
    """What ended while nobody looked is fetched without waiting for an eta an hour away, by a few requests."""
    bench = Bench(tmp_path).pictures(50)
    bench.remote.job_s = 3600.0

    def leave(call: str) -> None:
        if call == "status":
            bench.closing.tell(Reason.INTERRUPTED, "interrupted")

    bench.remote.before = leave
    assert (await bench.restore()).exit_code is ExitCode.INTERRUPTED
    bench.remote.before, bench.remote.job_s = lambda _call: None, 0.01
    bench.remote.requests.clear()
    resumed_from = bench.clock.monotonic()
    assert (await bench.resume()).done == len(bench.remote.accepted) == 50
    assert bench.clock.monotonic() - resumed_from < 5.0
    assert sum(looks(bench)) < 10


async def test_an_adopted_flight_is_looked_at_at_once(bench):
    """Whoever was unclear for long is not made to wait for its eta as well."""
    bench.settings |= {"settle_s": 60.0}
    bench.remote.job_s, bench.remote.eta_factor = 1.0, 3600.0
    bench.remote.fault("submit", *[Lost(is_done=True)] * 3)
    summary = await bench.restore()
    assert (summary.done, summary.adopted) == (3, 3)
    assert bench.clock.monotonic() < 70.0


async def test_under_429_all_calls_share_one_pace(tmp_path):
    """Submits, looks and links together keep to what the remote takes: few refusals, none sent or paid twice."""
    bench = crowd(tmp_path, 300)
    bench.remote.listed, bench.remote.most_per_s = Listed.BY_KEY, 20
    summary = await bench.restore()
    assert summary.done == len(bench.remote.accepted) == 300
    paced = [at for at, _call in bench.remote.refusals if at > 5.0]
    assert len(paced) < 0.1 * 700
    assert bench.clock.monotonic() < 1.5 * 80


async def test_a_pause_that_one_call_is_told_holds_for_all(tmp_path):
    """After a 429 with Retry-After nothing leaves with the key until that time is over."""
    bench = Bench(tmp_path).pictures(20)
    asked_at = []

    def note(call: str) -> None:
        asked_at.append(bench.clock.monotonic())
        if call == "submit" and len(bench.remote.accepted) == 10 and not bench.remote.faults["submit"]:
            bench.remote.before = lambda _call: asked_at.append(bench.clock.monotonic())
            bench.remote.fault("submit", Answer(429, {"Retry-After": "40"}))
            bench.remote.refusals.append((bench.clock.monotonic(), call))

    bench.remote.before = note
    assert (await bench.restore()).done == 20
    ((refused_at, _call),) = bench.remote.refusals
    assert [at for at in asked_at if refused_at < at < refused_at + 40.0] == []
    assert len(bench.remote.accepted) == 20


async def test_a_listing_that_is_always_too_fast_is_done_without(tmp_path):
    """429s on the listing alone hold up no job for ever: they are looked at alone."""
    bench = Bench(tmp_path).pictures(12)

    def refuse(call):
        if call == "submit":
            bench.remote.always["listing"] = Answer(429)

    bench.remote.before = refuse
    assert (await bench.restore()).done == 12


async def test_a_process_id_that_is_given_twice_is_looked_up(bench):
    """A cache that repeats an answer neither loses a job nor gives it another one's result."""

    def repeat(call):
        if call == "submit" and len(bench.remote.jobs) == 1 and bench.remote.count("submit") == 2:
            first = next(iter(bench.remote.jobs))
            bench.remote.fault("submit", Answer(200, body=b'{"process_id": "%b"}' % first.encode()))

    bench.settings["submit_concurrency"] = 1
    bench.remote.before = repeat
    summary = await bench.restore()
    assert (summary.done, summary.unclear, len(bench.remote.accepted)) == (3, 1, 3)
