"""Rounds of kills, several at once, until there were enough jobs and enough kills."""

import math
import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from pathlib import Path

from bench.chaos.audit import Account
from bench.chaos.orders import Orders
from bench.chaos.round import SERVICE, Ended, Round, Task
from bench.chaos.schedule import Life, Schedule, Situation

__all__ = ["Campaign"]


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
        orders, lock = self.orders, threading.Lock()
        schedule = Schedule(orders.seed, orders.jobs_a_life, orders.longest_life_s)

        def deal(situation: Situation) -> Life:
            with lock:
                return schedule.deal(situation)

        with ThreadPoolExecutor(orders.at_once) as pool:
            while planned := self._rounds_to_come():
                rounds = [Round(orders, task, self.folder, deal) for task in planned]
                self.rounds += len(rounds)
                for each in as_completed([pool.submit(each.carry_out) for each in rounds]):
                    self._add(each.result())

    def _rounds_to_come(self) -> list[Task]:
        """Return the rounds that are still due: one may have ended before all of its kills."""
        orders = self.orders
        kills = max(0, orders.kills - self.engine_kills)
        jobs = max(orders.jobs - self.account.jobs, round(kills * orders.jobs_a_life))
        count = math.ceil(jobs / orders.jobs_a_round)
        numbers = range(self.rounds, self.rounds + count)
        return [Task(number, math.ceil(jobs / count), math.ceil(kills / count)) for number in numbers]

    def _add(self, ended: Ended) -> None:
        account, kills = ended.account, ended.kills
        self.account.add(account)
        self.kills += kills
        self.tell(
            f"round {ended.number}: {account.jobs} jobs, {kills.total() - kills[SERVICE]} kills, "
            f"{ended.seconds:.0f} s; {account.lost} lost, {account.duplicated} duplicated, "
            f"{account.too_many} credits too many, {account.corrupt} corrupt"
        )
