"""`serve`: the embedded service, alone for a team or as the child of a `restore`; or a simulation of it."""

import asyncio
import logging
import os
import secrets
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from engine.backend import SERVICE_KEY, check_backend
from engine.commands.event_loop import runner
from engine.commands.terminal import print_json, print_line
from engine.errors import UsageError
from engine.service.server import ServiceSettings
from engine.service.server import serve as serve_until
from engine.service.simulate.simulation import Simulation, load_simulation
from engine.shutdown import two_step

__all__ = ["serve", "simulation_of"]


def simulation_of(options: Mapping[str, Any], *, is_simulated: bool, file: Path | None) -> Simulation | None:
    """Return what is to be simulated, None for nothing; None in `options` means not given. Raises UsageError."""
    if is_simulated or file is not None:
        return load_simulation(options, file)
    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value is not None]
    if given:
        raise UsageError(f"{', '.join(given)}: only with --simulate or --simulation FILE")
    return None


def serve(folder: Path, *, host: str, port: int, workers: int, is_child: bool, simulation: Simulation | None) -> None:
    """Serve until a signal; as a child, until standard input ends, and say where on standard output in JSON."""
    if simulation is None:
        check_backend("local")
    given = os.environ.pop(SERVICE_KEY, "")
    key = given or secrets.token_urlsafe(24)
    settings = ServiceSettings(
        folder=folder,
        keys=frozenset({key}),
        host=host,
        port=port,
        workers=workers or max(1, os.cpu_count() or 1),
        simulation=simulation,
    )

    def announce(address: str) -> None:
        base_url = f"{address}/image/v1"
        if is_child:
            print_json({"base_url": base_url})
            return
        what = "serving" if simulation is None else "simulated (no picture is restored): serving"
        print_line(f"{what} {base_url}, jobs in {folder.absolute()}; Ctrl-C stops")
        if not given:
            print_line(f"key, made for this start (set {SERVICE_KEY} to choose one): {key}")

    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    with runner() as loop:
        loop.run(_serve(settings, announce, is_child=is_child))


async def _serve(settings: ServiceSettings, announce: Callable[[str], None], *, is_child: bool) -> None:
    stop = asyncio.Event()
    work = asyncio.create_task(serve_until(settings, announce, stop))
    watcher = asyncio.create_task(_stop_with_stdin(stop)) if is_child else None
    with two_step(stop.set, work.cancel):
        await work
    if watcher is not None:
        watcher.cancel()


async def _stop_with_stdin(stop: asyncio.Event) -> None:
    """The parent holds the other end of standard input: when the parent ends, so does the service."""
    reader = asyncio.StreamReader()
    await asyncio.get_running_loop().connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), sys.stdin)
    await reader.read()
    stop.set()
