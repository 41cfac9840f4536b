"""Serve the folder named on the command line with the real face model until killed: what the hostile corpus is sent to.

Two workers, and a time limit for one picture that no honest small one needs.
"""

import asyncio
import logging
import sys
from pathlib import Path

from engine.service.server import ServiceSettings, serve
from tests.service.harness import KEY

JOB_TIME_LIMIT_S = 10.0


def _say(base: str) -> None:
    sys.stdout.write(base + "\n")
    sys.stdout.flush()


def main() -> None:
    logging.basicConfig(level=logging.INFO)
    settings = ServiceSettings(
        folder=Path(sys.argv[1]), keys=frozenset({KEY}), workers=2, job_time_limit_s=JOB_TIME_LIMIT_S
    )
    asyncio.run(serve(settings, _say, asyncio.Event()))


if __name__ == "__main__":
    main()
