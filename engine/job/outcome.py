"""How a job ended: the row of results.jsonl, and the sums a run is judged by."""

from dataclasses import dataclass, field, fields
from typing import Any, Self

__all__ = ["Outcome", "Timings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Seconds spent in each stage, as the engine saw them; a stage that did not happen has 0."""

    submit_s: float = 0.0  # reading, hashing, POST
    remote_s: float = 0.0  # from accepted to seen finished
    unseen_s: float = 0.0  # of those: how long it lay finished before that was seen, by the remote's two times
    download_s: float = 0.0  # link, transfer, checks, publish


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One ended job. Without a `reason` it is done and its output verified."""

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

    @property
    def is_done(self) -> bool:
        return not self.reason

    def record(self) -> dict[str, Any]:
        """Return the members of the result row, empty ones left out."""
        return {"job": self.number, "status": "done" if self.is_done else "failed", **self.members()}

    def members(self) -> dict[str, Any]:
        """Return what result row and journal have in common: all but which job it is, and that it ended."""
        members: dict[str, Any] = {}
        for name in _ROW:
            value = getattr(self, name)
            if value or name in ("faces", "credits"):
                members[name] = value
        members["timings"] = {name: getattr(self.timings, name) for name in Timings.__slots__}
        return members

    @classmethod
    def of_record(cls, record: dict[str, Any]) -> Self:
        """Read a row back; members this version does not know are ignored."""
        members = _known(cls, {**record, "number": record["job"]})
        members["timings"] = Timings(**_known(Timings, record.get("timings", {})))
        members["warnings"] = tuple(record.get("warnings", ()))
        return cls(**members)


def _known(kind: type[Outcome] | type[Timings], record: dict[str, Any]) -> dict[str, Any]:
    return {each.name: record[each.name] for each in fields(kind) if each.name in record}


_ROW = tuple(name for name in Outcome.__slots__ if name not in ("number", "timings"))
