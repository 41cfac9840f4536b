"""The vendor's quickstart in a thread pool: requests, a look every 2 s, the result written as it comes.

One `requests.post`/`requests.get` a call, as quickstarts write it; option `has_session` gives each thread a session,
which is what the better ones of these scripts do. Option `look_s`: seconds between looks (2 in the quickstart).
"""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import requests

from bench.task import Counts, Task

__all__ = ["run"]


def run(task: Task) -> Counts:
    task.out.mkdir()
    quickstart = _Quickstart(task)
    with ThreadPoolExecutor(task.in_flight) as pool:
        list(pool.map(quickstart.restore, task.pictures()))
    return quickstart.counts


class _Quickstart:
    def __init__(self, task: Task) -> None:
        self._task = task
        self._local = threading.local()
        self._lock = threading.Lock()
        self.counts = Counts()

    def restore(self, path: Path) -> None:
        base, headers = self._task.base_url, self._task.headers
        get, post = self._calls()
        with path.open("rb") as image:
            submitted = post(
                f"{base}/restore-gen/async",
                headers=headers,
                files={"image": image},
                data={"model": "Faces", "output_format": "jpeg"},
                timeout=60,
            )
        submitted.raise_for_status()
        process_id = submitted.json()["process_id"]
        looks = 1
        while (row := get(f"{base}/status/{process_id}", headers=headers, timeout=60).json())["status"] != "Completed":
            time.sleep(self._task.options["look_s"])
            looks += 1
        delay_s = time.time() - row["modification_time"]
        link = get(f"{base}/download/{process_id}", headers=headers, timeout=60).json()["download_url"]
        (self._task.out / path.name).write_bytes(get(link, timeout=60).content)
        with self._lock:
            self.counts.done += 1
            self.counts.status_requests += looks
            self.counts.delays_s.append(delay_s)

    def _calls(self) -> tuple[Callable[..., requests.Response], Callable[..., requests.Response]]:
        """Return what GETs and POSTs: requests' own functions open a connection for each call."""
        if not self._task.options.get("has_session"):
            return requests.get, requests.post
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
        return self._local.session.get, self._local.session.post
