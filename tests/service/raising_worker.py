"""The real worker around a scripted model: what the picture says behind its last `#` is raised.

`RuntimeError` and the like by name, `disk PATH` as a full disk until PATH exists; anything else is copied.
"""

import builtins
import errno
import sys
from pathlib import Path

from engine.faces.options import Restored
from engine.service.worker import main


def restore(source, target, options, progress):
    data = source.read_bytes()
    match data.rpartition(b"#")[2].decode("ascii", "replace").split():
        case ["disk", path] if not Path(path).exists():
            raise OSError(errno.ENOSPC, "No space left on device")
        case [name] if name.endswith("Error"):
            raise getattr(builtins, name)("first line\nsecond \udcff line")
    target.write_bytes(data)
    size = {"input_width": 40, "input_height": 30, "output_width": 40, "output_height": 30}
    return Restored(**size, input_format="png", faces=(), warnings=())


main(sys.argv[1:], lambda _threads: restore)
