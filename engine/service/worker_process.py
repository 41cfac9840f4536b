"""The service's end of one worker: start it, hand it a request, notice its death, kill it."""

import asyncio
import contextlib
import logging
import os
from collections.abc import Callable, Sequence
from typing import Self

from engine.journal.line import Record
from engine.service.submission import Finished
from engine.service.worker_protocol import decode, encode

__all__ = ["JobFailed", "MachineTrouble", "WorkerDied", "WorkerProcess"]

_log = logging.getLogger(__name__)

START_LIMIT_S = 120.0  # loading a 300 MB model from a cold disk takes tens of seconds
_LAST_WORDS_S = 1.0
_LINE_LIMIT_BYTES = 1024 * 1024
_THREAD_VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
# Threads that spin while they wait for each other take the cores from those they wait for: measured on two busy cores,
# the upscaler with two threads is three times as fast when they sleep.
_WAITING = {"OMP_WAIT_POLICY": "passive"}


class WorkerDied(Exception):
    """The worker ended, or spoke nonsense, before it answered; says how in one line."""


class MachineTrouble(Exception):
    """No worker can be had, or its results can't be written: no job is to blame. Says why in one line."""


class JobFailed(Exception):
    """The worker is well; the picture can't be restored. Says why in one line."""


class WorkerProcess:
    """One running worker, for one request at a time."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._errors = asyncio.create_task(self._log_errors(), name=f"worker {process.pid} stderr")

    def __repr__(self) -> str:
        return f"<WorkerProcess {self._process.pid}, {'running' if self.is_alive else 'ended'}>"

    @property
    def is_alive(self) -> bool:
        return self._process.returncode is None

    @classmethod
    async def start(cls, command: Sequence[str], threads: int) -> Self:
        """Return a worker that said it is ready; raises MachineTrouble: it has met no job yet."""
        pipe = asyncio.subprocess.PIPE
        environment = {**_WAITING, **os.environ, **dict.fromkeys(_THREAD_VARIABLES, str(threads))}
        try:
            process = await asyncio.create_subprocess_exec(
                *command, stdin=pipe, stdout=pipe, stderr=pipe, limit=_LINE_LIMIT_BYTES, env=environment
            )
        except OSError as error:
            raise MachineTrouble(f"the worker can't be started: {error.strerror or error}") from error
        worker = cls(process)
        try:
            async with asyncio.timeout(START_LIMIT_S):
                await worker._greet()
        except TimeoutError:
            await worker.kill()
            raise MachineTrouble(f"the worker was not ready after {START_LIMIT_S:.0f} s") from None
        except WorkerDied as death:
            await worker.kill()
            raise MachineTrouble(str(death)) from None
        except BaseException:
            await worker.kill()
            raise
        return worker

    async def restore(self, request: Record, on_progress: Callable[[int], None]) -> Finished:
        """Have `request` done; raises JobFailed, MachineTrouble or WorkerDied.

        After WorkerDied only `kill` may follow. A worker that ended before the request reached it is MachineTrouble.
        """
        stdin = self._process.stdin
        assert stdin is not None  # noqa: S101 - it was asked for as a pipe
        try:
            stdin.write(encode(request))
            await stdin.drain()
        except ConnectionError:
            raise MachineTrouble(await self._death()) from None
        while True:
            message = await self._hear()
            match message:
                case {"event": "progress", "percent": int(percent)}:
                    on_progress(percent)
                case {"event": "failed", "message": str(text)}:
                    raise JobFailed(text)
                case {"event": "machine", "message": str(text)}:
                    raise MachineTrouble(text)
                case {"event": "finished"}:
                    return _finished(message)
                case _:
                    raise WorkerDied("the worker spoke nonsense")

    async def kill(self) -> None:
        """End the process now, whatever it does, and wait until it is gone. Safe to call twice."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        await self._process.wait()
        # A child of the worker may hold its standard error open for longer.
        await asyncio.wait([self._errors], timeout=_LAST_WORDS_S)
        self._errors.cancel()

    async def _greet(self) -> None:
        match await self._hear():
            case {"event": "ready"}:
                return
            case {"event": "failed", "message": str(text)}:
                raise WorkerDied(text)
        raise WorkerDied("the worker spoke nonsense")

    async def _hear(self) -> Record:
        stdout = self._process.stdout
        assert stdout is not None  # noqa: S101 - it was asked for as a pipe
        try:
            line = await stdout.readline()
            if line.endswith(b"\n"):
                return decode(line)
        except ValueError:
            raise WorkerDied("the worker spoke nonsense") from None
        raise WorkerDied(await self._death())

    async def _death(self) -> str:
        """Say how the process ended. A closed output is an end: what hangs on is killed."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_LAST_WORDS_S):
                await self._process.wait()
        code = self._process.returncode
        if code is None:
            return "the worker closed its output"
        return f"the worker was ended by signal {-code}" if code < 0 else f"the worker ended with code {code}"

    async def _log_errors(self) -> None:
        stderr = self._process.stderr
        assert stderr is not None  # noqa: S101 - it was asked for as a pipe
        while text := await stderr.read(4096):
            for line in text.decode(errors="replace").splitlines():
                _log.warning("worker %d: %s", self._process.pid, line)


def _finished(message: Record) -> Finished:
    try:
        return Finished.from_record(message)
    except (KeyError, TypeError):
        raise WorkerDied("the worker spoke nonsense") from None
