"""Rounds of kills: each is one run of the engine, carried from its first process to its end by as many as it takes."""

import math
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from bench.chaos.audit import Account, audit, replay_differs
from bench.chaos.doomed import Doom
from bench.chaos.pictures import fill_folder
from bench.chaos.sabotage import Sabotage, lose_intents
from bench.chaos.schedule import Life, Schedule
from bench.chaos.service import MortalService, mortal_service
from engine.pipeline.run_folder import RunFolder

__all__ = ["RANDOM", "SERVICE", "Campaign", "Orders", "Tired"]

RANDOM = "at a random moment"
SERVICE = "the service"
_ALL_FAULTS = {
    "--rate-burst": "30",
    "--server-errors": "0.03",
    "--reset-before": "0.03",
    "--slow-downloads": "0.05",
    "--truncated-downloads": "0.05",
    "--expired-links": "0.05",
    "--eta-noise": "0.3",
    "--old-rows": "150",
}
# What differs from round to round: the order of the listing, and results that are small or stream to the disk.
_ROUNDS = (
    {"--listing-order": "newest", "--result-bytes": "60000"},
    {"--listing-order": "random", "--result-bytes": "2500000", "--slow-bytes-per-s": "2000000"},
    {"--listing-order": "oldest", "--result-bytes": "60000"},
)
_SETTINGS = {
    "BACKOFF_FIRST_S": "0.05",
    "BACKOFF_MAX_S": "1.0",
    "DRAIN_S": "0.5",
    "STALL_TIMEOUT_S": "10",
}
# Done; interrupted; killed; and a SIGINT that came before the engine had begun to listen for it.
_GOOD_ENDS = (0, 4, -signal.SIGKILL, -signal.SIGINT, 128 + signal.SIGINT)
_LAST_LIMIT_S = 300.0
_MAX_LIVES = 40  # of the last one in a round: it leaves when the service is away for too long
_LOOK_S = 0.01


