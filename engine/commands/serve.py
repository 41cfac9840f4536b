"""`serve`: the embedded service, alone for a team or as the child of a `restore`."""

import asyncio
import logging
import os
import secrets
import sys
from collections.abc import Callable
from pathlib import Path

from engine.backend import SERVICE_KEY, check_backend
from engine.commands.terminal import print_json, print_line
from engine.service.server import ServiceSettings
from engine.service.server import serve as serve_until
from engine.shutdown import two_step

__all__ = ["serve"]


def serve(folder: Path, *, host: str, port: int, workers: int, is_child: bool) -> None:
    """Serve until a signal; as a child, until standard input ends, and say where on standard output in JSON."""
    check_backend("local")
    given = os.environ.pop(SERVICE_KEY, "")
    key = given or secrets.token_urlsafe(24)
    settings = ServiceSettings(
        folder=folder,
        keys=frozenset({key}),
        host=host,
        port=port,
        workers=workers or max(1, os.cpu_count() or 1),
    )

    def announce(address: str) -> None:
        base_url = f"{address}/image/v1"
        if is_child:
            print_json({"base_url": base_url})
            return
        print_line(f"serving {base_url}, jobs in {folder.absolute()}; Ctrl-C stops")
        if not given:
            print_line(f"key, made for this start (set {SERVICE_KEY} to choose one): {key}")

    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    asyncio.run(_serve(settings, announce, is_child=is_child))


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
