"""Results from memory are handed out as files are."""

import pytest

from tests.service.harness import running

_SIZE = 5000


@pytest.fixture
async def result(simulated):
    """A completed job's link, and the service."""
    async with simulated() as service:
        process_id = await service.submit()
        await service.reached(process_id, "Completed")
        yield service, await service.link(process_id)


CASES = [
    ({}, 200, None, slice(None)),
    ({"Range": "bytes=0-0"}, 206, "bytes 0-0/5000", slice(0, 1)),
    ({"Range": "bytes=1000-"}, 206, "bytes 1000-4999/5000", slice(1000, None)),
    ({"Range": "bytes=4000-9999"}, 206, "bytes 4000-4999/5000", slice(4000, None)),
    ({"Range": "bytes=-7"}, 206, "bytes 4993-4999/5000", slice(-7, None)),
    ({"Range": "bytes=-9000"}, 206, "bytes 0-4999/5000", slice(None)),
    ({"Range": "bytes=5000-"}, 416, "bytes */5000", slice(0, 0)),
    ({"Range": "bytes=7-2"}, 416, "bytes */5000", slice(0, 0)),
    ({"Range": "bytes=10-", "If_Range": "TAG"}, 206, "bytes 10-4999/5000", slice(10, None)),
    ({"Range": "bytes=10-", "If_Range": "DATE"}, 206, "bytes 10-4999/5000", slice(10, None)),
    ({"Range": "bytes=10-", "If_Range": '"another"'}, 200, None, slice(None)),
    ({"Range": "bytes=10-", "If_Range": "Sun, 06 Nov 1994 08:49:37 GMT"}, 200, None, slice(None)),
    ({"Range": "bytes=10-", "If_Range": "Sun, 06 Nov 99999 08:49:37 GMT"}, 200, None, slice(None)),
    ({"If_None_Match": "TAG"}, 304, None, slice(0, 0)),
    ({"If_Match": '"another"'}, 412, None, slice(0, 0)),
]


@pytest.mark.parametrize(("headers", "status", "content_range", "part"), CASES)
async def test_ranges_and_conditions(result, headers, status, content_range, part):
    """Each range gives just its bytes, and a condition that names another picture gives the whole one."""
    service, link = result
    whole = await service.fetch(link["download_url"])
    current = {"TAG": whole.headers["ETag"], "DATE": whole.headers["Last-Modified"]}
    got = await service.fetch(link["download_url"], **{name: current.get(text, text) for name, text in headers.items()})
    assert (got.status, got.headers.get("Content-Range"), got.body) == (status, content_range, whole.body[part])


@pytest.mark.parametrize("headers", [headers for headers, *_ in CASES if "DATE" not in headers.values()])
async def test_a_result_is_answered_as_a_file_is(result, tmp_path, headers):
    """Status, Content-Range and length are those of the service with a disk, for a picture of its own."""
    async with running(tmp_path / "real") as real:
        process_id = await real.submit()
        await real.reached(process_id, "Completed")
        path = next(path for path in (tmp_path / "real" / "outputs").rglob("*") if path.is_file())
        path.write_bytes(bytes(_SIZE))
        seen = [await _seen(*each, headers) for each in ((real, await real.link(process_id)), result)]
    assert seen[0] == seen[1]


async def _seen(service, link, headers):
    tag = (await service.fetch(link["head_url"], method="HEAD")).headers["ETag"]
    asked = {name: tag if text == "TAG" else text for name, text in headers.items()}
    got = await service.fetch(link["download_url"], **asked)
    return got.status, got.headers.get("Content-Range"), len(got.body), got.headers["Content-Type"]


async def test_head_tells_the_size_and_sends_nothing(result):
    """HEAD has the headers of the whole picture and no body; a HEAD link is no GET link."""
    service, link = result
    got = await service.fetch(link["head_url"], method="HEAD")
    assert (got.status, got.headers["Content-Length"], got.body) == (200, str(_SIZE), b"")
    assert (got.headers["Accept-Ranges"], got.headers["Content-Type"]) == ("bytes", "image/jpeg")
    assert (await service.fetch(link["head_url"])).status == 403


async def test_a_large_result_comes_whole(simulated):
    """A result of many pieces arrives as its hash says, and its tail can be had alone."""
    async with simulated(result_bytes=9_000_001) as service:
        row = await service.reached(await service.submit(output_format="png"), "Completed")
        url = (await service.link(row["process_id"]))["download_url"]
        whole, tail = await service.fetch(url), await service.fetch(url, Range="bytes=8000000-")
    assert (len(whole.body), tail.body) == (row["output_bytes"], whole.body[8_000_000:])
