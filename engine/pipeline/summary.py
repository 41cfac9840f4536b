"""What a run came to: the numbers that the final table and `--json` show, and its exit code."""

from dataclasses import asdict, dataclass, field
from enum import IntEnum
from typing import Any

from engine.job.state import State
from engine.job.tally import Tally
from engine.pipeline.closing import Reason

__all__ = ["ExitCode", "Summary", "summarise"]


class ExitCode(IntEnum):
    """What the shell is told."""

    DONE = 0
    USAGE = 2
    FAILED_JOBS = 3
    INTERRUPTED = 4
    NO_CREDITS = 5
    KEY_REFUSED = 6


_BY_REASON = {
    Reason.INTERRUPTED: ExitCode.INTERRUPTED,
    Reason.BROKEN: ExitCode.INTERRUPTED,
    Reason.CREDITS: ExitCode.NO_CREDITS,
    Reason.KEY_REFUSED: ExitCode.KEY_REFUSED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """Counts of jobs add up: planned = done + failed + in_flight + waiting. `staged`: of those in flight, they are past
    their first stage, whether or not the second one was sent already.

    This process's own are `seconds`, `requests` (of them `calls` by kind, and `refusals` answered 429), `ended_now`
    (jobs that ended) and `limits`: how many requests at once each lane allowed itself, and from the first refusal on
    how many a second there were, as (seconds since the start, value). All else is the whole run's.
    """

    run_id: str
    run: str
    out: str
    backend: str
    is_simulated: bool
    planned: int
    done: int
    failed: int
    in_flight: int
    waiting: int
    faces: int
    credits_charged: int
    credits_reserved: int
    unclear: int
    adopted: int
    resubmitted: int
    retried: int
    staged: int = 0
    requests: int = 0
    calls: dict[str, int] = field(default_factory=dict)
    refusals: int = 0
    limits: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    seconds: float = 0.0
    ended_now: int = 0
    reasons: dict[str, int] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    stopped: str = ""
    message: str = ""

    @property
    def exit_code(self) -> ExitCode:
        if self.stopped:
            return _BY_REASON[Reason(self.stopped)]
        if self.failed:
            return ExitCode.FAILED_JOBS
        return ExitCode.DONE if self.done == self.planned else ExitCode.INTERRUPTED

    def record(self) -> dict[str, Any]:
        """Return the members for `--json`."""
        return {**asdict(self), "exit_code": int(self.exit_code)}


def summarise(tally: Tally, **about: Any) -> Summary:
    """Return the summary of a run whose jobs stand as `tally` says."""
    staged = [number for number, job in tally.open.items() if job.staged is not None]
    between = sum(tally.state(number) is State.PLANNED for number in staged)
    in_flight = sum(tally.counts[state] for state in State if state.is_in_flight) + between
    return Summary(
        planned=tally.planned,
        done=tally.counts[State.DONE],
        failed=tally.counts[State.FAILED],
        in_flight=in_flight,
        waiting=tally.counts[State.PLANNED] - between,
        faces=tally.faces,
        credits_charged=tally.charged,
        credits_reserved=tally.reserved,
        unclear=tally.unclear,
        adopted=tally.adopted,
        resubmitted=tally.resubmitted,
        retried=tally.retried,
        staged=len(staged),
        reasons=dict(tally.reasons.most_common()),
        **about,
    )
