"""JSON as the contract writes it: a status row, an answer, an error. Pure, and cheap enough for every poll."""

from typing import TYPE_CHECKING

import orjson
from aiohttp import web

from engine.journal.line import Json, Record
from engine.service.route import SERVED
from engine.service.submission import RESTORE

if TYPE_CHECKING:
    from collections.abc import Mapping

    from engine.service.jobs import Job

__all__ = ["answer", "error", "row"]

_JSON = {"Content-Type": "application/json"}


def answer(value: Json, status: int = 200, headers: "Mapping[str, str] | None" = None) -> web.Response:
    return web.Response(body=orjson.dumps(value), status=status, headers={**_JSON, **(headers or {})})


def error(status: int, message: str, headers: "Mapping[str, str] | None" = None) -> web.Response:
    return answer({"code": status, "message": message}, status, headers)


def row(job: "Job") -> Record:
    """Return the status row of `job`: the contract's members, and what only this service tells.

    Completed rows add `faces`, `warnings`, `output_sha256`, `output_bytes`; failed ones `message`.
    """
    asked, made = job.submission, job.finished
    fields: Record = {
        "process_id": asked.process_id,
        "source_id": asked.source_id,
        "filename": asked.filename,
        "input_format": asked.input_format,
        "input_height": asked.input_height if made is None else made.input_height,
        "input_width": asked.input_width if made is None else made.input_width,
        "output_format": asked.output_format,
        "output_height": asked.output_height if made is None else made.output_height,
        "output_width": asked.output_width if made is None else made.output_width,
        "category": SERVED[asked.route].category,
        "model_type": "GAN",
        "model": asked.model,
        "crop_to_fill": '"crop_to_fill":true' in asked.options_json,
        "options_json": asked.options_json,
        "status": job.status,
        "progress": job.progress,
        "eta": job.eta,
        "creation_time": asked.created,
        "modification_time": job.modified,
        "credits": asked.price if made is not None else 0,
    }
    if made is not None:
        if asked.route == RESTORE:  # nobody looks for any elsewhere
            fields["faces"] = made.faces
        fields["warnings"] = asked.warnings + made.warnings
        fields["output_sha256"] = made.sha256
        fields["output_bytes"] = made.size_bytes
    elif job.message is not None:
        fields["message"] = job.message
    return fields
