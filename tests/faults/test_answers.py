"""Answers that are not what the contract says, and storms of refusals: in virtual time, over the real pipeline."""

import pytest

from engine.pipeline.closing import Reason
from engine.pipeline.summary import ExitCode
from engine.remote.transport import Response
from tests.fakes.remote import Answer, Cut, Lost
from tests.faults.altered import altered, with_json
from tests.pipeline.harness import Bench, noise, picture

_ROW_MEMBERS = ("eta", "creation_time", "modification_time", "output_width", "output_height", "credits", "progress")


def assert_paid_once(bench, jobs):
    """Audit the remote's own list of what it accepted."""
    assert sorted(bench.remote.accepted) == [f"0123456789-{number:06d}.jpg" for number in range(jobs)]
    assert bench.outputs() == [f"p{number:03d}.jpg" for number in range(jobs)]


@pytest.mark.parametrize("body", [b"", b"<html>502</html>", b"[1, 2", b"null", b"[]", b"{}", b'"text"', b"\xff\xfe"])
async def test_garbage_in_the_place_of_json_costs_a_look(bench, body):
    """Each call is answered 200 with garbage a few times, submits after they were accepted: nothing is sent twice."""
    spoiled = {}

    def spoil(call, answer):
        if call not in ("submit", "status", "link", "listing") or (call == "listing" and not bench.remote.accepted):
            return answer
        spoiled[call] = spoiled.get(call, 0) + 1
        return Response(200, {}, body) if spoiled[call] <= 2 else answer

    bench = altered(bench, spoil)
    summary = await bench.restore()
    assert (summary.done, summary.adopted) == (3, 2)
    assert_paid_once(bench, 3)


@pytest.mark.parametrize("members", [_ROW_MEMBERS, *((name,) for name in _ROW_MEMBERS)], ids=",".join)
async def test_rows_may_lack_what_the_contract_requires(bench, members):
    """Of a status row only process id and status are needed, and the filename to look one up."""

    def thin_out(call, answer):
        return with_json(answer, _without(members)) if call in ("status", "listing") else answer

    bench.remote.fault("submit", Lost(is_done=True))
    bench = altered(bench, thin_out)
    bench.remote.fault("submit", Lost(is_done=True))
    assert (await bench.restore()).done == 3
    assert_paid_once(bench, 3)


def _without(members):
    def change(answer):
        for row in answer.get("data", [answer]):
            for name in members:
                row.pop(name, None)

    return change


async def test_a_submit_may_be_answered_without_eta(bench):
    """A job whose eta nobody says is looked at all the same."""
    bench = altered(bench, lambda _call, answer: with_json(answer, lambda members: members.pop("eta", None)))
    assert (await bench.restore()).done == 3
    assert_paid_once(bench, 3)


async def test_members_that_nobody_knows_are_passed_over(bench):
    """A remote of a later version may say more than this one understands."""

    def add(members):
        more = {"priority": {"lane": 7}, "future": [None, 1e308], "status_v2": "Completed"}
        for row in [members, *members.get("data", [])]:
            row.update(more)

    bench = altered(bench, lambda _call, answer: with_json(answer, add))
    assert (await bench.restore()).done == 3
    assert_paid_once(bench, 3)


@pytest.mark.parametrize("word", ["Queued", "", None, 7, ["Completed"], "Post-Processing"])
async def test_an_unknown_status_word_is_waited_out(bench, word):
    """A word that is not in the contract means that the job goes on; it is neither given up nor sent again."""

    def rename(members):
        for row in members.get("data", [members]):
            if row.get("status") == "Completed" and bench.clock.monotonic() < 600:
                row["status"] = word

    bench = altered(bench, lambda call, answer: with_json(answer, rename) if call in ("status", "listing") else answer)
    summary = await bench.restore()
    assert (summary.done, summary.failed) == (3, 0)
    assert bench.clock.monotonic() >= 600
    assert_paid_once(bench, 3)


async def test_a_storm_of_429s_is_waited_out(bench):
    """Ten minutes in which every call is answered 429: nothing fails, nothing is sent twice."""

    def storm(call):
        if call != "file" and bench.clock.monotonic() < 600:
            bench.remote.fault(call, Answer(429))

    bench.remote.fault("listing", Answer(200, body=b'{"data": [], "pagination": {"next_cursor": null}}'))
    began = []

    def after_the_greeting(call):
        if began:
            storm(call)
        began.append(call)

    bench.remote.before = after_the_greeting
    summary = await bench.restore()
    assert (summary.done, summary.failed, summary.unclear) == (3, 0, 0)
    assert bench.clock.monotonic() >= 600
    assert_paid_once(bench, 3)


@pytest.mark.parametrize("status", [500, 502, 503, 504])
@pytest.mark.parametrize("calls", [("status", "listing", "link", "file"), ("link", "file"), ("file",)], ids=",".join)
async def test_a_burst_of_5xx_on_reads_gives_up_nothing(bench, calls, status):
    """Five minutes in which nothing accepted can be read: afterwards all of it comes home."""

    def burst(call):
        if call in calls and bench.remote.accepted and bench.clock.monotonic() < 300:
            bench.remote.fault(call, Answer(status))

    bench.remote.before = burst
    summary = await bench.restore()
    assert (summary.done, summary.failed) == (3, 0)
    assert_paid_once(bench, 3)


