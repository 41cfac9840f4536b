"""The commands that look after a run, over runs of two stages."""

import pytest

from engine.pipeline.closing import Reason
from engine.pipeline.inspection import inspect
from engine.pipeline.summary import ExitCode
from tests.fakes.remote import Answer
from tests.pipeline.caring import cancel_in_flight, recover, retry_failed, verified
from tests.pipeline.chained import RUN, chain, check_is_whole
from tests.pipeline.harness import noise

BACKENDS = pytest.mark.parametrize("is_ours", [True, False], ids=["ours", "vendor"])


async def interrupted(bench, *, accepted, later="Processing"):
    """Interrupt the run once so many submits were accepted; second stages do not end before that."""
    bench.remote.later_fates = dict.fromkeys(range(9), (later, ""))

    def stop(call):
        if len(bench.remote.accepted) >= accepted and call in ("status", "listing", "link"):
            bench.closing.tell(Reason.INTERRUPTED, "interrupted")

    bench.remote.before = stop
    assert (await bench.restore()).exit_code is ExitCode.INTERRUPTED
    bench.remote.before = lambda _call: None
    bench.remote.later_fates = {}


@BACKENDS
async def test_a_retry_does_not_pay_for_the_first_stage_again(tmp_path, is_ours):
    """Failed on the second stage: that one is sent anew, under a name of its own, from the first one's result."""
    bench = chain(tmp_path, 2, is_ours=is_ours)
    bench.remote.later_fates = {1: ("Failed", "no luck")}
    await bench.restore()
    bench.remote.later_fates = {}
    retried, summary = await retry_failed(bench)
    assert (retried.fetched, retried.sent_anew, retried.left.total()) == (1, 0, 0)
    assert (summary.exit_code, summary.done) == (ExitCode.DONE, 2)
    mine = sorted(name for name in bench.remote.accepted if "-000001" in name)
    assert mine == [f"{RUN}-000001.jpg", f"{RUN}-000001r1s2.png", f"{RUN}-000001s2.png"]
    assert bench.remote.job(1, "r1s2").source == bench.remote.result
    assert (summary.credits_charged, summary.credits_reserved) == (4, 0)
    assert [row["credits"] for row in bench.results()] == [2, 2]


async def test_a_retry_does_both_stages_where_the_first_ones_result_is_gone(tmp_path):
    """Then there is nothing else to begin with; what the lost first stage cost stays charged."""
    bench = chain(tmp_path, 1)
    bench.remote.later_fates = {0: ("Failed", "no luck")}
    await bench.restore()
    bench.remote.later_fates = {}
    bench.remote.jobs.clear()
    retried, summary = await retry_failed(bench)
    assert (retried.fetched, retried.sent_anew) == (0, 1)
    assert (summary.exit_code, summary.credits_charged, summary.credits_reserved) == (ExitCode.DONE, 3, 0)
    names = [f"{RUN}-000000{end}" for end in (".jpg", "s2.png", "r1.jpg", "r1s2.png")]
    assert bench.remote.accepted == names


async def test_what_an_earlier_try_left_between_the_stages_is_not_taken_for_the_next_ones(tmp_path):
    """Where the picture between is fetched, that of a job begun again takes the place of the old one."""
    bench = chain(tmp_path, 1, is_ours=False)
    bench.remote.later_fates = {0: ("Failed", "no luck")}
    await bench.restore()
    assert list((bench.run_folder.path / "staged").iterdir())
    bench.remote.later_fates = {}
    bench.remote.jobs.clear()
    bench.remote.result, bench.remote.size = noise((30, 40)), (30, 40)
    _retried, summary = await retry_failed(bench)
    assert summary.exit_code is ExitCode.DONE
    assert bench.remote.job(0, "r1s2").source == bench.remote.result
    assert not list((bench.run_folder.path / "staged").iterdir())


async def test_a_retry_fetches_a_second_stage_that_is_paid_for(tmp_path):
    """Its result could not be brought home: nothing is sent at all, and nothing charged twice."""
    bench = chain(tmp_path, 1)
    good, bench.remote.enhanced = bench.remote.enhanced, b"no picture"
    summary = await bench.restore()
    assert (summary.failed, summary.credits_charged) == (1, 2)
    bench.remote.job(0, "s2").result = good
    retried, summary = await retry_failed(bench)
    assert (retried.fetched, retried.sent_anew) == (1, 0)
    assert summary.exit_code is ExitCode.DONE
    check_is_whole(bench, 1)


async def test_a_retry_of_a_failed_first_stage_does_both(tmp_path):
    """As of any job: under the next generation's names."""
    bench = chain(tmp_path, 1)
    bench.remote.fates = {0: ("Failed", "no luck")}
    await bench.restore()
    bench.remote.fates = {}
    _retried, summary = await retry_failed(bench)
    assert summary.exit_code is ExitCode.DONE
    assert bench.remote.accepted == [f"{RUN}-000000{end}" for end in (".jpg", "r1.jpg", "r1s2.png")]


