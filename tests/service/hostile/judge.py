"""Put every hostile picture before the engine's own readers, under a cap on memory: one JSON line for each.

A program of its own, so that a crash, a hang or a bomb ends it and nothing else.
"""

import json
import os
import resource
import signal
import sys
import time
from pathlib import Path

from engine.errors import InputError
from engine.faces.decode import decode
from engine.picture import check_decodes, read_header
from tests.service.hostile.pictures import CASES
from tests.service.hostile.victim import peak_bytes

_MEMORY_BYTES = 3 * 1024**3  # of address space, libraries included
_CASE_S = 10  # an alarm ends the program


def _verdict(read, path: Path) -> str:
    try:
        read(path)
    except InputError as error:
        return str(error)
    return "ok"


def main(folder: Path) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, _MEMORY_BYTES))
    for number, (name, make) in enumerate(CASES.items()):
        path = folder / f"{number}.bin"
        path.write_bytes(make())
        signal.alarm(_CASE_S)
        began = time.process_time()
        verdicts = [_verdict(read, path) for read in (read_header, check_decodes, decode)]
        signal.alarm(0)
        path.unlink()
        cpu_s = time.process_time() - began
        line = {"name": name, "verdicts": verdicts, "cpu_s": cpu_s, "peak_bytes": peak_bytes(os.getpid())}
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
