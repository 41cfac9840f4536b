"""One worker process: restores or upscales pictures that its parent names, one at a time, and ends when that does.

`python -m engine.service.worker --threads 1`. Speaks `worker_protocol` on its standard streams. A crash in a
native library ends this process and nothing else.
"""

import argparse
import contextlib
import errno
import hashlib
import os
import queue
import sys
import threading
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

from engine.disk import publish
from engine.errors import EngineError, MachineError
from engine.faces.restoration import Restored, Restorer
from engine.journal.line import Record
from engine.service.worker_memory import is_out_of_memory, limit_memory
from engine.service.worker_protocol import ENHANCE_TASK, decode, encode
from engine.service.worker_tasks import Enhance, Restore, Tasks
from engine.upscale.upscaler import Enhanced, Upscaler

__all__ = ["main"]

_MESSAGE_CHARS = 500
# No fault of the picture: the same request may well succeed once the disk is mended.
_DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})


def _face_model(threads: int) -> Restore:
    return Restorer(threads=threads).restore


def main(arguments: list[str], load: Callable[[int], Restore] = _face_model) -> None:
    """Serve requests until the standard input closes, with what `load` makes for a number of threads."""
    told = _told(arguments)
    if told.memory is not None:
        limit_memory(told.memory)
    answers = _take_stdout()
    requests = _requests()  # before the model is loaded: the parent may die meanwhile

    def load_upscaler() -> Enhance:
        return Upscaler(threads=told.threads, time_limit_s=told.time_limit).enhance

    try:
        tasks = Tasks(load(told.threads), load_upscaler)
    except EngineError as error:
        _say(answers, {"event": "failed", "message": str(error)})
        return
    _say(answers, {"event": "ready"})
    while True:
        _say(answers, _answer(requests.get(), tasks, answers))


def _told(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--memory", type=int, metavar="BYTES", help="address space of this process, at most")
    parser.add_argument("--time-limit", type=float, metavar="S", help="after which the parent gives a picture up")
    return parser.parse_args(arguments)


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


def _answer(request: Record, tasks: Tasks, answers: BinaryIO) -> Record:
    source, target = Path(request["source"]), Path(request["target"])
    part = target.with_suffix(".part")

    def progress(percent: int) -> None:
        _say(answers, {"event": "progress", "percent": percent})

    try:
        return _publish(tasks.do(request, source, part, progress), part, target)
    except MachineError as error:
        return {"event": "machine", "message": str(error)}
    except Exception as error:
        return {"event": _event(error), "message": _message(error, request)}
    finally:
        with contextlib.suppress(OSError):  # a disk that takes no more may not give back either
            part.unlink(missing_ok=True)


def _event(error: Exception) -> str:
    return "machine" if isinstance(error, OSError) and error.errno in _DISK_ERRORS else "failed"


def _message(error: Exception, request: Record) -> str:
    if is_out_of_memory(error):
        return "not enough memory for this picture"
    match error:
        case EngineError():
            # The file's name here is the service's own; its sender knows it as the picture.
            return str(error).replace(Path(request["source"]).name, "the picture", 1)
        case OSError():  # trouble with reading the picture is an InputError by now
            return f"the picture can't be read or its result written: {error.strerror or error}"
    traceback.print_exception(error)  # a library's own kind: this picture's trouble, and the worker lives on
    verb = "upscaled" if request.get("task") == ENHANCE_TASK else "restored"
    return f"the picture can't be {verb}: {_in_one_line(error)}"


def _in_one_line(error: Exception) -> str:
    text = " ".join(str(error).split())[:_MESSAGE_CHARS]
    # JSON carries no half characters, and names of files may hold them.
    return f"{type(error).__name__}: {text}".encode("utf-8", "replace").decode()


def _publish(made: Restored | Enhanced, part: Path, target: Path) -> Record:
    with part.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        size_bytes = file.tell()
    publish(part, target)
    return {
        "event": "finished",
        "input_width": made.input_width,
        "input_height": made.input_height,
        "output_width": made.output_width,
        "output_height": made.output_height,
        "faces": len(made.faces) if isinstance(made, Restored) else 0,
        "warnings": list(made.warnings),
        "sha256": sha256,
        "size_bytes": size_bytes,
    }


if __name__ == "__main__":
    main(sys.argv[1:])
