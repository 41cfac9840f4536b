"""Every typed call against the real service: what one side says the other understands."""

import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from engine.clock import SystemClock
from engine.remote.client import Client
from engine.remote.failures import Kind, RemoteError
from engine.remote.multipart import Upload
from engine.remote.prices import Question
from engine.remote.row import Progress, Row
from engine.remote.transport import AiohttpTransport
from engine.service.simulate.latency import Latency
from engine.service.simulate.simulation import Simulation
from tests.service import harness as service

FACES = Question(category="Restore", model="Faces", input_width=40, input_height=30)
QUICK = Simulation(latency=Latency(median_s=0.05, sigma=0.0))
SLOW = Simulation(latency=Latency(median_s=600.0, sigma=0.0))


@contextlib.asynccontextmanager
async def _client(folder: Path, simulation: Simulation = QUICK, key: str = service.KEY) -> AsyncIterator[Client]:
    async with (
        service.running(folder, simulation=simulation) as running,
        AiohttpTransport(max_connections=4, connect_timeout_s=10.0, stall_timeout_s=30.0) as transport,
    ):
        yield Client(transport, running.base + service.BASE, key, SystemClock())


def _upload(name: str = "run-000001.png", **fields: str) -> Upload:
    content = service.picture()
    return Upload.of({"model": "Faces", **fields}, name, Path("unused"), len(content), content)


async def _finished(client: Client, process_id: str) -> Row:
    async def row():
        found = await client.status(process_id)
        return None if found.is_going_on else found

    return await service.until(row, "the job to end")


async def test_a_job_from_its_submit_to_its_end(tmp_path):
    """Submitted, listed, fetched, its input too, and forgotten."""
    async with _client(tmp_path) as client:
        accepted = await client.submit(_upload())
        row = await _finished(client, accepted.process_id)
        assert (row.progress, row.filename) == (Progress.COMPLETED, "run-000001.png")
        assert [each.process_id async for each in client.rows()] == [accepted.process_id]
        assert (client.is_ours, client.is_simulated) == (True, True)
        link = await client.link(accepted.process_id)
        async with client.file(link.url, {}) as answer:
            assert len(await answer.read()) == row.output_bytes
        await client.forget(accepted.process_id)
        with pytest.raises(RemoteError) as caught:
            await client.status(accepted.process_id)
        assert caught.value.kind is Kind.GONE


async def test_all_finished_jobs_are_forgotten_at_once(tmp_path):
    """And counted."""
    async with _client(tmp_path) as client:
        for number in range(3):
            accepted = await client.submit(_upload(f"run-00000{number}.png"))
            await _finished(client, accepted.process_id)
        assert await client.forget_all() == 3
        assert [row async for row in client.rows()] == []


async def test_a_job_is_cancelled_once(tmp_path):
    """The second time it is too late."""
    async with _client(tmp_path, SLOW) as client:
        accepted = await client.submit(_upload())
        with pytest.raises(RemoteError) as caught:
            await client.link(accepted.process_id)
        assert caught.value.kind is Kind.NOT_YET
        await client.cancel(accepted.process_id)
        assert (await client.status(accepted.process_id)).progress is Progress.CANCELLED
        with pytest.raises(RemoteError) as caught:
            await client.cancel(accepted.process_id)
        assert caught.value.kind is Kind.NOT_YET


async def test_prices_one_by_one_and_in_bulk(tmp_path):
    """The same answers; a job that would be refused is told apart."""
    unknown = Question(category="Restore", model="No Such Model", input_width=40, input_height=30)
    async with _client(tmp_path) as client:
        single = await client.estimate(FACES)
        good, bad = await client.estimate_bulk([FACES, unknown])
        assert (good, good.credits) == (single, 1)
        assert "No Such Model" in bad.reason
        with pytest.raises(RemoteError) as caught:
            await client.estimate(unknown)
        assert caught.value.kind is Kind.BAD_JOB


async def test_the_balance_of_the_account(tmp_path):
    async with _client(tmp_path, SLOW) as client:
        before = await client.balance()
        await client.submit(_upload())
        after = await client.balance()
        assert after.reserved - before.reserved == 1
        assert 0 < after.available <= before.available


async def test_a_wrong_key_is_refused_everywhere(tmp_path):
    async with _client(tmp_path, key="wrong") as client:
        calls = (
            client.submit(_upload()),
            client.status("p"),
            client.listing(),
            client.link("p"),
            client.input_link("p"),
            client.forget("p"),
            client.forget_all(),
            client.cancel("p"),
            client.estimate(FACES),
            client.estimate_bulk([FACES]),
            client.balance(),
        )
        for call in calls:
            with pytest.raises(RemoteError) as caught:
                await call
            assert caught.value.kind is Kind.KEY_REFUSED
            assert "wrong-key" not in str(caught.value)


async def test_a_source_is_used_again(tmp_path):
    """Sent once, restored twice: the second submit names it."""
    async with service.running(tmp_path) as running:
        transport = AiohttpTransport(max_connections=4, connect_timeout_s=10.0, stall_timeout_s=30.0)
        async with transport:
            client = Client(transport, running.base + service.BASE, service.KEY, SystemClock())
            first = await client.submit(_upload())
            assert first.source_id
            again = Upload.of_fields({"model": "Faces", "source_id": first.source_id}, "run-000002.png")
            second = await client.submit(again)
            assert (await _finished(client, second.process_id)).filename == "run-000002.png"
            link = await client.input_link(second.process_id)
            async with client.file(link.url, {}) as answer:
                assert await answer.read() == service.picture()
            taken = Upload.of_fields({"model": "Faces", "source_url": link.url}, "run-000003.png")
            third = await client.submit(taken)
            assert (await _finished(client, third.process_id)).progress is Progress.COMPLETED
