"""Rows of other people's finished jobs, as a shared account lists them: a number each until somebody looks.

They can be read and fetched, but neither cancelled nor deleted, and they are in no ledger.
"""

from engine.clock import Clock
from engine.service.job_state import Status
from engine.service.job_store import JobStore, Journal
from engine.service.jobs import Job, Jobs
from engine.service.key import OWN
from engine.service.simulate.results import Result
from engine.service.submission import Finished, Submission

__all__ = ["CrowdedStore", "Strangers"]

_SIDE_PX = 512
_SPACING_S = 1.0  # between one's end and the next one's


class Strangers:
    """`count` rows that had all ended at the Unix time `since`; each one's output is `result`, 512 x 512 pixels."""

    FORMAT, WIDTH, HEIGHT = "jpeg", _SIDE_PX, _SIDE_PX

    def __init__(self, count: int, since: float, result: Result | None) -> None:
        self._count = count
        self._since = since
        self._finished = Finished(
            input_width=self.WIDTH,
            input_height=self.HEIGHT,
            output_width=self.WIDTH,
            output_height=self.HEIGHT,
            faces=1,
            warnings=(),
            sha256=result.sha256 if result else "",
            size_bytes=len(result.body) if result else 0,
        )

    def enter(self, jobs: Jobs) -> None:
        """Take the places before the first job in the listing of `jobs`."""
        for number in range(1, self._count + 1):
            jobs.account(OWN).listing.add(-number, _id(number))

    def find(self, process_id: str) -> Job | None:
        """Return the row with this id, made anew every time; None when it is none of these."""
        if not process_id.startswith(_PREFIX):
            return None
        digits = process_id.removeprefix(_PREFIX)
        if not (len(digits) == 12 and digits.isdecimal() and 1 <= int(digits) <= self._count):
            return None
        return self._job(process_id, int(digits))

    def _job(self, process_id: str, number: int) -> Job:
        ended = self._since - number * _SPACING_S
        submission = Submission(
            process_id=process_id,
            source_id=process_id,
            sequence=-number,
            filename=f"stranger-{number}.jpg",
            input_format=self.FORMAT,
            input_width=self.WIDTH,
            input_height=self.HEIGHT,
            output_format=self.FORMAT,
            output_width=self.WIDTH,
            output_height=self.HEIGHT,
            options_json="{}",
            price=1,
            created=ended - _SPACING_S,
            eta=ended,
        )
        # Settling for ever: nobody but its owner may delete it.
        return Job(
            submission=submission,
            eta=ended,
            modified=ended,
            status=Status.COMPLETED,
            progress=100,
            finished=self._finished,
            is_settling=True,
        )


_PREFIX = "00000000-0000-4000-8000-"


def _id(number: int) -> str:
    return f"{_PREFIX}{number:012d}"


class CrowdedStore(JobStore):
    """A store whose listing also holds strangers."""

    def __init__(self, jobs: Jobs, journal: Journal, clock: Clock, strangers: Strangers) -> None:
        super().__init__(jobs, journal, clock)
        self._strangers = strangers

    def get(self, process_id: str) -> Job | None:
        return super().get(process_id) or self._strangers.find(process_id)
