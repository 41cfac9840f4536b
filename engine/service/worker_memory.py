"""How much address space a worker may take: a picture that needs more costs its own job, not the machine."""

import importlib.util
from typing import Final

from engine.errors import UsageError

__all__ = ["LEAST_BYTES", "check_memory", "is_out_of_memory", "limit_memory"]

# Measured with one thread: 0.5 GB with the face model and a small picture, 2.0 GB with the upscaler on top. Each
# megapixel of an upscaled input takes 0.16 GB more. With this much, pictures of 50 MP are restored, those of 100 not.
LEAST_BYTES: Final = 2560 * 1024**2

# ONNX Runtime and others pass C++'s complaint on in an error of their own.
_WORDS = ("bad_alloc", "bad allocation", "failed to allocate memory", "out of memory")


def check_memory(limit_bytes: int | None) -> None:
    """Raise UsageError for a limit under which no worker could do its work, or that this system can't keep."""
    if limit_bytes is None:
        return
    if limit_bytes < LEAST_BYTES:
        raise UsageError(f"worker memory: {limit_bytes:,} bytes are too few, a worker needs at least {LEAST_BYTES:,}")
    if importlib.util.find_spec("resource") is None:
        raise UsageError("worker memory: this system has no limit for it")


def limit_memory(limit_bytes: int) -> None:
    """Have this process get no more address space than this."""
    import resource  # noqa: PLC0415 - Windows has none

    resource.setrlimit(resource.RLIMIT_AS, (limit_bytes, limit_bytes))


def is_out_of_memory(error: BaseException | None) -> bool:
    """Say whether `error`, or what it came from, is a want of memory, however a library put it."""
    while error is not None:
        if isinstance(error, MemoryError) or any(word in str(error).lower() for word in _WORDS):
            return True
        error = error.__cause__
    return False
