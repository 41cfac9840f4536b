"""One worker process: restores pictures that its parent names, one at a time, and ends when the parent does.

`python -m engine.service.worker --threads 1`. Speaks `worker_protocol` on its standard streams. A crash in a
native library ends this process and nothing else.
"""

import hashlib
import os
import queue
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from engine.disk import publish
from engine.errors import EngineError
from engine.faces.restoration import Box, Grain, Options, Restored, Restorer
from engine.journal.line import Record
from engine.service.worker_protocol import decode, encode

__all__ = ["main"]

Restore = Callable[[Path, Path, Options, Callable[[int], None]], Restored]


def main(arguments: list[str]) -> None:
    """Serve requests until the standard input closes."""
    answers = _take_stdout()
    requests = _requests()  # before the model is loaded: the parent may die meanwhile
    try:
        restorer = Restorer(threads=int(arguments[1]) if arguments[:1] == ["--threads"] else 1)
    except EngineError as error:
        _say(answers, {"event": "failed", "message": str(error)})
        return
    _say(answers, {"event": "ready"})
    while True:
        _say(answers, _answer(requests.get(), restorer.restore, answers))


def _take_stdout() -> BinaryIO:
    """Return the standard output for answers alone: what a library prints goes to the standard error."""
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    return answers


def _requests() -> "queue.SimpleQueue[Record]":
    """Read requests in a thread of its own, which ends the process at once when the parent is gone."""
    requests: queue.SimpleQueue[Record] = queue.SimpleQueue()

    def read() -> None:
        for line in sys.stdin.buffer:
            requests.put(decode(line))
        os._exit(0)

    threading.Thread(target=read, daemon=True, name="requests").start()
    return requests


def _say(answers: BinaryIO, message: Record) -> None:
    answers.write(encode(message))


def _answer(request: Record, restore: Restore, answers: BinaryIO) -> Record:
    source, target = Path(request["source"]), Path(request["target"])
    part = target.with_suffix(".part")

    def progress(percent: int) -> None:
        _say(answers, {"event": "progress", "percent": percent})

    try:
        restored = restore(source, part, _options(request["options"]), progress)
        return _publish(restored, part, target)
    except EngineError as error:
        # The file's name here is the service's own; its sender knows it as the picture.
        return {"event": "failed", "message": str(error).replace(source.name, "the picture", 1)}
    except OSError as error:
        return {
            "event": "failed",
            "message": f"the picture can't be read or its result written: {error.strerror or error}",
        }
    except MemoryError:
        return {"event": "failed", "message": "not enough memory for this picture"}
    finally:
        part.unlink(missing_ok=True)


def _options(values: Record) -> Options:
    grain, boxes = values["grain"], values["boxes"]
    return Options(
        strength=values["strength"],
        grain=None if grain is None else Grain(**grain),
        output_width=values["output_width"],
        output_height=values["output_height"],
        output_format=values["output_format"],
        boxes=None if boxes is None else tuple(Box(**box) for box in boxes),
        seed=values["seed"],
    )


def _publish(restored: Restored, part: Path, target: Path) -> Record:
    with part.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        size_bytes = file.tell()
    publish(part, target)
    return {
        "event": "finished",
        "input_width": restored.input_width,
        "input_height": restored.input_height,
        "output_width": restored.output_width,
        "output_height": restored.output_height,
        "faces": len(restored.faces),
        "warnings": list(restored.warnings),
        "sha256": sha256,
        "size_bytes": size_bytes,
    }


if __name__ == "__main__":
    main(sys.argv[1:])
