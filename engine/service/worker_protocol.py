"""What the service and a worker say to each other: one JSON object a line.

The worker opens with `{"event": "ready"}`, or with `failed` (below) when it can't work at all. The service sends
one request and waits for its end: `{"task", "source", "target", "options": {...}}`. The task is `restore` (also where
it is missing) with the options `strength`, `grain`, `output_width`, `output_height`, `output_format`, `boxes`, `seed`;
or `enhance` with `output_width`, `output_height`, `crop_to_fill`, `output_format`.

The worker answers any number of `{"event": "progress", "percent": n}` and then either `{"event": "finished", ...}`
with the members of `Finished`, the output being in place at `target`, or `{"event": "failed", "message": ...}`, or
`machine` in place of `failed` when not the picture but this machine is at fault (its disk is full) and the same
request may be sent again later. A worker ends when its input closes; anything else it does is a crash.
"""

import zlib
from pathlib import Path

import orjson

from engine.job.enhance import Enhance
from engine.job.parameter_set import ParameterSet
from engine.job.parameters import FaceRecovery
from engine.journal.line import Record
from engine.service.submission import ENHANCE, Submission

__all__ = ["ENHANCE_TASK", "RESTORE_TASK", "decode", "encode", "options_of", "request_of"]

RESTORE_TASK, ENHANCE_TASK = "restore", "enhance"


def encode(message: Record) -> bytes:
    return orjson.dumps(message) + b"\n"


def decode(line: bytes) -> Record:
    """Return the message in `line`; raises ValueError for anything else."""
    message = orjson.loads(line)
    if not isinstance(message, dict):
        raise ValueError("not an object")  # noqa: TRY004 - to the reader it is one kind of broken line
    return message


def request_of(submission: Submission, settings: ParameterSet, source: Path, target: Path) -> Record:
    """Return the request that has `submission` done."""
    return {
        "task": ENHANCE_TASK if submission.route == ENHANCE else RESTORE_TASK,
        "source": str(source),
        "target": str(target),
        "options": options_of(settings, submission),
    }


def options_of(settings: ParameterSet, submission: Submission) -> Record:
    """Return the options in plain values."""
    options: Record = {
        "output_width": settings.output_width,
        "output_height": settings.output_height,
        "output_format": submission.output_format,
    }
    match settings:
        case FaceRecovery():
            options |= _face_options(settings, submission)
        case Enhance():
            options["crop_to_fill"] = settings.crop_to_fill
    return options


def _face_options(settings: FaceRecovery, submission: Submission) -> Record:
    """Return what only faces have; the grain of one filename is the same every time."""
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
        "boxes": None if boxes is None else [box.model_dump() for box in boxes],
        "seed": zlib.crc32(submission.filename.encode()),
    }
