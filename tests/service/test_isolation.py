"""Two clients of one service: to each of them the other's jobs, files and credits do not exist."""

import time

import aiohttp
import pytest

from engine.service.key_file import KeyFile, LimitEntries
from tests.service.harness import Running, picture, running


@pytest.fixture
async def two(tmp_path):
    """Return the service as the operator's key and as a named one see it, and a finished job of the former."""
    folder = tmp_path / "service"
    _, text = KeyFile(folder).add("another", time.time(), limits=LimitEntries())
    async with running(folder) as mine, aiohttp.ClientSession(headers={"X-API-Key": text}) as session:
        job = await mine.reached(await mine.submit(), "Completed")
        yield mine, Running(mine.base, session), job


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/status/{id}"),
        ("GET", "/download/{id}"),
        ("GET", "/download/input/{id}"),
        ("DELETE", "/cancel/{id}"),
        ("DELETE", "/status/{id}"),
    ],
)
async def test_anothers_job_is_not_there(two, method, path):
    """Every call that names it is answered 404, in the words used for a job that never was; and it stays."""
    mine, other, job = two
    refused = await other.call(method, path.format(id=job["process_id"]))
    assert refused == await other.call(method, path.format(id="no-such-job"))
    assert refused[0] == 404
    assert (await mine.row(job["process_id"]))["status"] == "Completed"


async def test_anothers_jobs_are_in_no_list_and_survive_its_clearing(two):
    """Listings, paginated or not, and 'delete all' are about one's own jobs."""
    mine, other, job = two
    assert await other.call("GET", "/status") == (200, [])
    assert (await other.call("GET", "/status?paginated=true"))[1]["data"] == []
    assert (await other.call("GET", "/status?paginated=true&cursor=999999"))[1]["data"] == []
    assert (await other.call("DELETE", "/status"))[1] == {"deleted_count": 0}
    assert (await mine.row(job["process_id"]))["status"] == "Completed"


async def test_anothers_input_is_no_source(two):
    """A source_id opens the input to its owner only, and the refusal is that for an id that never was."""
    mine, other, job = two
    refused = await other.post(source_id=job["source_id"])
    assert refused == await other.post(source_id="no-such-source")
    assert refused[0] == 400
    assert (await mine.post(source_id=job["source_id"]))[0] == 200


async def test_a_link_can_not_be_turned_to_another_key(two):
    """A link names its key, and with another one in its place it proves nothing."""
    mine, other, job = two
    theirs = (await other.post(picture()))[1]["process_id"]
    await other.reached(theirs, "Completed")
    link = (await other.link(theirs))["download_url"]
    own = (await mine.link(job["process_id"]))["download_url"]
    key = link.partition("key=")[2].partition("&")[0]
    assert (await mine.fetch(link)).status == 200, "whoever holds a link may use it"
    assert (await mine.fetch(own.replace("key=", f"key={key}"))).status == 403
    assert (await mine.fetch(link.replace(theirs, job["process_id"]))).status == 403
