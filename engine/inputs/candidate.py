"""Something the user pointed at: a file or URL that may be a picture, and where its output belongs."""

from dataclasses import dataclass
from pathlib import Path, PurePath

__all__ = ["Candidate"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """`place` is the path below the output folder that mirrors where it was found, extension included.

    Exactly one of `path` and `url` is set. A `problem` says why it can't be an input, as found while looking.
    """

    place: PurePath
    path: Path | None = None
    url: str = ""
    problem: str = ""
