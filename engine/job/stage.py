"""How one stage of a job ended: a chained job is carried through two of them, an ordinary one through its only one."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from typing import Any, Self

from engine.job.address import redacted

__all__ = ["StageEnd", "Timings"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timings:
    """Seconds spent in each step, as the engine saw them; a step that did not happen has 0."""

    submit_s: float = 0.0  # reading, hashing, POST
    remote_s: float = 0.0  # from accepted to seen finished
    unseen_s: float = 0.0  # of those: how long it lay finished before that was seen, by the remote's two times
    download_s: float = 0.0  # link, transfer, checks, publish

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Self:
        """Read the members back; those that this version does not know are ignored."""
        return cls(**{each.name: record[each.name] for each in fields(cls) if each.name in record})

    def __add__(self, other: "Timings") -> "Timings":
        sums = {name: round(getattr(self, name) + getattr(other, name), 3) for name in self.__slots__}
        return Timings(**sums)


@dataclass(frozen=True, slots=True, kw_only=True)
class StageEnd:
    """One stage of a chained job that is over. Of one that a damaged journal has lost, nothing is known."""

    process_id: str = ""
    credits: int = 0  # charged for it
    attempts: int = 0  # POSTs sent
    faces: int | None = None  # None: the backend does not say
    warnings: tuple[str, ...] = ()
    timings: Timings = field(default_factory=Timings)

    def record(self) -> dict[str, Any]:
        """Return it as JSON members; addresses in it are without their secrets."""
        return {**asdict(self), "warnings": list(map(redacted, self.warnings))}

    @classmethod
    def of_record(cls, record: Mapping[str, Any]) -> Self:
        """Undo `record`; members that are not there are as if nothing was known of them."""
        members = {each.name: record[each.name] for each in fields(cls) if each.name in record}
        members["timings"] = Timings.of_record(record.get("timings", {}))
        return cls(**{**members, "warnings": tuple(record.get("warnings", ()))})
