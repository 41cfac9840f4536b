"""The simulated service as a process that can be killed and comes back: same port, same folder, same key."""

import contextlib
import os
import secrets
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import orjson

__all__ = ["MortalService", "mortal_service"]

_COMMAND = (sys.executable, "-m", "engine", "serve", "--simulate", "--child")


class MortalService:
    """`kill` and `start` are the only two things that happen to it; `folder` holds its ledger."""

    def __init__(self, folder: Path, options: Sequence[str]) -> None:
        self.folder = folder
        self.key = secrets.token_urlsafe(16)
        self.base_url = ""
        self.kills = 0
        self._options = options
        self._port = "0"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Return once it answers; raises RuntimeError when it does not come up."""
        log = self.folder.with_suffix(".log")
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                [*_COMMAND, "--folder", str(self.folder), "--port", self._port, *self._options],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env={**os.environ, "FACE_RECOVERY_SERVICE_KEY": self.key},
            )
        line = self._process.stdout.readline() if self._process.stdout else b""
        if not line:
            raise RuntimeError(f"the simulated service did not start: {log.read_text().strip()[-500:]}")
        self.base_url = orjson.loads(line)["base_url"]
        self._port = self.base_url.rpartition(":")[2].partition("/")[0]

    def kill(self) -> None:
        """End it by SIGKILL."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                pipe.close()

    def restart(self) -> None:
        self.kills += 1
        self.kill()
        self.start()


@contextlib.contextmanager
def mortal_service(folder: Path, options: Sequence[str]) -> Iterator[MortalService]:
    """Run one for as long as the block lasts."""
    service = MortalService(folder, options)
    try:
        service.start()
        yield service
    finally:
        service.kill()
