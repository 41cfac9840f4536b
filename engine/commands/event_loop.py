"""What the commands run on: uvloop where there is one, a garbage collector that looks less often, room for files."""

import asyncio
import contextlib
import gc
import sys
from collections.abc import Callable

__all__ = ["runner"]

# A request allocates a few hundred objects, so the default of 700 has the collector look at the young ones several
# times a job, in vain: hardly anything here is cyclic. Looking every 50,000 saves an eighth of the CPU of a job.
# The rare full collections stay, since they are what bounds a leak; they skip what the imports made.
_YOUNG_OBJECTS, _MIDDLE, _OLD = 50_000, 20, 50
_FILES = 8192  # a thousand requests in each of three lanes, and some files for each


def runner() -> asyncio.Runner:
    """Return what runs a command's coroutine."""
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, _MIDDLE, _OLD)
    _allow_files()
    return asyncio.Runner(loop_factory=_loop_factory())


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    if sys.platform == "win32":
        return None
    import uvloop  # noqa: PLC0415 -- not installed on Windows

    return uvloop.new_event_loop


def _allow_files() -> None:
    """Raise the number of files that may be open as far as the system lets us: connections count, too."""
    if sys.platform == "win32":
        return
    import resource  # noqa: PLC0415 -- not on Windows

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _FILES if hard == resource.RLIM_INFINITY else min(_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        with contextlib.suppress(OSError, ValueError):
            resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
