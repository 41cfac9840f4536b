"""A worker that does what the picture says: a scripted stand-in for the face model.

Speaks `engine.service.worker_protocol`. What follows the last `#` of the input's bytes is the order: `fail`,
`crash`, `crash once PATH` (and leave PATH behind), `nonsense`, `hang`, `wait PATH` (until PATH exists), `disk PATH`
(say that the machine is at fault until PATH exists). Anything else is copied to the output. Started with `unfit PATH`,
it says that it can't work until PATH exists.
"""

import hashlib
import json
import os
import queue
import signal
import sys
import threading
import time
from pathlib import Path


def say(**message):
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


def crash():
    sys.stderr.write("the scripted worker was told to crash\n")
    sys.stderr.flush()
    os.kill(os.getpid(), signal.SIGKILL)


def obey(order):
    match order.split():
        case ["crash"]:
            crash()
        case ["crash", "once", path] if not Path(path).exists():
            Path(path).touch()
            crash()
        case ["nonsense"]:
            sys.stdout.write("this is no JSON\n")
            sys.stdout.flush()
        case ["hang"]:
            time.sleep(3600)
        case ["wait", path]:
            while not Path(path).exists():
                time.sleep(0.005)


def restore(request):
    data = Path(request["source"]).read_bytes()
    order = data.rpartition(b"#")[2].decode("ascii", "replace")
    say(event="progress", percent=30)
    if order == "fail":
        return say(event="failed", message="the scripted worker was told to fail")
    match order.split():
        case ["disk", path] if not Path(path).exists():
            return say(event="machine", message="the disk is full")
    obey(order)
    target = Path(request["target"])
    target.with_suffix(".part").write_bytes(data)
    target.with_suffix(".part").replace(target)
    return say(
        event="finished",
        input_width=40,
        input_height=30,
        output_width=request["options"]["output_width"] or 40,
        output_height=request["options"]["output_height"] or 30,
        faces=1,
        warnings=["scripted"],
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
    )


def main(mode="", path=""):
    if mode == "unfit" and not Path(path).exists():
        return say(event="failed", message="the scripted worker can't work")
    requests = queue.SimpleQueue()

    def read():
        for line in sys.stdin:
            requests.put(json.loads(line))
        os._exit(0)

    threading.Thread(target=read, daemon=True).start()
    say(event="ready")
    while True:
        restore(requests.get())


main(*sys.argv[1:])
