"""What was accepted: one upload with its settings and price, as it lies in the journal. Never changes."""

import sys
from dataclasses import dataclass
from typing import Self

from engine.job.parameters import MODEL
from engine.journal.line import Record
from engine.service.key import OWN

__all__ = ["ENHANCE", "RESTORE", "Finished", "Submission"]

RESTORE, ENHANCE = "restore-gen", "enhance"  # the routes that are served, by their place in the path

_USUAL = {"owner": OWN, "route": RESTORE, "model": MODEL, "webhook_url": "", "input_bytes": 0, "face_work": 0.0}


@dataclass(frozen=True, slots=True, kw_only=True)
class Submission:
    """One accepted job. Sizes are of the upright picture in pixels, times Unix seconds.

    `owner` is the id of the key that sent it; `input_bytes` is the size of its input, 0 where older versions did not
    count it; `face_work` the work in the faces that it names itself, as `engine.service.given_faces` counts.
    """

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
    owner: str = OWN
    route: str = RESTORE
    model: str = MODEL
    webhook_url: str = ""
    input_bytes: int = 0
    face_work: float = 0.0

    def record(self) -> Record:
        """Return the journal's `accepted` line; what is as usual is left out."""
        members = {name: getattr(self, name) for name in self.__slots__}
        return {"event": "accepted"} | {
            name: value for name, value in members.items() if name not in _USUAL or value != _USUAL[name]
        }

    @classmethod
    def from_record(cls, record: Record) -> Self:
        """Undo `record`; raises KeyError, TypeError or ValueError for anything else."""
        values = {name: record.get(name, _USUAL[name]) if name in _USUAL else record[name] for name in cls.__slots__}
        values["warnings"] = tuple(values["warnings"])
        # A run of many jobs shares its settings: one text for all of them.
        values["options_json"] = sys.intern(values["options_json"])
        return cls(**values)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """What a worker made: the output is in place under its final name. Sizes as decoded, not as announced.

    `work_s`: how long a worker was busy with it, in seconds; 0 where nobody looked.
    """

    input_width: int
    input_height: int
    output_width: int
    output_height: int
    faces: int
    warnings: tuple[str, ...]
    sha256: str
    size_bytes: int
    work_s: float = 0.0

    def record(self) -> Record:
        return {name: getattr(self, name) for name in self.__slots__}

    @classmethod
    def from_record(cls, record: Record) -> Self:
        """Undo `record`, ignoring other members; raises KeyError or TypeError when one is missing."""
        values = {name: record[name] for name in cls.__slots__ if name != "work_s"}
        values["warnings"] = tuple(values["warnings"])
        return cls(**values, work_s=record.get("work_s", 0.0))
