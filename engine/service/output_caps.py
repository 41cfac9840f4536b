"""The caps on what a job may be asked to make. Pure."""

from engine.limits import MAX_PIXELS, MAX_SIDE_PX
from engine.service.refusal import Refusal

__all__ = ["check_output"]


def check_output(width: int, height: int, status: int) -> None:
    """Raise Refusal with `status` unless an output of this size is allowed.

    A side that was not asked for follows from the aspect, and may be far longer than the one that was.
    """
    if max(width, height) > MAX_SIDE_PX:
        raise Refusal(status, f"output: {width}x{height} has a side of more than {MAX_SIDE_PX} pixels")
    if width * height > MAX_PIXELS:
        raise Refusal(status, f"output: {width}x{height} is more than {MAX_PIXELS // 1_000_000} megapixels")
