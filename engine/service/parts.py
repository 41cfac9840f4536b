"""What the API needs of the two parts behind it that exist twice: with a face model and a disk, or simulated."""

from collections.abc import Callable, Iterable
from typing import Protocol

from aiohttp import web

from engine.journal.line import Record
from engine.picture import Claims
from engine.service.job_store import Job
from engine.service.submission import Submission

__all__ = ["Incoming", "Pictures", "Restoring"]


class Incoming(Protocol):
    """A picture that is being uploaded: `engine.service.upload.Upload`, or the simulation's."""

    async def add(self, data: bytes) -> None: ...

    async def finish(self) -> Claims:
        """Keep the picture and return what its header claims; raises Refusal when that is no good."""
        ...

    def discard(self) -> None:
        """Forget what came; safe at any time."""
        ...


class Pictures(Protocol):
    """Inputs and outputs: `engine.service.files.Files`, or the simulation's."""

    def incoming(self, process_id: str) -> Incoming: ...

    async def input_file(self, job: Job) -> web.StreamResponse:
        """Return the answer that hands out the input of `job`; raises Refusal where there is none."""
        ...

    async def output_file(self, job: Job, request: web.Request) -> web.StreamResponse:
        """Return the answer that hands out the output of `job`; raises Refusal."""
        ...

    def remove(self, process_id: str) -> None:
        """Delete what there is of one job. Blocks."""
        ...

    def sweep(self, is_known: Callable[[str], bool]) -> int:
        """Delete what no known job owns and return how many files that were. Blocks."""
        ...


class Restoring(Protocol):
    """Whoever has jobs done: `engine.service.restoration.Crew`, or the simulation's."""

    def eta(self, asked: Submission) -> float:
        """Return the Unix time at which `asked` would be done if it were put now."""
        ...

    def duration_s(self, units: float) -> float:
        """Return how long a job of `units` takes by itself."""
        ...

    def put(self, jobs: Iterable[Job]) -> None:
        """Have pending jobs done."""
        ...

    async def cancel(self, job: Job) -> bool:
        """End `job` unless it has ended; durable when it returns. False when it is too late."""
        ...

    def health(self) -> Record:
        """Return what /health tells of the work."""
        ...

    async def run(self) -> None:
        """Work until cancelled; raises MachineError when an ending can't be journaled."""
        ...
