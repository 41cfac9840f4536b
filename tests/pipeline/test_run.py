"""A run from start to end, and how it is stopped."""

import hashlib

import pytest

from engine.errors import UsageError
from engine.pipeline.closing import Reason
from engine.pipeline.summary import ExitCode
from tests.fakes.remote import Answer
from tests.pipeline.harness import Bench, picture


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


async def test_an_interrupt_is_heard_during_the_greeting(bench):
    """A remote that says to come back in a quarter of an hour does not hold up a Ctrl-C."""
    bench.remote.fault("listing", *[Answer(429, {"Retry-After": "900"})] * 3)
    bench.remote.before = lambda _call: bench.closing.tell(Reason.INTERRUPTED, "interrupted")
    started = bench.clock.monotonic()
    assert (await bench.restore()).exit_code is ExitCode.INTERRUPTED
    assert bench.clock.monotonic() - started < 900


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