async def test_a_burst_of_5xx_on_everything_gives_up_nothing(bench):
    """Five minutes in which every call after the first accepted job is answered 503: each job is paid for once."""
    bench.settings["submit_concurrency"] = 1

    def burst(call):
        if bench.remote.accepted and bench.clock.monotonic() < 300:
            bench.remote.fault(call, Answer(503))

    bench.remote.before = burst
    summary = await bench.restore()
    assert (summary.done, summary.failed) == (3, 0)
    assert_paid_once(bench, 3)


@pytest.mark.parametrize("minutes", [1, 5, 15])
async def test_a_burst_of_5xx_on_submits_gives_up_nothing(bench, minutes):
    """Minutes in which only submits are answered 503: an outage is nobody's poisonous picture."""
    bench.settings["settle_s"] = 30.0  # the default for a remote that is not the run's own

    def burst(call):
        if call == "submit" and bench.clock.monotonic() < 60 * minutes:
            bench.remote.fault("submit", Answer(503))

    bench.remote.before = burst
    summary = await bench.restore()
    assert (summary.done, summary.failed) == (3, 0)
    assert_paid_once(bench, 3)


async def test_a_link_that_expires_in_the_middle_of_a_download_is_replaced(tmp_path):
    """A large result goes on from its bytes on disk under a new link."""
    bench = Bench(tmp_path).pictures(1)
    bench.remote.result, bench.remote.size = noise((1000, 900)), (1000, 900)
    bench.remote.fault("file", Cut(1_500_000), Answer(403), Cut(500_000))
    assert (await bench.restore()).done == 1
    ranges = [headers.get("Range") for headers in bench.remote.file_headers]
    assert ranges == [None, "bytes=1500000-", "bytes=1500000-", "bytes=2000000-"]
    assert (bench.out / "p000.jpg").read_bytes() == bench.remote.result


async def test_a_result_longer_than_its_row_says_is_not_published(bench):
    """Where the row says how many bytes there are, more of them are no result."""

    def announce(members):
        for row in members.get("data", [members]):
            row["output_bytes"] = len(picture())

    bench = altered(bench, lambda call, got: with_json(got, announce) if call in ("status", "listing") else got)
    long = Answer(200, {"Content-Length": str(len(picture()) + 9)}, picture() + b"and more!")
    bench.remote.fault("file", long, long)
    assert (await bench.restore()).done == 3
    assert all((bench.out / name).read_bytes() == picture() for name in bench.outputs())


@pytest.mark.parametrize("hours", [-24 * 400, -1, 1, 24 * 400])
async def test_a_clock_that_jumps_proves_nothing(bench, hours):
    """An administrator sets the clock while jobs are in flight and one is looked up: none is given up or sent again."""
    bench.settings |= {"settle_s": 30.0, "submit_concurrency": 1}
    bench.remote.fault("submit", Lost(is_done=True))
    bench.remote.job_s = 5.0
    jumped = []

    def jump(call):
        if call == "listing" and bench.remote.accepted and not jumped:
            jumped.append(call)
            bench.clock.jump(3600 * hours)
            for job in bench.remote.jobs.values():
                job.accepted_at += 3600 * hours  # the remote's own clock is right

    bench.remote.before = jump
    summary = await bench.restore()
    assert jumped
    assert (summary.done, summary.failed, summary.resubmitted, summary.adopted) == (3, 0, 0, 1)
    assert_paid_once(bench, 3)


async def test_a_job_of_nearly_three_hours_is_waited_for(bench):
    """The vendor's worst case comes home, with a remote that promised seconds and an interrupt half way."""
    bench.settings["drain_s"] = 0.0
    bench.remote.job_s, bench.remote.eta_factor = 2.9 * 3600, 0.001

    def stop(_call):
        if bench.clock.monotonic() > 3600:
            bench.closing.tell(Reason.INTERRUPTED, "interrupted")

    bench.remote.before = stop
    assert (await bench.restore()).in_flight == 3
    bench.remote.before = lambda _call: None
    assert (await bench.resume()).done == 3
    assert_paid_once(bench, 3)


async def test_a_clock_that_jumped_between_two_processes_proves_nothing(bench):
    """A resume after the clock went back a year picks up what is in flight."""
    bench.settings["drain_s"] = 0.0
    bench.remote.job_s = 1e9

    def stop(call):
        if call in ("status", "listing") and len(bench.remote.accepted) == 3:
            bench.closing.tell(Reason.INTERRUPTED, "interrupted")

    bench.remote.before = stop
    assert (await bench.restore()).in_flight == 3
    bench.clock.jump(-365 * 86_400.0)
    bench.remote.before = lambda _call: None
    bench.remote.job_s = -1e9
    assert (await bench.resume()).exit_code is ExitCode.DONE
    assert_paid_once(bench, 3)
