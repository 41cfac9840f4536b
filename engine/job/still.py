"""A tally standing still: taken between two events, in a millisecond for a million jobs, and written down later."""

import base64
import zlib
from collections import Counter
from dataclasses import dataclass, fields
from operator import attrgetter
from typing import Any, Self

from engine.job.stage import StageEnd
from engine.job.tally import Again, OpenJob, Tally

__all__ = ["Still"]

_SUMS = ("reserved", "charged", "faces", "unclear", "adopted", "resubmitted", "retried", "damaged_steps")
_MEMBERS = tuple(each.name for each in fields(OpenJob))
_values = attrgetter(*_MEMBERS)
# The states of a long run are long rows of the same byte: level 1 makes 1 MB to some 10 KB in 3 ms.
_LEVEL = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Still:
    """All that a tally knows. `states` has one byte a job; `open` the values of each job in flight, `again` those of
    each retried one.
    """

    states: bytes
    sums: dict[str, int]
    reasons: dict[str, int]
    open: dict[int, tuple[Any, ...]]
    again: dict[int, Again]

    @classmethod
    def of(cls, tally: Tally) -> Self:
        return cls(
            states=bytes(tally.states),
            sums={name: getattr(tally, name) for name in _SUMS},
            reasons=dict(tally.reasons),
            open={number: _values(job) for number, job in tally.open.items()},
            again=dict(tally.again),
        )

    def tally(self) -> Tally:
        """Return a tally that goes on from here."""
        tally = Tally()
        tally.states = bytearray(self.states)
        tally.open = {number: OpenJob(**dict(zip(_MEMBERS, job, strict=True))) for number, job in self.open.items()}
        tally.reasons = Counter(self.reasons)
        tally.again = dict(self.again)
        for name in _SUMS:
            setattr(tally, name, self.sums[name])
        tally.recount()
        return tally

    def record(self) -> dict[str, Any]:
        """Return it as JSON members."""
        return {
            "states": base64.b64encode(zlib.compress(self.states, _LEVEL)).decode(),
            "sums": self.sums,
            "reasons": self.reasons,
            "open": [_record(number, job) for number, job in self.open.items()],
            "again": [(number, each.generation, each.output) for number, each in self.again.items()],
        }

    @classmethod
    def of_record(cls, record: dict[str, Any]) -> Self:
        """Undo `record`; raises ValueError or KeyError for members that it would not have written."""
        try:
            states = zlib.decompress(base64.b64decode(record["states"]))
        except zlib.error as error:
            raise ValueError("the states are damaged") from error
        return cls(
            states=states,
            sums={name: record["sums"][name] for name in _SUMS},
            reasons=record["reasons"],
            open={job["job"]: _read(job) for job in record["open"]},
            again={number: Again(*values) for number, *values in record["again"]},
        )


def _record(number: int, job: tuple[Any, ...]) -> dict[str, Any]:
    members = dict(zip(("job", *_MEMBERS), (number, *job), strict=True))
    staged: StageEnd | None = members["staged"]
    return members if staged is None else {**members, "staged": staged.record()}


def _read(record: dict[str, Any]) -> tuple[Any, ...]:
    staged = record["staged"]
    members = record if staged is None else {**record, "staged": StageEnd.of_record(staged)}
    return tuple(members[name] for name in _MEMBERS)
