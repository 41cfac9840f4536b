"""What was accepted: one upload with its settings and price, as it lies in the journal. Never changes."""

import sys
from dataclasses import dataclass
from typing import Self

from engine.journal.line import Record

__all__ = ["Finished", "Submission"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One accepted job. Sizes are of the upright picture in pixels, times Unix seconds."""

    process_id: str
    source_id: str
    sequence: int  # counts accepted jobs; the order of the listing
    filename: str  # as uploaded, verbatim; never a path
    input_format: str
    input_width: int
    input_height: int
    output_format: str
    output_width: int
    output_height: int
    options_json: str
    price: int  # credits, reserved now and charged on completion
    created: float
    eta: float
    warnings: tuple[str, ...] = ()

    def record(self) -> Record:
        """Return the journal's `accepted` line."""
        return {"event": "accepted", **{name: getattr(self, name) for name in self.__slots__}}

    @classmethod
    def from_record(cls, record: Record) -> Self:
        """Undo `record`; raises KeyError, TypeError or ValueError for anything else."""
        values = {name: record[name] for name in cls.__slots__}
        values["warnings"] = tuple(values["warnings"])
        # A run of many jobs shares its settings: one text for all of them.
        values["options_json"] = sys.intern(values["options_json"])
        return cls(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What a worker made: the output is in place under its final name. Sizes as decoded, not as announced."""

    input_width: int
    input_height: int
    output_width: int
    output_height: int
    faces: int
    warnings: tuple[str, ...]
    sha256: str
    size_bytes: int

    def record(self) -> Record:
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_record(cls, record: Record) -> Self:
        """Undo `record`, ignoring other members; raises KeyError or TypeError when one is missing."""
        values = {name: record[name] for name in cls.__slots__}
        values["warnings"] = tuple(values["warnings"])
        return cls(**values)
