"""One line of the plan: which input becomes which output. Frozen when written; knows nothing of progress."""

from dataclasses import dataclass
from typing import Any, Self

__all__ = ["JobSpec"]


@dataclass(frozen=True, slots=True, kw_only=True)
class JobSpec:
    """One input to one output.

    `number` is its line in the plan, from 0. `source` is a path (as `disk.text_of_path` writes it) or a URL;
    `output` is relative to the output folder. A `reason` means that the input was refused while planning and is
    never sent; it has no output then, and sizes are 0. `width` and `height` are the upright picture's, in pixels
    (0: not known before the fetch of a URL). `output_width`/`output_height` override the run's parameters for this
    job. `credits` is the price of all stages, `then_credits` that of the second one, if there is one.
    """

    number: int
    source: str
    output: str = ""
    format: str = ""
    size_bytes: int = 0
    width: int = 0
    height: int = 0
    output_width: int | None = None
    output_height: int | None = None
    credits: int = 0
    then_credits: int = 0
    reason: str = ""

    @property
    def is_url(self) -> bool:
        return self.source.startswith(("http://", "https://"))

    def record(self) -> dict[str, Any]:
        """Return the plan line's members, empty ones left out."""
        members = {name: getattr(self, name) for name in self.__slots__}
        return {"job": members.pop("number"), **{name: value for name, value in members.items() if value}}

    @classmethod
    def of_record(cls, record: dict[str, Any]) -> Self:
        """Undo `record`."""
        members = {name: value for name, value in record.items() if name != "job"}
        return cls(number=record["job"], **members)
