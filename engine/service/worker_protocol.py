"""What the service and a worker say to each other: one JSON object a line.

The worker opens with `{"event": "ready"}`, or with `failed` (below) when it can't work at all. The service sends
one request and waits for its end:
`{"source", "target", "options": {"strength", "grain", "output_width", "output_height", "output_format", "boxes",
"seed"}}`. The worker answers any number of `{"event": "progress", "percent": n}` and then either
`{"event": "finished", ...}` with the members of `Finished`, the output being in place at `target`, or
`{"event": "failed", "message": ...}`, or `machine` in place of `failed` when not the picture but this machine is at
fault (its disk is full) and the same request may be sent again later. A worker ends when its input closes; anything
else it does is a crash.
"""

import zlib
from pathlib import Path

import orjson

from engine.job.parameters import FaceRecovery
from engine.journal.line import Record
from engine.service.submission import Submission

__all__ = ["decode", "encode", "options_of", "request_of"]


def encode(message: Record) -> bytes:
    return orjson.dumps(message) + b"\n"


def decode(line: bytes) -> Record:
    """Return the message in `line`; raises ValueError for anything else."""
    message = orjson.loads(line)
    if not isinstance(message, dict):
        raise ValueError("not an object")  # noqa: TRY004 - to the reader it is one kind of broken line
    return message


def request_of(submission: Submission, settings: FaceRecovery, source: Path, target: Path) -> Record:
    """Return the request that has `submission` done."""
    return {"source": str(source), "target": str(target), "options": options_of(settings, submission)}


def options_of(settings: FaceRecovery, submission: Submission) -> Record:
    """Return the options in plain values; the grain of one filename is the same every time."""
    grain = {
        "model": settings.grain_model.value,
        "density": settings.grain_density,
        "size": settings.grain_size,
        "strength": settings.grain_strength,
    }
    boxes = settings.iai_packed_metadata
    return {
        "strength": settings.strength,
        "grain": grain if settings.grain else None,
        "output_width": settings.output_width,
        "output_height": settings.output_height,
        "output_format": submission.output_format,
        "boxes": None if boxes is None else [box.model_dump() for box in boxes],
        "seed": zlib.crc32(submission.filename.encode()),
    }
