"""Serve the folder named on the command line until killed: the victim of the crash tests.

A second argument caps the size of every file, in bytes: a disk that fills up.
"""

import asyncio
import resource
import sys
from pathlib import Path

from engine.service.server import ServiceSettings, serve
from tests.service.harness import KEY, SCRIPTED


def _say(base: str) -> None:
    sys.stdout.write(base + "\n")
    sys.stdout.flush()


def main() -> None:
    settings = ServiceSettings(folder=Path(sys.argv[1]), keys=frozenset({KEY}), workers=2, worker_command=SCRIPTED)
    if len(sys.argv) > 2:
        resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
    asyncio.run(serve(settings, _say, asyncio.Event()))


if __name__ == "__main__":
    main()