class Tired(Exception):
    """A round does not come to its end; the message says what the engine said last."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """How much, by which seed, with which faults; `at_once`: rounds.

    `settle_s` is the engine's. The service lists a job before it answers, so it may be short.
    """

    jobs: int
    kills: int
    seed: int
    jobs_a_round: int = 500
    at_once: int = 1
    latency: str = "lognormal:0.4:0.5"
    rate: int = 60  # calls a second, so that a life sees few jobs
    reset_after: float = 0.05  # share of submits that are accepted and not answered
    settle_s: float = 0.5
    sabotage: Sabotage | None = None

    @property
    def jobs_a_life(self) -> float:
        return self.jobs / max(1, self.kills)


@dataclass(slots=True)
class Campaign:
    """Rounds in `folder` until there were enough jobs and enough kills; `tell` hears of each round."""

    orders: Orders
    folder: Path
    tell: Callable[[str], None] = lambda _text: None
    account: Account = field(default_factory=Account)
    kills: Counter[str] = field(default_factory=Counter)  # of engines by step, and of the service
    rounds: int = 0

    @property
    def engine_kills(self) -> int:
        return self.kills.total() - self.kills[SERVICE]

    def run(self) -> None:
        """Live and audit all rounds; raises Tired when one does not end."""
        schedule, lock = Schedule(self.orders.seed, self.orders.jobs_a_life), threading.Lock()

        def deal(*, is_beginning: bool) -> Life:
            with lock:
                return schedule.deal(is_beginning=is_beginning)

        with ThreadPoolExecutor(self.orders.at_once) as pool:
            while planned := self._rounds_to_come():
                rounds = [_Round(self, self.rounds + number, *each, deal) for number, each in enumerate(planned)]
                self.rounds += len(rounds)
                for each in as_completed([pool.submit(each.carry_out) for each in rounds]):
                    self._add(each.result())

    def _rounds_to_come(self) -> list[tuple[int, int]]:
        """Return the jobs and kills of the rounds that are still due; a round may end before all of its kills."""
        orders = self.orders
        kills = max(0, orders.kills - self.engine_kills)
        jobs = max(orders.jobs - self.account.jobs, round(kills * orders.jobs_a_life))
        count = math.ceil(jobs / orders.jobs_a_round)
        return [(math.ceil(jobs / count), math.ceil(kills / count)) for _round in range(count)]

    def _add(self, ended: "_Ended") -> None:
        account, kills = ended.account, ended.kills
        self.account.add(account)
        self.kills += kills
        self.tell(
            f"round {ended.number}: {account.jobs} jobs, {kills.total() - kills[SERVICE]} kills, "
            f"{ended.seconds:.0f} s; {account.lost} lost, {account.duplicated} duplicated, "
            f"{account.too_many} credits too many, {account.corrupt} corrupt"
        )


@dataclass(frozen=True, slots=True)
class _Ended:
    """One round."""

    number: int
    account: Account
    kills: Counter[str]
    seconds: float


class _Round:
    """One run folder and one service."""

    def __init__(self, campaign: Campaign, number: int, jobs: int, kills: int, deal: Callable[..., Life]) -> None:
        self._orders = campaign.orders
        self._number = number
        self._jobs = jobs
        self._kills_left = kills
        self._deal = deal
        self._place = campaign.folder / f"round{number}"
        self._out = self._place / "out"
        self._folder = RunFolder.beside(self._out, None)
        self._faults = {**_ALL_FAULTS, **_ROUNDS[number % len(_ROUNDS)], "--latency": campaign.orders.latency}
        self._faults |= {
            "--seed": str(campaign.orders.seed + number),
            "--rate": str(campaign.orders.rate),
            "--reset-after": str(campaign.orders.reset_after),
        }
        self._found: list[str] = []
        self._kills: Counter[str] = Counter()
        self._lived = 0

    def carry_out(self) -> _Ended:
        """Live until the run is done, audit it and clear it away."""
        began = time.monotonic()
        inputs = fill_folder(self._place / "in", self._jobs)
        options = [each for pair in self._faults.items() for each in pair]
        with mortal_service(self._place / "service", options) as service:
            is_done = False
            while not is_done and self._kills_left > 0:
                is_done = self._live(self._deal(is_beginning=not self._folder.has_plan), service, inputs)
            if not is_done:
                self._live_to_the_end(service, inputs)
        account = audit(self._folder, service.folder, self._jobs)
        account.others += self._found
        if account.is_clean:
            shutil.rmtree(self._place)
        return _Ended(self._number, account, self._kills, time.monotonic() - began)

    def _live(self, life: Life, service: MortalService, inputs: Path) -> bool:
        """Live one life; True when it ended by itself, with all done."""
        engine = self._start(life.step, life.passage, service, inputs)
        code = _Watch(engine, life, service).end()
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

    def _start(self, step: str, passage: int, service: MortalService, inputs: Path) -> "_Engine":
        self._lived += 1
        is_blind = self._orders.sabotage is Sabotage.EMPTY_LISTING
        run_id = f"{self._orders.seed & 0xFFFF:04x}{self._number & 0xFF:02x}{self._lived & 0xFFFF:04x}"
        doom = Doom(step=step, passage=passage, seed=self._orders.seed + self._lived, run_id=run_id, is_blind=is_blind)
        # A run without a line of a plan is begun anew, as its user would.
        begins = not self._folder.has_plan
        command = ["restore", str(inputs), "--out", str(self._out)] if begins else ["resume", str(self._out)]
        backend = ["--backend", service.base_url] if begins else []
        in_flight = max(6, round(4 * self._orders.jobs_a_life))
        settings = {**_SETTINGS, "SETTLE_S": str(self._orders.settle_s), "MAX_IN_FLIGHT": str(in_flight)}
        environment = {f"FACE_RECOVERY_{name}": value for name, value in settings.items()}
        return _Engine(
            [sys.executable, "-m", "bench.chaos.doomed", str(doom), *command, *backend, "--json", "--quiet"],
            {**os.environ, **environment, "FACE_RECOVERY_API_KEY": service.key},
            self._place / "engine.log",
        )

    def _after(self, code: int, engine: "_Engine") -> None:
        """Look at what a life has left behind."""
        if code not in _GOOD_ENDS:
            self._found.append(f"an engine ended with exit code {code}: {engine.said()}")
        if not self._folder.journal.exists():
            return
        if self._orders.sabotage is Sabotage.LOSE_INTENTS and code != 0:
            lose_intents(self._folder)
        elif difference := replay_differs(self._folder):
            self._found.append(difference)


class _Engine:
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


class _Watch:
    """Waits for the end of one life, and sees to what its schedule says until then."""

    def __init__(self, engine: _Engine, life: Life, service: MortalService) -> None:
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
