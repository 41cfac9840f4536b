"""From what was typed to how large outputs come out, and through how many stages pictures go."""

import contextlib
from dataclasses import dataclass

from engine.errors import UsageError
from engine.inputs.scan import Sizing
from engine.job.enhance import Enhance
from engine.job.parameters import FaceRecovery
from engine.pipeline.order import STAGED_FORMAT

__all__ = ["Outputs", "sizing"]

_STAGE = "enhance"  # the only one that can follow


@dataclass(frozen=True, slots=True, kw_only=True)
class Outputs:
    """What the options say beside the model's parameters; None: not given."""

    scale: str | None = None
    then: str | None = None
    crop_to_fill: bool | None = None


def sizing(parameters: FaceRecovery, outputs: Outputs) -> Sizing:
    """Return how large outputs come out; raises UsageError for options that contradict each other or say too little.

    With a second stage all that is said of outputs is that one's. The first keeps the input's size, so that nothing is
    resized twice, and hands on a format that loses nothing.
    """
    if outputs.scale is not None and (parameters.output_width is not None or parameters.output_height is not None):
        raise UsageError("--scale: give either a scale or --output-width and --output-height")
    scale = _scale(outputs.scale) if outputs.scale is not None else None
    if outputs.then is None:
        if outputs.crop_to_fill is not None:
            raise UsageError(f"--crop-to-fill: restoring keeps the size that it is told; give --then {_STAGE} as well")
        return Sizing(parameters, scale)
    if outputs.then != _STAGE:
        raise UsageError(f"--then: {outputs.then} is not {_STAGE}, the only stage that can follow")
    first = {"output_width": None, "output_height": None, "output_format": STAGED_FORMAT}
    return Sizing(parameters.model_copy(update=first), scale, _enhance(parameters, outputs))


def _enhance(parameters: FaceRecovery, outputs: Outputs) -> Enhance:
    width, height = parameters.output_width, parameters.output_height
    if outputs.crop_to_fill and (width is None or height is None):
        raise UsageError("--crop-to-fill: needs --output-width and --output-height, what to fill")
    return Enhance(
        output_width=width,
        output_height=height,
        output_format=parameters.output_format,
        crop_to_fill=bool(outputs.crop_to_fill),
    )


def _scale(text: str) -> float:
    with contextlib.suppress(ValueError):
        if 0.1 <= (scale := float(text)) <= 16:
            return scale
    raise UsageError(f"--scale: {text} is not a number from 0.1 to 16")
