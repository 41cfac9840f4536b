"""Ctrl-C: once leaves well, twice leaves at once, and a resume goes on where it was."""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from tests.acceptance.program import KEY, Finished, Running, command_lines, content, events, finish, portraits, until

_PICTURES = 12


@dataclass(frozen=True, slots=True)
class Interrupted:
    """A run on the local backend that had one Ctrl-C, and what was seen of it before."""

    out: Path
    key: str  # of its embedded service
    command_lines: list[str]
    during: Any  # what `status` said while it ran
    second: Finished  # another run in the same folder meanwhile
    ended: Finished
    took_s: float
    engine: Running

    @property
    def run(self) -> Path:
        return self.out / ".face-recovery"


@pytest.fixture(scope="module")
def interrupted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Interrupted]:
    inputs = portraits(tmp_path_factory.mktemp("interrupt") / "in", _PICTURES)
    out = inputs.with_name("out")
    engine = Running.start("restore", inputs, "--out", out, "--service-workers", "1", "--json", "--quiet")
    try:
        engine.until(lambda: events(out / ".face-recovery", "done"), "a first job is done")
        _hold_workers(engine)
        key, lines = _key_of(engine), command_lines()
        during = finish("status", out, "--json").summary
        second = finish("resume", out)
        began = time.monotonic()
        engine.signal(signal.SIGINT)
        ended = engine.ended()
        yield Interrupted(out, key, lines, during, second, ended, time.monotonic() - began, engine)
    finally:
        engine.stop()


def _hold_workers(engine: Running) -> None:
    """Stop the workers where they are, so that the run can't end before it is interrupted."""
    for each in engine.look():
        if "engine.service.worker" in each.command:
            os.kill(each.pid, signal.SIGSTOP)


def _key_of(engine: Running) -> str:
    """Return the key that the engine gave its service, from the service's environment."""
    (service,) = (each for each in engine.look() if "serve --child" in each.command)
    variables = Path(f"/proc/{service.pid}/environ").read_bytes().decode().split("\0")
    (key,) = (value for name, _, value in (each.partition("=") for each in variables) if name.endswith("SERVICE_KEY"))
    assert len(key) >= 32
    return key


def test_once_leaves_within_seconds(interrupted: Interrupted) -> None:
    """One SIGINT ends a run within 10 seconds, with exit code 4 and a summary that says how to go on."""
    assert (interrupted.ended.code, interrupted.ended.err) == (4, "")
    assert interrupted.took_s < 10.0
    summary = interrupted.ended.summary
    assert (summary["stopped"], summary["exit_code"]) == ("interrupted", 4)
    assert 1 <= summary["done"] < _PICTURES


def test_nothing_stays_behind(interrupted: Interrupted) -> None:
    """Service and workers end with the run."""
    until(lambda: not any(each.is_alive for each in interrupted.engine.family), "the service to end", limit_s=10.0)


def test_status_during_a_run(interrupted: Interrupted) -> None:
    """`status` works while the run goes on, and its numbers add up."""
    during = interrupted.during
    assert during["planned"] == _PICTURES
    assert during["done"] + during["failed"] + during["in_flight"] + during["waiting"] == _PICTURES
    assert during["done"] >= 1


def test_a_run_belongs_to_one_process(interrupted: Interrupted) -> None:
    """A second process on the same run folder is refused."""
    assert interrupted.second.code == 2
    assert "in use by another process" in interrupted.second.err


def test_the_key_is_nowhere(interrupted: Interrupted) -> None:
    """The embedded service's key stands in no command line, no file of the run and no output."""
    key = interrupted.key
    assert not [line for line in interrupted.command_lines if key in line]
    assert key.encode() not in content(interrupted.run)
    assert key not in interrupted.ended.out


def test_a_resume_finishes(interrupted: Interrupted) -> None:
    """The resume ends with every picture restored, and nothing sent twice."""
    before = finish("status", interrupted.out)
    assert "go on with: face-recovery resume" in before.out
    resumed = finish("resume", interrupted.out, "--json", "--quiet")
    assert (resumed.code, resumed.summary["done"], resumed.summary["resubmitted"]) == (0, _PICTURES, 0)
    assert len(events(interrupted.run, "intent")) == _PICTURES
    assert len([path for path in interrupted.out.iterdir() if path.is_file()]) == _PICTURES


@pytest.fixture
async def silent() -> AsyncIterator[tuple[str, asyncio.Event]]:
    """A backend that takes a picture and never answers; the event tells that one has begun to arrive."""
    arrived, over = asyncio.Event(), asyncio.Event()

    async def listing(_request: web.Request) -> web.Response:
        return web.json_response({"data": [], "pagination": {"next_cursor": None, "has_next_page": False}})

    async def submit(_request: web.Request) -> web.Response:
        arrived.set()
        await over.wait()
        return web.Response(status=500)

    app = web.Application()
    app.add_routes([web.get("/status", listing), web.post("/restore-gen/async", submit)])
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    listener = web.TCPSite(runner, "127.0.0.1", 0)
    await listener.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}", arrived
    finally:
        over.set()
        await runner.cleanup()


def _is_pending(engine: Running, number: int) -> bool:
    """Say whether a signal is still on its way: two of a kind that are pending together count once (signal(7))."""
    status = Path(f"/proc/{engine.process.pid}/status").read_text()
    (mask,) = (line.split()[1] for line in status.splitlines() if line.startswith("ShdPnd"))
    return bool(int(mask, 16) >> (number - 1) & 1)


async def test_twice_leaves_at_once(silent: tuple[str, asyncio.Event], tmp_path: Path) -> None:
    """A second SIGINT does not wait for uploads that hang, however long the first one would."""
    base_url, arrived = silent
    out = tmp_path / "out"
    env = {"FACE_RECOVERY_API_KEY": KEY, "FACE_RECOVERY_DRAIN_S": "600"}
    engine = Running.start(
        "restore", portraits(tmp_path / "in", 2), "-o", out, "--backend", base_url, "--json", "--quiet", env=env
    )
    try:
        async with asyncio.timeout(30.0):
            await arrived.wait()
        engine.signal(signal.SIGINT)
        await asyncio.to_thread(until, lambda: not _is_pending(engine, signal.SIGINT), "the first to be received")
        engine.signal(signal.SIGINT)
        ended = await asyncio.to_thread(engine.ended, limit_s=10.0)
    finally:
        engine.stop()
    assert ended.code == 4
    assert ended.summary["in_flight"] == 2
    assert os.listdir(out) == [".face-recovery"]  # noqa: PTH208 -- names are what is compared
