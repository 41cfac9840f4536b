"""`serve`: the embedded service, alone for a team or as the child of a `restore`; or a simulation of it."""

import asyncio
import ipaddress
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
from engine.service.key_file import read_keys
from engine.service.listener import EVERYWHERE
from engine.service.server import serve as serve_until
from engine.service.settings import ServiceSettings
from engine.service.settings_file import load_service_settings
from engine.service.simulate.simulation import Simulation, load_simulation
from engine.shutdown import two_step

__all__ = ["serve", "simulation_of"]

_CHILD_CONNECTIONS = 10_000


def simulation_of(options: Mapping[str, Any], *, is_simulated: bool, file: Path | None) -> Simulation | None:
    """Return what is to be simulated, None for nothing; None in `options` means not given. Raises UsageError."""
    if is_simulated or file is not None:
        return load_simulation(options, file)
    given = [f"--{name.replace('_', '-')}" for name, value in options.items() if value is not None]
    if given:
        raise UsageError(f"{', '.join(given)}: only with --simulate or --simulation FILE")
    return None


def serve(
    folder: Path, options: Mapping[str, Any], config: Path | None, *, is_child: bool, simulation: Simulation | None
) -> None:
    """Serve until a signal; as a child, until standard input ends, and say where on standard output in JSON.

    `options` are named like the settings of `config/service.toml`; None means not given. Without a key in the
    environment one is made and printed, unless the folder has named keys.
    """
    if simulation is None:
        check_backend("local")
    given = os.environ.pop(SERVICE_KEY, "")
    has_named = bool(read_keys(folder))
    made = "" if given or has_named else secrets.token_urlsafe(24)
    keys = frozenset(key for key in (given, made) if key)
    if is_child:  # all of its connections are the engine's, which has limits of its own
        options = {**options, "max_connections": _CHILD_CONNECTIONS}
    settings = load_service_settings(options, config, folder=folder, keys=keys, simulation=simulation)
    _warn_of_open_address(settings)

    def announce(address: str) -> None:
        base_url = f"{address}/image/v1"
        if is_child:
            print_json({"base_url": base_url})
            return
        what = "serving" if simulation is None else "simulated (no picture is restored): serving"
        print_line(f"{what} {base_url}, jobs in {folder.absolute()}; Ctrl-C stops")
        if made:
            print_line(f"key, made for this start (set {SERVICE_KEY} to choose one): {made}")

    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    if is_child:  # its one client is the engine, which polls: a line a call would fill the disk and tell nothing
        logging.getLogger("engine.service.access").setLevel(logging.WARNING)
    with runner() as loop:
        loop.run(_serve(settings, announce, is_child=is_child))


def _warn_of_open_address(settings: ServiceSettings) -> None:
    if settings.public_url is None and settings.host in EVERYWHERE:
        print_line(
            "warning: links in webhooks begin with this machine's host name: give --public-url if receivers know it by "
            "another",
            is_error=True,
        )
    if settings.tls is None and settings.public_url is None and not _is_loopback(settings.host):
        print_line(
            f"warning: {settings.host} is reached from other machines, and keys and pictures cross the network in the "
            "clear: give --tls-cert and --tls-key, or --public-url where a proxy in front has TLS",
            is_error=True,
        )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


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
