"""What the journal says of the run as a whole: the lines that name no job."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["Marks"]


@dataclass(slots=True)
class Marks:
    """`planned`: how many jobs there are once the plan is complete, None while it is not.

    `is_closed`: the last process left in good order, and nothing came after it. `is_simulated`: a backend said that it
    restores nothing. `alone`: the member that was the whole backend whenever it was no pool, empty where there were
    several such or none.
    """

    planned: int | None = None
    is_closed: bool = False
    is_simulated: bool = False
    alone: str | None = None  # None: no process said

    def apply(self, record: Mapping[str, Any]) -> None:
        """Take in one mark; whatever event of a job follows reopens the run, which the caller has to say."""
        event = record.get("event")
        self.is_closed = event == "closed" and record.get("is_sound", True)
        match event:
            case "opened":
                self.is_simulated = self.is_simulated or record.get("simulated", False)
                if "member" in record:
                    self.alone = record["member"] if self.alone in (None, record["member"]) else ""
            case "planning":
                self.planned = None
            case "planned":
                self.planned = record["jobs"]
