"""A simulated service is the service: the same calls, the same answers, no disk and no face model behind them."""

import hashlib
import io

import pytest
from PIL import Image

from engine.service.credits import read_ledger
from tests.service.harness import picture


@pytest.mark.parametrize(("asked", "pillow"), [("jpeg", "JPEG"), ("png", "PNG"), ("tif", "TIFF")])
async def test_a_job_ends_with_what_its_row_says(simulated, asked, pillow):
    """The result is of the size and format asked for, and bytes, hash and pixels are those of the status row."""
    async with simulated() as service:
        process_id = await service.submit(output_format=asked, output_width="80")
        row = await service.reached(process_id, "Completed")
        got = await service.fetch((await service.link(process_id))["download_url"])
    with Image.open(io.BytesIO(got.body)) as image:
        assert (image.format, *image.size) == (pillow, row["output_width"], row["output_height"]) == (pillow, 80, 60)
    assert (got.status, len(got.body)) == (200, row["output_bytes"])
    assert hashlib.sha256(got.body).hexdigest() == row["output_sha256"]
    assert (row["credits"], row["progress"], row["faces"]) == (1, 100, 1)


async def test_every_answer_says_that_it_is_simulated(simulated):
    """Answers, errors and files carry X-Simulated, and /health says so."""
    async with simulated() as service:
        process_id = await service.submit()
        await service.reached(process_id, "Completed")
        link = (await service.link(process_id))["download_url"]
        answers = [
            await service.fetch(url)
            for url in (link, link + "0", service.base + "/health", service.base + "/image/v1/status")
        ]
        health = await service.health()
    assert [each.status for each in answers] == [200, 403, 200, 401]
    assert all(each.headers["X-Simulated"] == "true" for each in answers)
    assert (health["simulated"], health["queued"], health["running"]) == (True, 0, 0)


@pytest.mark.parametrize(
    ("data", "fields", "status"),
    [
        (b"GIF89a" + bytes(50), {}, 415),
        (b"\x89PNG\r\n\x1a\n", {}, 400),
        (picture(size=(32_001, 1)), {}, 413),
        (None, {}, 400),
        (picture(), {"strength": "2"}, 422),
        (picture(), {"model": "Cats"}, 400),
    ],
)
async def test_uploads_are_checked_as_ever(simulated, tmp_path, data, fields, status):
    """What the service refuses its simulation refuses, with the same status, and nothing is accepted."""
    async with simulated() as service:
        assert (await service.post(data, **fields))[0] == status
    assert read_ledger(tmp_path / "service").accepted == 0


async def test_inputs_are_not_kept(simulated, tmp_path):
    """No picture lies in the folder, and the link to an input leads nowhere."""
    async with simulated() as service:
        process_id = await service.submit()
        await service.reached(process_id, "Completed")
        link = (await service.link(process_id, "input/"))["download_url"]
        assert (await service.fetch(link)).status == 404
    kept = {path.name for path in (tmp_path / "service").rglob("*")}
    assert kept <= {"journal.jsonl", "lock", "secret", "webhooks.jsonl"}


async def test_a_queue_shows_who_waits_and_cancels(simulated):
    """With one worker the second job is Pending; both can be cancelled, once, and are counted no more."""
    async with simulated(latency="queue:1:1000:0") as service:
        first, second = await service.submit(), await service.submit()
        assert [(await service.row(each))["status"] for each in (first, second)] == ["Processing", "Pending"]
        assert (await service.health())["queued"] == 1
        for process_id in (second, first):
            assert (await service.call("DELETE", f"/cancel/{process_id}"))[0] == 204
            assert (await service.call("DELETE", f"/cancel/{process_id}"))[0] == 409
        health = await service.health()
        assert (health["queued"], health["running"], health["workers"]) == (0, 0, 1)


async def test_the_eta_is_the_forecast_times_the_factor(simulated):
    """A submit is told median plus queue, multiplied; noise moves it, by the filename alone."""
    async with simulated(latency="queue:1:100:0", eta_factor=0.5) as service:
        rows = [await service.row(await service.submit()) for _ in range(3)]
        assert [row["eta"] - row["creation_time"] for row in rows] == pytest.approx([50, 100, 150], abs=1)
        assert (await service.call("POST", "/estimate", json=_QUESTION))[1]["duration"] == 100
    told = []
    for folder in ("one", "two"):
        async with simulated(folder=folder, latency="fixed:100", eta_noise=1.0) as service:
            for name in ("a.png", "b.png"):
                _, answer = await service.post(picture(), filename=name)
                row = await service.row(answer["process_id"])
                told.append(row["eta"] - row["creation_time"])
    assert told[:2] == pytest.approx(told[2:], abs=1)
    assert abs(told[0] - told[1]) > 1


_QUESTION = {"model": "Faces", "input_width": 100, "input_height": 100}


async def test_a_run_is_repeated_by_its_seed(simulated):
    """The same filenames fail under the same seed, in whatever order they come, and others under another one."""

    async def failed(folder, names, seed):
        async with simulated(folder=folder, failed_jobs=0.5, seed=seed) as service:
            ids = {name: (await service.post(picture(), filename=name))[1]["process_id"] for name in names}
            rows = [await service.reached(process_id, "Completed", "Failed") for process_id in ids.values()]
        assert all(row["message"] == "the simulation has this job fail" for row in rows if row["status"] == "Failed")
        return {row["filename"] for row in rows if row["status"] == "Failed"}

    names = [f"{number}.png" for number in range(24)]
    first = await failed("one", names, 1)
    assert 0 < len(first) < 24
    assert await failed("two", names[::-1], 1) == first
    assert await failed("three", names, 2) != first


async def test_finished_jobs_can_be_forgotten(simulated):
    """A deleted job is gone from the listing, and only it."""
    async with simulated() as service:
        first, second = [(await service.reached(await service.submit(), "Completed"))["process_id"] for _ in range(2)]
        assert (await service.call("DELETE", f"/status/{first}"))[0] == 204
        assert [row["process_id"] for row in (await service.call("GET", "/status"))[1]] == [second]
        assert (await service.call("DELETE", "/status"))[1] == {"deleted_count": 1}
