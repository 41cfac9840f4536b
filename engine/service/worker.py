"""One worker process: restores pictures that its parent names, one at a time, and ends when the parent does.

`python -m engine.service.worker --threads 1`. Speaks `worker_protocol` on its standard streams. A crash in a
native library ends this process and nothing else.
"""

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
from engine.faces.restoration import Box, Grain, Options, Restored, Restorer
from engine.journal.line import Record
from engine.service.worker_protocol import decode, encode

__all__ = ["main"]

Restore = Callable[[Path, Path, Options, Callable[[int], None]], Restored]

_MESSAGE_CHARS = 500
# No fault of the picture: the same request may well succeed once the disk is mended.
_DISK_ERRORS = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO})


def _face_model(threads: int) -> Restore:
    return Restorer(threads=threads).restore


def main(arguments: list[str], load: Callable[[int], Restore] = _face_model) -> None:
    """Serve requests until the standard input closes, with what `load` makes for a number of threads."""
    answers = _take_stdout()
    requests = _requests()  # before the model is loaded: the parent may die meanwhile
    try:
        restore = load(int(arguments[1]) if arguments[:1] == ["--threads"] else 1)
    except EngineError as error:
        _say(answers, {"event": "failed", "message": str(error)})
        return
    _say(answers, {"event": "ready"})
    while True:
        _say(answers, _answer(requests.get(), restore, answers))


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
    except MachineError as error:
        return {"event": "machine", "message": str(error)}
    except EngineError as error:
        # The file's name here is the service's own; its sender knows it as the picture.
        return {"event": "failed", "message": str(error).replace(source.name, "the picture", 1)}
    except OSError as error:
        # Trouble with reading the picture is an InputError by now.
        return {
            "event": "machine" if error.errno in _DISK_ERRORS else "failed",
            "message": f"the picture can't be read or its result written: {error.strerror or error}",
        }
    except MemoryError:
        return {"event": "failed", "message": "not enough memory for this picture"}
    except Exception as error:  # a library's own kind: this picture's trouble, and the worker lives on
        traceback.print_exc()
        return {"event": "failed", "message": f"the picture can't be restored: {_in_one_line(error)}"}
    finally:
        with contextlib.suppress(OSError):  # a disk that takes no more may not give back either
            part.unlink(missing_ok=True)


def _in_one_line(error: Exception) -> str:
    text = " ".join(str(error).split())[:_MESSAGE_CHARS]
    # JSON carries no half characters, and names of files may hold them.
    return f"{type(error).__name__}: {text}".encode("utf-8", "replace").decode()


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
