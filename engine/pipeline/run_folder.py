"""The run folder: where each file of a run lies, and how it is found again."""

from dataclasses import dataclass
from pathlib import Path
from typing import Self

from engine.disk import AppendFile
from engine.errors import UsageError
from engine.journal.replay import Reading

__all__ = ["FOLDER_NAME", "RunFolder", "open_journal"]

FOLDER_NAME = ".face-recovery"


@dataclass(frozen=True, slots=True)
class RunFolder:
    """Paths of one run's state. Only the run that holds the lock writes there."""

    path: Path

    @classmethod
    def beside(cls, out: Path, run: Path | None) -> Self:
        """Return the folder for a run into `out`: `run`, or `.face-recovery` inside `out`."""
        return cls(run if run is not None else out / FOLDER_NAME)

    @classmethod
    def find(cls, path: Path) -> Self:
        """Return the run folder that `path` names: itself, or the one inside an output folder."""
        for folder in (path, path / FOLDER_NAME):
            if (folder / "run.toml").exists():
                return cls(folder)
        raise UsageError(f"{path} holds no run: name the run folder, or the output folder it was made in")

    @property
    def exists(self) -> bool:
        return self.order.exists()

    @property
    def has_plan(self) -> bool:
        """Say whether anything of the run may have been sent. One that never got so far is begun anew."""
        return self.exists and self.plan.exists() and self.plan.stat().st_size > 0

    @property
    def order(self) -> Path:
        return self.path / "run.toml"

    @property
    def plan(self) -> Path:
        return self.path / "plan.jsonl"

    @property
    def journal(self) -> Path:
        return self.path / "journal.jsonl"

    @property
    def snapshot(self) -> Path:
        return self.path / "snapshot.json"

    @property
    def results(self) -> Path:
        return self.path / "results.jsonl"

    @property
    def fetched(self) -> Path:
        """Pictures fetched from URLs, until they are uploaded."""
        return self.path / "fetched"

    def copy_of(self, number: int) -> Path:
        """Return where the local copy of the picture on the web of job `number` lies until it has ended."""
        return self.fetched / f"{number:06d}"

    @property
    def staged(self) -> Path:
        """Results of first stages, where they have to be fetched, until the second ones are done."""
        return self.path / "staged"

    def staged_of(self, number: int) -> Path:
        """Return where the result of the first stage of job `number` waits for its second one."""
        return self.staged / f"{number:06d}"

    @property
    def service(self) -> Path:
        """The embedded service's own folder, where the run started one."""
        return self.path / "service"


def open_journal(path: Path, reading: Reading, *, sync: bool) -> AppendFile:
    """Open the journal at `path` for appending, its torn tail (as `reading` found it) cut off first."""
    file = AppendFile(path, sync=sync)
    if reading.torn_bytes:
        file.truncate(reading.sound_bytes)
    return file
