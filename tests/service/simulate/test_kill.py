"""A simulated service that is killed goes on where it was."""

import asyncio
import contextlib
import signal
import sys

import aiohttp
import orjson

from engine.service.credits import read_ledger
from tests.acceptance.program import environment
from tests.service.harness import KEY, Running, picture, until


@contextlib.asynccontextmanager
async def _program(folder, *options):
    """The real command, killed with SIGKILL at the end of the block."""
    command = (sys.executable, "-m", "engine", "serve", "--simulate", "--child", "--folder", str(folder), "--port", "0")
    program = await asyncio.create_subprocess_exec(
        *command,
        *options,
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env=environment(FACE_RECOVERY_SERVICE_KEY=KEY),
    )
    try:
        base_url = orjson.loads(await program.stdout.readline())["base_url"]
        async with aiohttp.ClientSession(headers={"X-API-Key": KEY}) as session:
            yield Running(base_url.removesuffix("/image/v1"), session)
    finally:
        with contextlib.suppress(ProcessLookupError):
            program.send_signal(signal.SIGKILL)
        await program.wait()


async def test_a_kill_loses_nothing(tmp_path):
    """Jobs whose answer was never sent, running ones and waiting ones are all done after a kill, none of them twice."""
    folder, names = tmp_path / "service", [f"{number}.png" for number in range(12)]
    async with _program(folder, "--reset-after", "1", "--latency", "queue:2:1000:0") as service:
        for name in names:
            with contextlib.suppress(aiohttp.ClientConnectionError, ConnectionError):
                await service.post(picture(), filename=name)
                raise AssertionError("a submit was answered")
        before = (await service.call("GET", "/status"))[1]
        assert [row["status"] for row in before].count("Processing") == 2
    async with _program(folder, "--latency", "queue:2:0.01:0") as service:

        async def are_done():
            rows = (await service.call("GET", "/status"))[1]
            return rows if all(row["status"] == "Completed" for row in rows) else None

        rows = await until(are_done, "every job to be done")
    assert [(row["process_id"], row["filename"]) for row in rows] == [
        (row["process_id"], row["filename"]) for row in before
    ]
    ledger = read_ledger(folder)
    assert (ledger.accepted, ledger.completed, ledger.charged_credits, ledger.reserved_credits) == (12, 12, 12, 0)
    assert ledger.repeated_filenames == {}


async def test_what_is_done_stays_done(tmp_path):
    """After a kill a finished job has the same row and hands out the same bytes."""
    folder, seen = tmp_path / "service", []
    for _ in range(2):
        async with _program(folder, "--latency", "fixed:0") as service:
            process_id = seen[0][0]["process_id"] if seen else await service.submit()
            row = await service.reached(process_id, "Completed")
            got = await service.fetch((await service.link(process_id))["download_url"])
            seen.append((row, got.body, got.headers["ETag"], got.headers["Last-Modified"]))
    assert seen[0] == seen[1]
