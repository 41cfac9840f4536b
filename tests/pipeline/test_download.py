"""The download lane: only verified results are published, and nothing is ever replaced."""

import pytest

from engine.pipeline.seal import BadResult, Expected, Result, Sealed, seal_group
from tests.fakes.remote import Answer, Cut
from tests.pipeline.harness import Bench, noise, picture


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


async def test_a_long_outage_of_the_file_host_gives_up_nothing(bench):
    """Results that can't be fetched for half an hour are fetched afterwards."""

    def outage(call):
        if call == "file" and bench.clock.monotonic() < 1800.0:
            bench.remote.fault("file", Answer(503))

    bench.remote.before = outage
    assert (await bench.restore()).done == 3


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


@pytest.mark.parametrize("call", ["file", "link"])
@pytest.mark.parametrize("status", [429, 503])
async def test_a_wait_that_the_remote_asks_for_is_kept(tmp_path, call, status):
    """A result that is refused with Retry-After is not asked for before that time."""
    bench = Bench(tmp_path).pictures(1)
    bench.remote.fault(call, Answer(status, {"Retry-After": "200"}))
    assert (await bench.restore()).done == 1
    assert bench.clock.monotonic() >= 200


@pytest.mark.parametrize(
    "wrong", [b"no picture at all", picture()[:-200], picture((10, 10)), b""], ids=["garbage", "cut", "size", "empty"]
)
def test_a_wrong_result_in_memory_is_never_written(tmp_path, wrong):
    """Not even as a .part file: the folder that it would be in is not made."""
    final = tmp_path / "folder" / "a.jpg"
    result = Result(final.with_name("a.jpg.part"), final, wrong, Expected(24, 32))
    (outcome,) = seal_group([result], sync=False)
    assert isinstance(outcome, BadResult)
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_result_spoils_none_of_its_group(tmp_path):
    """Each one of a group gets its own answer, in order; a right one is on disk whole and without its .part."""
    finals = [tmp_path / name for name in ("a.jpg", "b.jpg", "c.jpg")]
    bodies = [picture(), b"garbage", picture()]
    parts = [final.with_name(final.name + ".part") for final in finals]
    group = [
        Result(part, final, body, Expected(24, 32)) for part, final, body in zip(parts, finals, bodies, strict=True)
    ]
    assert [type(outcome) for outcome in seal_group(group, sync=True)] == [Sealed, BadResult, Sealed]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jpg", "c.jpg"]
    assert (tmp_path / "c.jpg").read_bytes() == picture()
