"""Inputs that are not kept and outputs that were never made: what stands in for the files of a service."""

from collections.abc import Callable

from aiohttp import web

from engine.clock import Clock
from engine.service.files import about
from engine.service.jobs import Gone, Job
from engine.service.refusal import Refusal
from engine.service.simulate.faults import Faults
from engine.service.simulate.made_file import MadeFile
from engine.service.simulate.results import Results
from engine.service.simulate.upload import ForgottenUpload

__all__ = ["SimulatedPictures"]


class SimulatedPictures:
    """`engine.service.parts.Pictures` without a disk."""

    def __init__(self, results: Results, faults: Faults, clock: Clock) -> None:
        self._results = results
        self._faults = faults
        self._clock = clock

    def incoming(self, _source_id: str) -> ForgottenUpload:
        return ForgottenUpload()

    async def input_file(self, _job: Job) -> web.StreamResponse:
        raise Refusal(404, "a simulated service keeps no inputs")

    async def output_file(self, job: Job, request: web.Request) -> web.StreamResponse:
        """Return the answer that hands out the result of `job`; raises Refusal where the simulation ends a link."""
        asked = job.submission
        delivery = self._faults.delivery(asked.filename, request.method)
        result = await self._results.get(asked.output_format, asked.output_width, asked.output_height)
        headers = about(asked.output_format, job.id)
        return MadeFile(result, headers, modified=job.modified, delivery=delivery, clock=self._clock)

    def remove(self, gone: Gone) -> None:
        """Do nothing: there are no files."""

    def sweep(self, _is_known: Callable[[str], bool], _before: float) -> int:
        return 0
