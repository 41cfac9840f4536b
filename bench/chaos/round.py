"""One round of a campaign: one run of the engine, carried from its first process to its end by as many as it takes."""

import os
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from bench.chaos.audit import Account, audit, replay_differs
from bench.chaos.doomed import Doom
from bench.chaos.engine import Engine, Watch
from bench.chaos.orders import Orders
from bench.chaos.pictures import fill_folder
from bench.chaos.sabotage import Sabotage, lose_intents
from bench.chaos.schedule import Life, Situation
from bench.chaos.service import MortalService, mortal_service
from engine.pipeline.run_folder import RunFolder

__all__ = ["RANDOM", "SERVICE", "Ended", "Round", "Task", "Tired"]

RANDOM = "at a random moment"
SERVICE = "the service"
# Done; interrupted; killed; and a SIGINT that came before the engine had begun to listen for it.
_GOOD_ENDS = (0, 4, -signal.SIGKILL, -signal.SIGINT, 128 + signal.SIGINT)
_LAST_LIMIT_S = 300.0
_MAX_LIVES = 40  # of the last one in a round: it leaves when the service is away for too long


class Tired(Exception):
    """A round does not come to its end; the message says what the engine said last."""


@dataclass(frozen=True, slots=True)
class Task:
    """What one round is to do."""

    number: int
    jobs: int
    kills: int


@dataclass(frozen=True, slots=True)
class Ended:
    """What one round came to; `kills`: of engines by step, and of the service."""

    number: int
    account: Account
    kills: Counter[str]
    seconds: float


class Round:
    """One run folder and one service."""

    def __init__(self, orders: Orders, task: Task, folder: Path, deal: Callable[[Situation], Life]) -> None:
        """`deal` says how the next life ends."""
        self._orders = orders
        self._task = task
        self._kills_left = task.kills
        self._deal = deal
        self._place = folder / f"round{task.number}"
        self._out = self._place / "out"
        self._folder = RunFolder.beside(self._out, None)
        self._found: list[str] = []
        self._kills: Counter[str] = Counter()
        self._lived = 0

    def carry_out(self) -> Ended:
        """Live until the run is done, audit it and clear it away."""
        began = time.monotonic()
        inputs = fill_folder(self._place / "in", self._task.jobs)
        with mortal_service(self._place / "service", self._orders.service_options(self._task.number)) as service:
            is_done = False
            while not is_done and self._kills_left > 0:
                is_done = self._live(self._deal(self._situation()), service, inputs)
            if not is_done:
                self._live_to_the_end(service, inputs)
        account = audit(self._folder, service.folder, self._task.jobs)
        account.others += self._found
        if account.is_clean:
            shutil.rmtree(self._place)
        return Ended(self._task.number, account, self._kills, time.monotonic() - began)

    def _situation(self) -> Situation:
        if not self._folder.has_plan:
            return Situation.BEGINNING
        journal = self._folder.journal
        is_torn = journal.exists() and not (journal.read_bytes() or b"\n").endswith(b"\n")
        return Situation.TORN if is_torn else Situation.UNDER_WAY

    def _live(self, life: Life, service: MortalService, inputs: Path) -> bool:
        """Live one life; True when it ended by itself, with all done."""
        engine = self._start(life.step, life.passage, service, inputs)
        code = Watch(engine, life, service).end()
        if code == -signal.SIGKILL:
            was_step = time.monotonic() < engine.killed_from
            self._kills[life.step if life.step and was_step else RANDOM] += 1
            self._kills_left -= 1
        self._kills[SERVICE] += engine.services_killed
        self._after(code, engine)
        return code == 0

    def _live_to_the_end(self, service: MortalService, inputs: Path) -> None:
        for _life in range(_MAX_LIVES):
            engine = self._start("", 1, service, inputs)
            code = engine.wait(_LAST_LIMIT_S)
            self._after(code, engine)
            if code == 0:
                return
        raise Tired(f"{self._place} is not done after {_MAX_LIVES} resumes: {engine.said()}")

    def _start(self, step: str, passage: int, service: MortalService, inputs: Path) -> Engine:
        self._lived += 1
        is_blind = self._orders.sabotage is Sabotage.EMPTY_LISTING
        run_id = f"{self._orders.seed & 0xFFFF:04x}{self._task.number & 0xFF:02x}{self._lived & 0xFFFF:04x}"
        doom = Doom(step=step, passage=passage, seed=self._orders.seed + self._lived, run_id=run_id, is_blind=is_blind)
        # A run without a line of a plan is begun anew, as its user would.
        begins = not self._folder.has_plan
        begin = ["restore", str(inputs), "--out", str(self._out), *self._orders.restore_options()]
        command = begin if begins else ["resume", str(self._out)]
        backend = ["--backend", service.base_url] if begins else []
        environment = {**os.environ, **self._orders.environment(), "FACE_RECOVERY_API_KEY": service.key}
        return Engine(
            [sys.executable, "-m", "bench.chaos.doomed", str(doom), *command, *backend, "--json", "--quiet"],
            environment,
            self._place / "engine.log",
        )

    def _after(self, code: int, engine: Engine) -> None:
        """Look at what a life has left behind."""
        if code not in _GOOD_ENDS:
            self._found.append(f"an engine ended with exit code {code}: {engine.said()}")
        if not self._folder.journal.exists():
            return
        if self._orders.sabotage is Sabotage.LOSE_INTENTS and code != 0:
            lose_intents(self._folder)
        elif difference := replay_differs(self._folder):
            self._found.append(difference)
