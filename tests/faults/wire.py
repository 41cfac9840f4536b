"""A bad line: a relay before a real simulated service, that breaks the exchanges it is told to, byte by byte."""

import asyncio
import contextlib
import random
import socket
import struct
from collections import deque
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
from aiohttp import web

from engine.clock import SystemClock
from engine.inputs.scan import Sizing
from engine.job.parameters import FaceRecovery
from engine.pipeline import opening
from engine.pipeline.closing import Closing
from engine.pipeline.order import Order
from engine.pipeline.run import run
from engine.pipeline.run_folder import RunFolder
from engine.pipeline.summary import Summary
from engine.remote.endpoint import Endpoint
from engine.remote.transport import AiohttpTransport
from engine.service.credits import Ledger, read_ledger
from engine.service.simulate.simulation import Simulation
from engine.settings import Settings
from tests.faults.breaks import Break
from tests.pipeline.harness import picture
from tests.service.harness import KEY, running

STALL_S = 0.3
_NO_LINGER = struct.pack("ii", 1, 0)


@dataclass
class BadLine:
    """One run over a relay that breaks the first exchanges of a call as it was told; None lets one pass."""

    folder: Path
    breaks: dict[str, deque[Break | None]] = field(default_factory=dict)
    exchanges: list[str] = field(default_factory=list)
    _silent: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def out(self) -> Path:
        return self.folder / "out"

    @property
    def ledger(self) -> Ledger:
        return read_ledger(self.folder / "service")

    async def restore(self, pictures: int, *, result_bytes: int = 60_000) -> Summary:
        """Restore so many pictures, fresh, with everything real but the relay."""
        inputs = self.folder / "in"
        inputs.mkdir()
        for number in range(pictures):
            (inputs / f"p{number}.jpg").write_bytes(picture(color=(number, 90, 90)))
        simulation = Simulation.model_validate({"latency": "fixed:0.05", "result_bytes": result_bytes})
        service = running(self.folder / "service", simulation=simulation)
        async with service as served, self._relay(served.base) as address:
            return await self._run(inputs, f"{address}/image/v1")

    async def _run(self, inputs: Path, base_url: str) -> Summary:
        settings = {"backend": base_url, "sync": False, "settle_s": 0.3, "backoff_first_s": 0.05, "poll_max_s": 1.0}
        order = Order(
            run_id="0123456789",
            inputs=(str(inputs),),
            out=self.out,
            sizing=Sizing(FaceRecovery()),
            settings=Settings.model_validate(settings),
        )
        transport = AiohttpTransport(max_connections=20, connect_timeout_s=5.0, stall_timeout_s=STALL_S)
        with opening.begin(order, RunFolder.beside(self.out, None)) as opened:
            async with transport:
                return await run(
                    opened,
                    Endpoint(name="relay", base_url=base_url, key=KEY),
                    transport=transport,
                    clock=SystemClock(),
                    draw=random.Random(1).random,
                    closing=Closing(),
                    on_start=lambda _view: None,
                )

    @contextlib.asynccontextmanager
    async def _relay(self, service: str) -> AsyncIterator[str]:
        async with aiohttp.ClientSession(auto_decompress=False) as session:
            app = web.Application(client_max_size=10**8)

            async def relay(request: web.Request) -> web.StreamResponse:
                return await self._pass_on(request, session, service)

            app.router.add_route("*", "/{path:.*}", relay)
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
            await runner.setup()
            try:
                await web.TCPSite(runner, "127.0.0.1", 0).start()
                yield f"http://127.0.0.1:{runner.addresses[0][1]}"
            finally:
                self._silent.set()
                await runner.cleanup()

    async def _pass_on(self, request: web.Request, session: aiohttp.ClientSession, service: str) -> web.StreamResponse:
        call = _call(request)
        self.exchanges.append(call)
        queue = self.breaks.get(call)
        fault = queue.popleft() if queue else None
        head, body, whole = b"", b"", web.Response(status=500)
        sent = await request.read()
        if fault is None or fault.is_done:
            head, body, whole = await _ask(request, sent, session, service)
        if fault is None:
            return whole
        transport = request.transport
        assert isinstance(transport, asyncio.Transport)
        fault.send(head, body, transport.write)
        if fault.end == "hang":
            await self._silent.wait()
        if fault.end == "reset":
            transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            transport.abort()
        transport.close()
        return whole  # to nobody


async def _ask(
    request: web.Request, sent: bytes, session: aiohttp.ClientSession, service: str
) -> tuple[bytes, bytes, web.Response]:
    """Return the service's answer: head and body as they would go over the line, and as a whole."""
    headers = {name: value for name, value in request.headers.items() if name != "Content-Length"}
    async with session.request(request.method, service + request.path_qs, headers=headers, data=sent or None) as answer:
        body = await answer.read()
        kept = {name: value for name, value in answer.headers.items() if name not in ("Transfer-Encoding", "Server")}
        kept["Content-Length"] = str(len(body))
        lines = [f"HTTP/1.1 {answer.status} {answer.reason}", *(f"{name}: {value}" for name, value in kept.items())]
        head = "\r\n".join([*lines, "", ""]).encode()
        return head, body, web.Response(status=answer.status, headers=kept, body=body)


def _call(request: web.Request) -> str:
    if request.method == "POST":
        return "submit"
    if request.path.startswith("/image/v1/download/"):
        return "link"
    if request.path.startswith("/image/v1/status"):
        return "listing" if request.path.endswith("/status") else "status"
    return "file"
