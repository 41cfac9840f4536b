"""A job between its first step and its end."""

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engine.job.outcome import Outcome, Timings
from engine.job.spec import JobSpec
from engine.job.stage import StageEnd
from engine.remote.row import Row

if TYPE_CHECKING:
    from engine.pipeline.pages import Page

__all__ = ["Flight"]


@dataclass(slots=True, eq=False)
class Flight:
    """What the lanes know of one job.

    Durations end in `_s`, Unix times in `_at`. `..._from` are monotonic seconds of this process, so that a clock that
    jumps, or the time between two processes, neither proves an absence nor passes a deadline. Each stage of a chained
    job is a flight of its own.
    """

    spec: JobSpec
    process_id: str = ""
    attempts: int = 0
    input_sha256: str = ""
    accepted_at: float = 0.0
    eta: float = 0.0
    unclear_from: float = 0.0
    member: str = ""  # of a pool, to which its last POST went
    tried: tuple[str, ...] = ()  # where submits of it ended unclear, in order; without a pool they went to ""
    refused: tuple[str, ...] = ()  # members that took it for a bad job, and have taken none yet
    unclear_since: float = 0.0  # the first time; 0: none
    settle_looks: int = 0
    polled_from: float = 0.0
    seen_from: float = 0.0  # when it was last seen not to be done
    due: float = 0.0  # its next look alone; 0: none
    page: "Page | None" = None  # of the listing, where it was seen last
    looks: int = 0  # alone
    failed_looks: int = 0
    away_from: float = 0.0  # since when its member can't be reached; 0: it can
    away_s: float = 0.0  # for how long it could not be, before: time that counts against nobody
    times_lost: int = 0
    row: Row | None = None
    etag: str = ""
    is_resumed: bool = False  # from an earlier process, which may have got further than it could say
    is_adopted: bool = False  # found in the listing
    download_failures: int = 0
    failing_from: float = 0.0
    bad_results: int = 0
    submit_s: float = 0.0
    remote_s: float = 0.0
    unseen_s: float = 0.0
    download_s: float = 0.0
    stage: int = 1
    staged: StageEnd | None = None  # how the stage before ended
    then_credits: int = 0  # reserved for the second stage, which this one is

    @property
    def number(self) -> int:
        return self.spec.number

    @property
    def is_of_unknown_age(self) -> bool:
        return self.is_resumed or self.is_adopted

    def age_s(self, now: float) -> float:
        """Return how long it has been polled for; `now` is monotonic."""
        return now - self.polled_from

    @property
    def price(self) -> int:
        """What it costs once it is finished at the backend, whether or not its result comes home; in credits."""
        planned = self.spec.credits - self.spec.then_credits if self.staged is None else self.then_credits
        return (self.row.credits if self.row is not None else 0) or planned

    def end(self, credits_charged: int) -> StageEnd:
        """Return how its stage ended."""
        row = self.row
        return StageEnd(
            process_id=self.process_id,
            credits=credits_charged,
            attempts=self.attempts,
            faces=row.faces if row is not None else None,
            warnings=row.warnings if row is not None else (),
            timings=self._timings(),
        )

    def outcome(self, *, reason: str = "", credits_charged: int = 0) -> Outcome:
        """Return how the job ended, as far as the lanes before the download know.

        `credits_charged` is what its stage has cost; that of the stage before is added.
        """
        outcome = self._outcome(reason, credits_charged)
        if self.staged is None:
            return outcome
        before = self.staged
        return replace(
            outcome,
            credits=before.credits + credits_charged,
            faces=before.faces if before.faces is not None else outcome.faces,  # the upscaler looks for none
            attempts=before.attempts + self.attempts,
            timings=before.timings + outcome.timings,
            warnings=(*before.warnings, *outcome.warnings),
            stages=(before, self.end(credits_charged)),
        )

    def _outcome(self, reason: str, credits_charged: int) -> Outcome:
        row = self.row
        return Outcome(
            number=self.number,
            source=self.spec.source,
            output="" if reason else self.spec.output,
            reason=reason,
            process_id=self.process_id,
            credits=credits_charged,
            faces=row.faces if row is not None else None,
            attempts=self.attempts,
            input_sha256=self.input_sha256,
            timings=self._timings(),
            warnings=row.warnings if row is not None else (),
        )

    def _timings(self) -> Timings:
        return Timings(
            submit_s=round(self.submit_s, 3),
            remote_s=round(self.remote_s, 3),
            unseen_s=round(self.unseen_s, 3),
            download_s=round(self.download_s, 3),
        )
