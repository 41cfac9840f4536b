"""Each fault as a plain client sees it."""

import asyncio

import aiohttp
import pytest

from engine.service.credits import read_ledger
from tests.service.harness import KEY, picture

NAMES = [f"{number}.png" for number in range(24)]


async def _outcome(service, name):
    """Return the status of a submit under `name`, or "lost" when the connection broke."""
    try:
        status, _ = await service.post(picture(), filename=name)
    except (aiohttp.ClientConnectionError, ConnectionError):
        return "lost"
    return status


async def test_nothing_goes_wrong_by_default(simulated):
    """Without being told to, no submit, look or download fails."""
    async with simulated() as service:
        assert {await _outcome(service, name) for name in NAMES} == {200}


async def test_a_rate_is_kept_and_says_when(simulated):
    """What is over the burst is 429 with Retry-After; health and files are not counted."""
    async with simulated(rate=0.001, rate_burst=4, old_rows=1) as service:
        stranger = (await service.call("GET", "/status"))[1][0]["process_id"]
        link = (await service.link(stranger))["download_url"]
        await service.submit()
        assert (await service.call("GET", "/status"))[0] == 200
        async with service.session.get(service.base + "/image/v1/status") as refused:
            assert refused.status == 429
            assert 990 <= int(refused.headers["Retry-After"]) <= 1000
        assert (await service.post(picture()))[0] == 429
        assert [(await service.fetch(link)).status for _ in range(9)] == [200] * 9
        assert (await service.call("GET", "//health"))[0] == 200


async def test_a_rate_can_keep_silent_about_when(simulated):
    """Without Retry-After the answer is 429 and nothing more."""
    async with simulated(rate_steps="0:0.001", retry_after=False) as service:
        assert (await service.call("GET", "/status"))[0] == 200
        async with service.session.get(service.base + "/image/v1/status") as refused:
            assert (refused.status, "Retry-After" in refused.headers) == (429, False)


async def test_server_errors_accept_nothing(simulated, tmp_path):
    """A share of submits is 500, 502 or 503 and leaves no job; a repeat falls anew, and the seed repeats it all."""
    seen = []
    for folder in ("one", "two"):
        async with simulated(folder=folder, server_errors=0.5) as service:
            outcomes = [await _outcome(service, name) for name in NAMES]
            again = [await _outcome(service, name) for name in NAMES]
        assert {200, 500, 502, 503} == {*outcomes}
        assert read_ledger(tmp_path / folder).accepted == [*outcomes, *again].count(200)
        seen.append((outcomes, again))
    assert seen[0] == seen[1]
    assert seen[0][0] != seen[0][1]


async def test_server_errors_befall_every_call(simulated):
    """Looks, links and listings fail in their share, too; health does not."""
    async with simulated(server_errors=1.0) as service:
        for path in ("/status", "/status/x", "/download/x"):
            assert (await service.call("GET", path))[0] in (500, 502, 503)
        assert (await service.call("GET", "//health"))[0] == 200


async def test_reset_before_accepts_nothing(simulated, tmp_path):
    """A share of submits loses its connection, and just those are not in the ledger."""
    async with simulated(reset_before=0.5) as service:
        outcomes = [await _outcome(service, name) for name in NAMES]
    assert {*outcomes} == {200, "lost"}
    assert read_ledger(tmp_path / "service").accepted == outcomes.count(200)


async def test_reset_after_has_accepted(simulated, tmp_path):
    """The connection is lost, but the job is in the ledger, in the listing, and is done."""
    async with simulated(reset_after=0.5) as service:
        outcomes = [await _outcome(service, name) for name in NAMES]
        listed = {row["filename"]: row["process_id"] for row in (await service.call("GET", "/status"))[1]}
        assert {*outcomes} == {200, "lost"}
        assert {*listed} == {*NAMES}
        for process_id in listed.values():
            await service.reached(process_id, "Completed")
    ledger = read_ledger(tmp_path / "service")
    assert (ledger.accepted, ledger.completed, ledger.repeated_filenames) == (24, 24, {})


async def _completed(service):
    row = await service.reached(await service.submit(), "Completed")
    return row, (await service.link(row["process_id"]))["download_url"]


async def test_truncated_downloads_end_half_way(simulated):
    """The length is announced in full and half of it comes; a range of it ends half way, too."""
    async with simulated(truncated_downloads=1.0) as service:
        _, url = await _completed(service)
        for headers, size in (({}, 2500), ({"Range": "bytes=1000-"}, 2000)):
            async with service.session.get(url, headers=headers) as answer:
                assert answer.content_length == 2 * size
                assert len(await answer.content.readexactly(size)) == size
                with pytest.raises(aiohttp.ClientPayloadError):
                    await answer.content.readany()


async def test_a_download_that_fails_may_succeed_later(simulated):
    """The share falls anew for each attempt, so a client that goes on gets its result."""
    async with simulated(expired_links=0.5) as service:
        _, url = await _completed(service)
        statuses = [(await service.fetch(url)).status for _ in range(20)]
    assert {*statuses} == {200, 403}


async def test_slow_downloads_come_in_small_pieces(simulated):
    """The first bytes are there while the last ones are not yet sent; in the end it is the whole result."""
    async with simulated(slow_downloads=1.0, slow_bytes_per_s=50_000, result_bytes=20_000) as service:
        row, url = await _completed(service)
        async with service.session.get(url) as answer:
            first = await answer.content.readany()
            rest = await answer.content.read()
    assert len(first) < row["output_bytes"] // 2
    assert len(first) + len(rest) == row["output_bytes"]


async def test_a_lost_connection_is_the_only_one(simulated):
    """Other clients of the service do not notice when one loses its connection."""
    async with simulated(reset_before=1.0) as service, aiohttp.ClientSession(headers={"X-API-Key": KEY}) as other:
        lost = asyncio.gather(*(_outcome(service, name) for name in NAMES))
        for _ in NAMES:
            async with other.get(service.base + "/image/v1/status") as answer:
                assert answer.status == 200
        assert {*await lost} == {"lost"}
