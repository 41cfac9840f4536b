"""How a job ended: the row of results.jsonl, and the sums a run is judged by."""

from dataclasses import dataclass, field, fields
from typing import Any, Self

from engine.job.address import redacted, shown
from engine.job.stage import StageEnd, Timings

__all__ = ["Outcome", "Timings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One ended job. Without a `reason` it is done and its output verified.

    A chained job that got to its second stage has both in `stages`; `process_id` is the second's then, `credits`,
    `attempts` and `timings` are the sums of both.
    """

    number: int
    source: str
    output: str = ""
    reason: str = ""
    process_id: str = ""
    credits: int = 0
    faces: int | None = None  # None: the backend does not say
    attempts: int = 0  # POSTs sent
    input_sha256: str = ""
    output_sha256: str = ""
    output_bytes: int = 0
    output_width: int = 0
    output_height: int = 0
    timings: Timings = field(default_factory=Timings)
    warnings: tuple[str, ...] = ()
    stages: tuple[StageEnd, ...] = ()

    @property
    def is_done(self) -> bool:
        return not self.reason

    def record(self) -> dict[str, Any]:
        """Return the members of the result row, empty ones left out."""
        return {"job": self.number, "status": "done" if self.is_done else "failed", **self.members()}

    def members(self) -> dict[str, Any]:
        """Return what result row and journal have in common: all but which job it is, and that it ended.

        Addresses in it are without their secrets: whoever may read a report need not be able to fetch the inputs.
        """
        members: dict[str, Any] = {}
        for name in _ROW:
            value = getattr(self, name)
            if value or name in ("faces", "credits"):
                members[name] = value
        if self.source:
            members["source"] = shown(self.source)
        if self.reason:
            members["reason"] = redacted(self.reason, self.source)
        if self.warnings:
            members["warnings"] = [redacted(each, self.source) for each in self.warnings]
        members["timings"] = {name: getattr(self.timings, name) for name in Timings.__slots__}
        if self.stages:
            members["stages"] = [each.record() for each in self.stages]
        return members

    @classmethod
    def of_record(cls, record: dict[str, Any]) -> Self:
        """Read a row back; members this version does not know are ignored."""
        members = {each.name: record[each.name] for each in fields(cls) if each.name in record}
        members["number"] = record["job"]
        members["timings"] = Timings.of_record(record.get("timings", {}))
        members["warnings"] = tuple(record.get("warnings", ()))
        members["stages"] = tuple(map(StageEnd.of_record, record.get("stages", ())))
        return cls(**members)


_ROW = tuple(name for name in Outcome.__slots__ if name not in ("number", "timings", "stages"))
