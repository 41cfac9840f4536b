"""How each life of an engine ends, by the seed alone. Pure.

Every named step comes up before one comes up again; between them lives end at moments that are nobody's step.
"""

import random
from dataclasses import dataclass

from bench.chaos.steps import OF_A_BEGINNING, OF_A_JOB, OF_A_PROCESS

__all__ = ["Life", "Schedule"]

_RANDOM_SHARE = 0.3  # of all lives
_ASKED_SHARE = 0.07
_SERVICE_SHARE = 0.2
_FIRST_S, _LAST_S = 0.4, 2.5  # of a random moment: the interpreter takes half a second to begin
_LATEST_S = 4.0  # a step that a life does not come to by then is left for another one


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
    """Deals lives without an end; one that dies at a step of a job passes it `jobs_a_life` times at the most."""

    def __init__(self, seed: int, jobs_a_life: float) -> None:
        self._draw = random.Random(seed)  # noqa: S311 -- chance, not secrets
        self._passages = max(1, round(jobs_a_life))
        self._in_work: list[str] = []
        self._at_beginning: list[str] = []

    def __repr__(self) -> str:
        return f"<Schedule: {len(self._in_work)} and {len(self._at_beginning)} steps to come>"

    def deal(self, *, is_beginning: bool) -> Life:
        """Return the next life; `is_beginning`: of a run that has no plan yet."""
        draw = self._draw
        service_after_s = draw.uniform(_FIRST_S, _LAST_S) if draw.random() < _SERVICE_SHARE else None
        fate = draw.random()
        if fate < _RANDOM_SHARE + _ASKED_SHARE:
            return Life(
                kill_after_s=draw.uniform(_FIRST_S, _LAST_S),
                service_after_s=service_after_s,
                is_asked=fate < _ASKED_SHARE,
            )
        step = self._next_step(is_beginning=is_beginning)
        passage = draw.randint(1, self._passages) if step in OF_A_JOB else 1
        return Life(step=step, passage=passage, kill_after_s=_LATEST_S, service_after_s=service_after_s)

    def _next_step(self, *, is_beginning: bool) -> str:
        deck, steps = self._in_work, OF_A_JOB + OF_A_PROCESS
        if is_beginning:
            deck, steps = self._at_beginning, OF_A_BEGINNING
        if not deck:
            deck += self._draw.sample(steps, len(steps))
        return deck.pop()
