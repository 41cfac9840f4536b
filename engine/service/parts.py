"""What the API needs of the two parts behind it that exist twice: with a face model and a disk, or simulated."""

from collections.abc import Callable, Iterable
from typing import Protocol

from aiohttp import web

from engine.journal.line import Record
from engine.service.jobs import Gone, Job
from engine.service.submission import Submission
from engine.service.upload import Arrived
from engine.service.work import Work

__all__ = ["Incoming", "Pictures", "Restoring"]


class Incoming(Protocol):
    """A picture on its way here: `engine.service.upload.Upload`, or the simulation's."""

    async def add(self, data: bytes) -> None: ...

    async def finish(self) -> Arrived:
        """Keep the picture; raises Refusal when what its header claims is no good."""
        ...

    async def adopt(self, job: Job, kind: str) -> Arrived:
        """Take over what `job` has, its `outputs` or its `inputs`, in the place of an upload; raises Refusal."""
        ...

    def discard(self) -> None:
        """Forget what came; safe at any time."""
        ...


class Pictures(Protocol):
    """Inputs and outputs: `engine.service.files.Files`, or the simulation's."""

    def incoming(self, source_id: str) -> Incoming: ...

    async def input_file(self, job: Job) -> web.StreamResponse:
        """Return the answer that hands out the input of `job`; raises Refusal where there is none."""
        ...

    async def output_file(self, job: Job, request: web.Request) -> web.StreamResponse:
        """Return the answer that hands out the output of `job`; raises Refusal."""
        ...

    def remove(self, gone: Gone) -> None:
        """Delete what there is of one job. Blocks."""
        ...

    def sweep(self, is_known: Callable[[str], bool], before: float) -> int:
        """Delete what no known job owns and is older than the Unix time `before`, return how many files. Blocks."""
        ...


class Restoring(Protocol):
    """Whoever has jobs done: `engine.service.restoration.Crew`, or the simulation's."""

    def eta(self, asked: Submission) -> float:
        """Return the Unix time at which `asked` would be done if it were put now."""
        ...

    def duration_s(self, work: Work) -> float:
        """Return how long `work` takes by itself."""
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

    async def drain(self) -> None:
        """Take no more jobs from now on, and return once those that run have ended."""
        ...

    async def run(self) -> None:
        """Work until cancelled; raises MachineError when an ending can't be journaled."""
        ...
