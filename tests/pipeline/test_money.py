"""What a run may cost."""

import pytest

from engine.pipeline.summary import ExitCode
from tests.fakes.remote import Answer
from tests.pipeline.harness import Bench, picture


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


async def test_a_billed_job_that_fails_here_counts_against_the_limit(tmp_path):
    """What the backend charged for is charged, though no output came of it: --max-credits stays a cap."""
    bench = Bench(tmp_path, settings={"max_credits": 2, "max_in_flight": 1}).pictures(6)
    bench.remote.result = b"no picture"
    summary = await bench.restore()
    assert (summary.exit_code, summary.failed, summary.credits_charged) == (ExitCode.NO_CREDITS, 2, 2)
    assert len(bench.remote.accepted) == 2


async def test_hostile_numbers_from_the_remote_break_nothing(bench):
    """Credits that are negative or beyond counting are not believed."""
    bench.remote.credits = -5
    summary = await bench.restore()
    assert (summary.done, summary.credits_charged) == (3, 3)
    bench.remote.credits = 1e300
    (bench.inputs / "more.jpg").write_bytes(picture())
    assert (await bench.restore()).credits_charged == 4
