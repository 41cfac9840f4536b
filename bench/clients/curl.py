"""Large results by curl: one process for all links, `--parallel`, straight to disk, nothing synced or checked.

The links are minted before, so `more` has the seconds and the memory of curl alone; those of the report are this
process's.
"""

import asyncio
import shutil
import subprocess
import time

import aiohttp

from bench.clients.watching import Watched
from bench.memory import peak_bytes
from bench.task import Counts, Task

__all__ = ["run"]

_GLANCE_S = 0.01  # between looks at curl's memory


def run(task: Task) -> Counts:
    task.out.mkdir()
    config = asyncio.run(_config(task))
    curl = shutil.which("curl") or "curl"
    command = [curl, "--silent", "--fail", "--parallel", "--parallel-max", str(task.in_flight), "--config", "-"]
    started, memory = time.perf_counter(), 0
    with subprocess.Popen(command, stdin=subprocess.PIPE, stderr=subprocess.DEVNULL) as process:
        assert process.stdin is not None  # noqa: S101 -- for the type checker: it was asked for
        process.stdin.write(config.encode())
        process.stdin.close()
        while process.poll() is None:
            memory = max(memory, peak_bytes(process.pid))
            time.sleep(_GLANCE_S)
    more = {"seconds": time.perf_counter() - started, "memory_peak_bytes": memory}
    return Counts(done=sum(1 for _file in task.out.iterdir()), more=more)


async def _config(task: Task) -> str:
    async with aiohttp.ClientSession() as http:
        watched = Watched(task, http)
        lines = [
            f'url = "{await watched.finished_link(path)}"\noutput = "{task.out / path.name}"\n'
            for path in watched.jobs()
        ]
    return "".join(lines)
