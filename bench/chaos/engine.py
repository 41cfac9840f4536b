"""One process of the engine, and whoever sees to what its schedule says until it ends."""

import signal
import subprocess
import time
from pathlib import Path

from bench.chaos.schedule import Life
from bench.chaos.service import MortalService

__all__ = ["Engine", "Watch"]

_LAST_LIMIT_S = 300.0  # for whoever was asked to stop
_LOOK_S = 0.01


class Engine:
    """One process of the engine."""

    def __init__(self, command: list[str], environment: dict[str, str], log: Path) -> None:
        self._log = log
        self._log_from = log.stat().st_size if log.exists() else 0
        self.killed_from = float("inf")  # monotonic: when it was killed from outside
        self.services_killed = 0
        with log.open("ab") as output:
            self.process = subprocess.Popen(
                command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )

    def wait(self, limit_s: float) -> int:
        """Return its exit code; it is killed, and that is no success, when it takes longer."""
        try:
            return self.process.wait(limit_s)
        except subprocess.TimeoutExpired:
            self.process.kill()
            return self.process.wait()

    def said(self) -> str:
        with self._log.open("rb") as log:
            log.seek(self._log_from)
            return log.read().decode(errors="replace").strip()[-500:]


class Watch:
    """Waits for the end of one life, and sees to what its schedule says until then."""

    def __init__(self, engine: Engine, life: Life, service: MortalService) -> None:
        self._engine = engine
        self._service = service
        self._due = [(life.kill_after_s, self._ask if life.is_asked else self._kill)]
        if life.service_after_s is not None:
            self._due.append((life.service_after_s, self._restart))
        self._due.sort(key=lambda each: each[0], reverse=True)

    def end(self) -> int:
        """Return the exit code."""
        began, process = time.monotonic(), self._engine.process
        while process.poll() is None:
            if self._due and time.monotonic() - began >= self._due[-1][0]:
                self._due.pop()[1]()
            time.sleep(_LOOK_S)
        return process.returncode

    def _ask(self) -> None:
        self._engine.process.send_signal(signal.SIGINT)
        self._due.insert(0, (_LAST_LIMIT_S, self._kill))

    def _kill(self) -> None:
        self._engine.killed_from = time.monotonic()
        self._engine.process.kill()

    def _restart(self) -> None:
        self._engine.services_killed += 1
        self._service.restart()
