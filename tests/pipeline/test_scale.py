"""`--scale` where the plan does not know how large a picture is: no process may forget what another has found out."""

import pytest

from engine.job.enhance import Enhance
from engine.pipeline.closing import Reason
from engine.pipeline.inspection import inspect
from tests.fakes.remote import Lost
from tests.pipeline.caring import put_back
from tests.pipeline.chained import chain
from tests.pipeline.harness import SIZE, Bench, picture

BACKENDS = pytest.mark.parametrize("is_ours", [True, False], ids=["ours", "vendor"])
TWICE = {"output_width": str(2 * SIZE[0]), "output_height": str(2 * SIZE[1])}
EXACTLY = {**TWICE, "crop_to_fill": "true"}


def _scaled_chain(tmp_path, count: int = 1, *, is_ours: bool = True) -> Bench:
    bench = chain(tmp_path, count, is_ours=is_ours)
    bench.then, bench.scale = Enhance(), 2.0
    return bench


def _stop_once_accepted(bench: Bench, jobs: int) -> None:
    """Interrupt the run when so many jobs were accepted and the newest is still under way."""

    def stop(call: str) -> None:
        if len(bench.remote.accepted) == jobs and call in ("status", "listing", "link"):
            bench.closing.tell(Reason.INTERRUPTED, "interrupted")

    bench.remote.before = stop


def _size_of(fields: dict[str, str]) -> dict[str, str]:
    return {name: fields[name] for name in EXACTLY if name in fields}


@BACKENDS
async def test_a_picture_on_the_web_is_scaled_by_whoever_carries_its_second_stage(tmp_path, is_ours):
    """Interrupted on its first one, it is resumed by a process that has not seen the input."""
    bench = _scaled_chain(tmp_path, is_ours=is_ours).addresses("https://web.test/a.jpg")
    _stop_once_accepted(bench, 1)
    await bench.restore()
    assert len(bench.remote.accepted) == 1
    bench.remote.before = lambda _call: None
    assert (await bench.resume()).done == 1
    assert _size_of(bench.remote.job(0, "s2").fields) == EXACTLY


@BACKENDS
async def test_a_second_stage_is_sent_again_in_the_same_size(tmp_path, is_ours):
    """Its POST was lost, and so was the process that made it."""
    bench = _scaled_chain(tmp_path, is_ours=is_ours).addresses("https://web.test/a.jpg")
    stages = []

    def stop(call: str) -> None:
        if call == "submit":
            stages.append(call)
            if len(stages) == 2:
                bench.remote.fault("submit", Lost(is_done=False))
                bench.closing.tell(Reason.INTERRUPTED, "interrupted")

    bench.remote.before = stop
    await bench.restore()
    assert len(bench.remote.accepted) == 1
    bench.remote.before = lambda _call: None
    assert (await bench.resume()).done == 1
    assert _size_of(bench.remote.job(0, "s2").fields) == EXACTLY


@BACKENDS
async def test_a_refused_picture_that_was_mended_is_scaled(tmp_path, is_ours):
    """The plan has no size of it; it was put back, sent, and resumed between its stages."""
    bench = _scaled_chain(tmp_path, 2, is_ours=is_ours)
    (bench.inputs / "p001.jpg").write_bytes(b"not yet a picture")
    assert (await bench.restore()).failed == 1
    (bench.inputs / "p001.jpg").write_bytes(picture())
    assert (await put_back(bench)).sent_anew == 1
    _stop_once_accepted(bench, 3)
    await bench.resume()
    bench.remote.before = lambda _call: None
    assert (await bench.resume()).done == 2
    assert _size_of(bench.remote.job(1, "r1s2").fields) == EXACTLY
    assert inspect(bench.run_folder).credits_charged == 4


async def test_a_first_stage_that_does_not_say_its_size_is_not_scaled_by_guess(tmp_path):
    """It fails instead of coming out in another size, paid for."""
    bench = _scaled_chain(tmp_path).addresses("https://web.test/a.jpg")
    _stop_once_accepted(bench, 1)
    await bench.restore()
    bench.remote.before = lambda _call: None
    bench.remote.size = (0, 0)
    summary = await bench.resume()
    assert (summary.failed, len(bench.remote.accepted)) == (1, 1)
    assert "does not say how large" in next(iter(summary.reasons))


@pytest.mark.parametrize("has_copy", [True, False])
async def test_the_repeat_of_a_lost_submit_asks_for_the_same_size(tmp_path, has_copy):
    """Without a second stage, too: left after the intent, the picture is looked up, read again, and scaled."""
    bench = Bench(tmp_path, scale=2.0).addresses("https://web.test/a.jpg")

    def lose(call: str) -> None:
        if call == "submit":
            bench.remote.fault("submit", Lost(is_done=False))
            bench.closing.tell(Reason.INTERRUPTED, "interrupted")

    bench.remote.before = lose
    await bench.restore()
    assert bench.events(0) == ["intent", "unclear"]
    bench.remote.before = lambda _call: None
    if not has_copy:
        bench.run_folder.copy_of(0).unlink()
    assert (await bench.resume()).done == 1
    assert _size_of(bench.remote.job(0).fields) == TWICE