@pytest.mark.parametrize("journal", [b"", None], ids=["lost", "cut"])
async def test_a_retried_second_stage_is_known_again_whatever_the_journal_lost(tmp_path, journal):
    """Its generation is in its name: a resume adopts it and sends no fourth remote job."""
    bench = chain(tmp_path, 1)
    bench.remote.later_fates = {0: ("Failed", "no luck")}
    await bench.restore()
    bench.remote.later_fates = {}
    _retried, summary = await retry_failed(bench)
    lines = bench.run_folder.journal.read_bytes().splitlines(keepends=True)
    at = next(at for at, line in enumerate(lines) if b'"reclaimed"' in line)
    bench.run_folder.journal.write_bytes(b"".join(lines[: at + 1]) if journal is None else journal)
    (bench.out / "p000.jpg").unlink()
    summary = await bench.resume()
    assert (summary.exit_code, len(bench.remote.accepted)) == (ExitCode.DONE, 3)


@BACKENDS
@pytest.mark.parametrize("accepted", [2, 3, 4, 5, 6])
async def test_a_lost_journal_is_recovered_with_both_stages(tmp_path, accepted, is_ours):
    """Rows of both are found: who is past the first stage does not go through it again."""
    bench = chain(tmp_path, 3, is_ours=is_ours, settings={"submit_concurrency": 1})
    await interrupted(bench, accepted=accepted)
    bench.run_folder.journal.unlink()
    recovered = await recover(bench)
    assert (recovered.planned, recovered.done, recovered.adopted + recovered.waiting) == (3, 0, 3)
    past_first = sum(name.endswith("s2.png") for name in bench.remote.accepted)
    assert inspect(bench.run_folder).staged == past_first
    assert (await bench.resume()).exit_code is ExitCode.DONE
    check_is_whole(bench, 3)


@BACKENDS
async def test_a_finished_run_is_recovered_with_the_ends_of_both_stages(tmp_path, is_ours):
    """Outputs in place, and the rows that say what they cost."""
    bench = chain(tmp_path, 2, is_ours=is_ours)
    await bench.restore()
    bench.run_folder.journal.unlink()
    assert (await recover(bench)).done == 2
    assert (await bench.resume()).exit_code is ExitCode.DONE
    check_is_whole(bench, 2)
    ids = {stage["process_id"] for row in bench.results() for stage in row["stages"]}
    assert ids == set(bench.remote.jobs)


async def test_a_run_is_recovered_without_the_backend(tmp_path):
    """Offline only outputs count; a resume looks for the rest by both names."""
    bench = chain(tmp_path, 2)
    await bench.restore()
    (bench.out / "p001.jpg").unlink()
    bench.run_folder.journal.unlink()
    recovered = await recover(bench, is_offline=True)
    assert (recovered.done, recovered.waiting) == (1, 1)
    assert (await bench.resume()).exit_code is ExitCode.DONE
    check_is_whole(bench, 2)


async def test_cancel_cancels_whichever_stage_is_in_flight(tmp_path):
    """What a finished first stage cost stays charged, the rest is not reserved any more."""
    bench = chain(tmp_path, 2)
    await interrupted(bench, accepted=4)
    bench.remote.later_fates = {0: ("Processing", ""), 1: ("Processing", "")}
    cancelled = await cancel_in_flight(bench)
    assert (cancelled.in_flight, cancelled.cancelled) == (2, 2)
    assert bench.remote.cancelled == {bench.remote.job(number, "s2").process_id for number in range(2)}
    summary = inspect(bench.run_folder)
    assert (summary.failed, summary.credits_charged, summary.credits_reserved) == (2, 2, 0)
    bench.remote.later_fates = {}
    retried, summary = await retry_failed(bench)
    assert (retried.fetched, summary.exit_code, summary.credits_charged) == (2, ExitCode.DONE, 4)
    assert sum(name.endswith(".jpg") for name in bench.remote.accepted) == 2


async def test_cancel_ends_what_is_between_two_stages(tmp_path):
    """Nothing is in flight at the backend then: the second stage will not be sent."""
    bench = chain(tmp_path, 2)

    def run_out(call):
        if call == "submit" and len(bench.remote.accepted) == 2:
            bench.remote.always["submit"] = Answer(402)

    bench.remote.before = run_out
    assert (await bench.restore()).exit_code is ExitCode.NO_CREDITS
    bench.remote.before = lambda _call: None
    cancelled = await cancel_in_flight(bench)
    assert (cancelled.in_flight, cancelled.cancelled, cancelled.unclear) == (2, 2, 0)
    assert bench.remote.count("cancel") == 0
    summary = inspect(bench.run_folder)
    assert (summary.failed, summary.credits_charged, summary.credits_reserved) == (2, 2, 0)
    bench.remote.always.clear()
    _retried, summary = await retry_failed(bench)
    assert (summary.exit_code, summary.credits_charged) == (ExitCode.DONE, 4)


async def test_verify_looks_at_the_outputs_alone(tmp_path):
    """They are as their second stage made them."""
    bench = chain(tmp_path, 2)
    await bench.restore()
    counts, bad, missing = verified(bench)
    assert (counts.verified, bad, missing) == (2, [], 0)
