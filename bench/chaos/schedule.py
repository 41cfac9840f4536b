"""How each life of an engine ends, by the seed alone. Pure.

Every named step comes up before one comes up again; between them lives end at moments that are nobody's step.
"""

import random
from dataclasses import dataclass
from enum import StrEnum

from bench.chaos.steps import OF_A_BEGINNING, OF_A_JOB, OF_A_PROCESS, OF_A_TORN_RUN

__all__ = ["Life", "Schedule", "Situation"]

_RANDOM_SHARE = 0.3  # of all lives
_ASKED_SHARE = 0.07
_SERVICE_SHARE = 0.2
_FIRST_S = 0.4  # of a random moment: the interpreter takes half a second to begin
_PATIENCE = 3  # longest lives; a step that a life does not come to by then is left for another one


class Situation(StrEnum):
    """What a life finds: which steps it can come to follows from that."""

    BEGINNING = "beginning"  # the run has no plan yet
    TORN = "torn"  # its journal ends in half a line
    UNDER_WAY = "under way"


_STEPS = {
    Situation.BEGINNING: OF_A_BEGINNING,
    Situation.TORN: OF_A_TORN_RUN,
    Situation.UNDER_WAY: OF_A_JOB + OF_A_PROCESS,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Life:
    """One engine process. Seconds are from its start.

    It dies at the `passage`-th passage of `step`, or by a kill from outside after `kill_after_s`, whatever comes first;
    `is_asked`: that is a SIGINT instead. `service_after_s`: when the service is killed and started again; None: not.
    """

    step: str = ""
    passage: int = 1
    kill_after_s: float
    service_after_s: float | None = None
    is_asked: bool = False


class Schedule:
    """Deals lives without an end; one that dies at a step of a job passes it `jobs_a_life` times at the most.

    `longest_s`: of a life that ends at a random moment.
    """

    def __init__(self, seed: int, jobs_a_life: float, longest_s: float) -> None:
        self._longest_s = longest_s
        self._draw = random.Random(seed)  # noqa: S311 -- chance, not secrets
        self._passages = max(1, round(jobs_a_life))
        self._decks: dict[Situation, list[str]] = {situation: [] for situation in Situation}

    def __repr__(self) -> str:
        return f"<Schedule: {sum(map(len, self._decks.values()))} steps to come>"

    def deal(self, situation: Situation) -> Life:
        """Return the next life."""
        draw = self._draw
        service_after_s = draw.uniform(_FIRST_S, self._longest_s) if draw.random() < _SERVICE_SHARE else None
        fate = draw.random()
        if fate < _RANDOM_SHARE + _ASKED_SHARE:
            return Life(
                kill_after_s=draw.uniform(_FIRST_S, self._longest_s),
                service_after_s=service_after_s,
                is_asked=fate < _ASKED_SHARE,
            )
        step = self._next_step(situation)
        passage = draw.randint(1, self._passages) if step in OF_A_JOB else 1
        latest_s = _PATIENCE * self._longest_s
        return Life(step=step, passage=passage, kill_after_s=latest_s, service_after_s=service_after_s)

    def _next_step(self, situation: Situation) -> str:
        deck, steps = self._decks[situation], _STEPS[situation]
        if not deck:
            deck += self._draw.sample(steps, len(steps))
        return deck.pop()
